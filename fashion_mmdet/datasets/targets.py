"""The classes to resample: category ids, or the file that tools/sensitivity.py saves. No torch."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.utils.checks import check_ids


def read_targets(targets: Sequence[int] | str | os.PathLike) -> list[int]:
    """Take category ids as they are, or from a file.

    Raises:
        FileNotFoundError: no such file; says which command makes it.
        ValueError: another file, or an id that does not exist.
    """
    if not isinstance(targets, (str, os.PathLike)):
        check_ids('targets', targets, len(CATEGORIES))
        return list(targets)
    file = Path(targets)
    if not file.is_file():
        raise FileNotFoundError(f'{file}: no target classes; test the run that they come from, then '
                                f'python tools/sensitivity.py {file.parent}/val.parquet --out {file}')
    try:
        found = json.loads(file.read_text())['targets']
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{file}: not a file of tools/sensitivity.py ({type(error).__name__}: {error})') from None
    check_ids(f'{file}: targets', found, len(CATEGORIES))
    return found
