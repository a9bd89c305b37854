"""Read the classes to resample."""

import os
from collections.abc import Sequence
from pathlib import Path

from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.utils.checks import check_ids
from fashion_mmdet.utils.json_files import read_object


def read_targets(targets: Sequence[int] | str | os.PathLike) -> list[int]:
    """Return category ids as given, or read them from a file that tools/sensitivity.py saved.

    Raises:
        FileNotFoundError: no such file; says which command makes it.
        ValueError: another file, or an id that does not exist.
    """
    if not isinstance(targets, (str, os.PathLike)):
        check_ids('targets', targets, len(CATEGORIES))
        return list(targets)
    file = Path(targets)
    if not file.is_file():
        raise FileNotFoundError(
            f'{file}: no target classes; test the run that they come from, then '
            f'python tools/sensitivity.py {file.parent}/val.parquet --out {file}'
        )
    found = read_object(file)
    if 'targets' not in found:
        raise ValueError(f'{file}: has no targets; tools/sensitivity.py writes them')
    check_ids(f'{file}: targets', found['targets'], len(CATEGORIES))
    return found['targets']
