"""The classes to resample: category ids, or the file that tools/sensitivity.py saves. No torch."""

import os
from collections.abc import Sequence
from pathlib import Path

from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.utils.json_files import read_object


def read_targets(targets: Sequence[int] | str | os.PathLike) -> list[int]:
    """Take category ids as they are, or from a file.

    Raises:
        FileNotFoundError: no such file; says which command makes it.
        ValueError: another file, or an id that does not exist.
    """
    if not isinstance(targets, (str, os.PathLike)):
        return _check(list(targets), 'targets')
    file = Path(targets)
    if not file.is_file():
        raise FileNotFoundError(f'{file}: no target classes; test the run that they come from, then '
                                f'python tools/sensitivity.py {file.parent}/val.parquet --out {file}')
    found = read_object(file)
    if 'targets' not in found:
        raise ValueError(f'{file}: has no targets; tools/sensitivity.py writes them')
    return _check(found['targets'], str(file))


def _check(targets: object, where: str) -> list[int]:
    ids = targets if isinstance(targets, list) else [targets]
    wrong = [one for one in ids if not isinstance(one, int) or isinstance(one, bool) or not 0 <= one < len(CATEGORIES)]
    if wrong or not isinstance(targets, list):
        raise ValueError(f'{where}: category ids are 0 to {len(CATEGORIES) - 1}, got {(wrong or ids)[0]!r}')
    return ids
