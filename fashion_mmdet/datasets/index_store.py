"""Find the index of a train.csv, or build it."""

import logging
import os
from pathlib import Path

from fashion_mmdet.datasets.index import Index
from fashion_mmdet.datasets.index_build import build_index
from fashion_mmdet.datasets.layouts import content_key
from fashion_mmdet.utils.caches import writable_place
from fashion_mmdet.utils.locks import locked


def open_index(csv: str | os.PathLike) -> Index:
    """Open the index of a train.csv; build it first where there is none or the CSV has changed.

    It lies beside the CSV as `train.csv.index.arrow`, or in the user's cache where that folder cannot be written. The
    content of the CSV and the index are hashed at every start: together 0.17 s for the competition's 951 MB in the
    page cache. Size and modification time would miss a change. Of several processes one builds and the others wait.

    Raises:
        ValueError: the file is not this CSV at all; names file, line and value.
        FileNotFoundError: no such file.
    """
    if not Path(csv).is_file():
        raise FileNotFoundError(f'{csv}: no such file')
    beside = Path(f'{csv}.index.arrow')
    target = writable_place(beside)
    content = content_key(csv)
    for path in dict.fromkeys((beside, target)):
        if (index := open_fitting(path, csv, content)) is not None:
            return index
    if target != beside:
        logging.getLogger(__name__).warning('%s: cannot be written; the index goes to %s', beside.parent, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(
        target.with_name(f'.{target.name}.lock'),
        on_busy=lambda: logging.getLogger(__name__).warning(
            '%s: another process builds the index; waiting for it', csv
        ),
    ):
        if (index := open_fitting(target, csv, content, logging.WARNING)) is not None:
            return index
        build_index(csv, target)
    return Index.open(target, csv)


def open_fitting(path: Path, csv: str | os.PathLike, content: str, level: int = logging.DEBUG) -> Index | None:
    """Open an index if it is whole and of that content (`layouts.content_key`); log at `level` one that is broken."""
    try:
        index = Index.open(path, csv)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        logging.getLogger(__name__).log(level, '%s; built anew', error)
        return None
    return index if index.csv_hash == content else None
