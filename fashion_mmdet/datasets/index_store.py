"""Where the index of a train.csv lies, whether it still fits, and who builds it."""

import logging
import os
from pathlib import Path

from fashion_mmdet.datasets.index import Index
from fashion_mmdet.datasets.index_build import build_index
from fashion_mmdet.datasets.layouts import content_key
from fashion_mmdet.utils.caches import writable_place
from fashion_mmdet.utils.locks import locked


def open_index(csv: str | os.PathLike) -> Index:
    """Open the index of a train.csv, built first where there is none or the CSV has changed.

    It lies beside the CSV, `train.csv.index.arrow`, or in the user's cache where that folder cannot be written. It is
    known by the CSV's content, which is hashed at every start, as is the index itself: together 0.17 s for the
    competition's 951 MB where both are in memory, else as long as the disk takes to read them. A size and a time of
    change would take no time, and let another file of the same pass. Of several processes one builds and the others
    wait.

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
    """Open an index if it is there, whole, and of the CSV's content as `layouts.content_key` gives it.

    One that is there and not whole is logged at `level`.
    """
    try:
        index = Index.open(path, csv)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        logging.getLogger(__name__).log(level, '%s; built anew', error)
        return None
    return index if index.csv_hash == content else None
