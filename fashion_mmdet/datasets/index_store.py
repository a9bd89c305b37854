"""Where the index of a train.csv lies, whether it still fits, and who builds it. No torch."""

import logging
import os
from pathlib import Path

from fashion_mmdet.datasets.index import Index, read_batch
from fashion_mmdet.datasets.index_build import build_index
from fashion_mmdet.files import sha256
from fashion_mmdet.utils.caches import writable_place
from fashion_mmdet.utils.locks import locked

HASH_BYTES = 16 << 20  # hashed within 20 ms or so: a smaller CSV need not be known by its time of change


def open_index(csv: str | os.PathLike) -> Index:
    """Open the index of a train.csv, built first where there is none or the CSV has changed.

    It lies beside the CSV, `train.csv.index.arrow`, or in the user's cache where that folder cannot be written. It is
    keyed by the CSV's hash; a large CSV of the size and time of change that the index knows is not hashed again. Of
    several processes one builds and the others wait.

    Raises:
        ValueError: the file is not this CSV at all; names file, line and value.
        FileNotFoundError: no such file.
    """
    if not Path(csv).is_file():
        raise FileNotFoundError(f'{csv}: no such file')
    beside = Path(f'{csv}.index.arrow')
    target = writable_place(beside)
    for path in dict.fromkeys((beside, target)):
        if fits(path, csv):
            return Index.open(path, csv)
    if target != beside:
        logging.getLogger(__name__).warning('%s: cannot be written; the index goes to %s', beside.parent, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.with_name(f'.{target.name}.lock'), on_busy=lambda: logging.getLogger(__name__).warning(
            '%s: another process builds the index; waiting for it', csv)):
        if not fits(target, csv):
            build_index(csv, target)
    return Index.open(target, csv)


def fits(path: Path, csv: str | os.PathLike) -> bool:
    """Tell whether an index is there, whole, and of the CSV's content.

    The index has the CSV's time of change: where only that differs, the hash decides and the index gets the new one.
    """
    try:
        _, info = read_batch(path)
    except (FileNotFoundError, ValueError):  # none, cut off, or of another format: it is built anew
        return False
    stat = os.stat(csv)
    if info.csv_bytes != stat.st_size:
        return False
    same_time = path.stat().st_mtime_ns == stat.st_mtime_ns
    if same_time and stat.st_size > HASH_BYTES:
        return True
    if info.csv_sha256 != sha256(csv):
        return False
    if not same_time and os.access(path, os.W_OK):
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return True
