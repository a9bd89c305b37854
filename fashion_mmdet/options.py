"""`--cfg-options key=value`: values as Python literals, else text. No mmengine."""

import ast
from collections.abc import Sequence


def parse_options(pairs: Sequence[str]) -> dict:
    """Read `key=value` pairs.

    Args:
        pairs: such as `train_cfg.max_epochs=5`, `load_from=None`, `optim_wrapper.type=SGD`, `a.scale=(384,256)`.

    Raises:
        ValueError: a pair without `=`, or without a key.
    """
    options = {}
    for pair in pairs:
        key, equals, text = pair.partition('=')
        if not equals or not key:
            raise ValueError(f'option {pair!r}: expected key=value')
        try:
            options[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            options[key] = {'true': True, 'false': False, 'none': None}.get(text.lower(), text)
    return options
