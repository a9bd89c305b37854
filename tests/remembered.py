"""Remember what mmengine works out again and again with the same result, in the tests and in the processes they start.

Importing this module does it. Of a tiny training's time more than half went there.
"""

import functools
from collections.abc import Callable

from mmengine.config import utils
from yapf.yapflib import yapf_api


def _remember_layout(format_code: Callable) -> Callable:
    """Lay out every text once: a run formats one and the same config about nine times, 0.4 s each."""
    known: dict[tuple[str, str], tuple] = {}

    @functools.wraps(format_code)
    def formatted(text: str, **options) -> tuple:
        key = (text, repr(sorted(options.items())))
        if key not in known:
            known[key] = format_code(text, **options)
        return known[key]

    return formatted


if not hasattr(yapf_api.FormatCode, '__wrapped__'):
    yapf_api.FormatCode = _remember_layout(yapf_api.FormatCode)
    if hasattr(utils, 'load'):  # reads mmdet's index, 100 YAML files, for every config with an `mmdet::` base: 0.1 s
        utils.load = functools.cache(utils.load)
