"""Where the index of a train.csv lies, whether it still fits, and who builds it. No torch."""

import hashlib
import logging
import os
from pathlib import Path

from filelock import FileLock, Timeout

from fashion_mmdet.datasets.index import Index, read_batch
from fashion_mmdet.datasets.index_build import build_index
from fashion_mmdet.datasets.layouts import LABELS
from fashion_mmdet.files import sha256

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
    lock = FileLock(target.with_name(f'.{target.name}.lock'))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        logging.getLogger(__name__).warning('%s: another process builds the index; waiting for it', csv)
        lock.acquire()
    try:
        if not fits(target, csv):
            build_index(csv, target)
    finally:
        lock.release()
    return Index.open(target, csv)


def writable_place(beside: Path) -> Path:
    """Choose where to keep what belongs beside a data set: there, or in the user's cache in a folder by that path."""
    if os.access(beside.parent, os.W_OK):
        return beside
    cache = Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser() / 'fashion_mmdet'
    return cache / hashlib.sha256(os.fsencode(beside.parent.resolve())).hexdigest()[:16] / beside.name


def fits(path: Path, csv: str | os.PathLike) -> bool:
    """Tell whether an index is there, whole, and of the CSV's content.

    The index has the CSV's time of change: where only that differs, the hash decides and the index gets the new one.
    """
    try:
        _, info = read_batch(path)
    except (FileNotFoundError, ValueError):  # none, cut off, or of another format: it is built anew
        return False
    labels = Path(csv).with_name(LABELS)  # it numbers the attributes of 2020's layout
    if labels.is_file() and labels.stat().st_ctime_ns >= path.stat().st_ctime_ns:
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
