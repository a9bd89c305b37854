"""Cache of the photo sizes in a folder: reading 45,625 headers takes a minute, `os.stat` a fraction of a second."""

import logging
import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from fashion_mmdet.datasets.images import read_size
from fashion_mmdet.utils.caches import writable_place
from fashion_mmdet.utils.files import read_sealed, write_sealed

SCHEMA = pa.schema(
    [
        ('name', pa.large_string()),
        ('bytes', pa.int64()),
        ('mtime_ns', pa.int64()),
        ('ctime_ns', pa.int64()),
        ('height', pa.int32()),
        ('width', pa.int32()),
    ]
)
SETTLED_NS = 2_000_000_000  # a file that is younger could change once more within the tick of its clock


class HeaderCache:
    """Context manager that reads the sizes of a folder's photos, each again only when its file has changed.

    The sizes are kept in FOLDER.headers.arrow beside the folder, or in the user's cache where that cannot be written.
    A file is recognized by its size, mtime and ctime, which programs cannot set. Photos with a problem are not kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self.path = writable_place(self._folder.parent / f'{self._folder.name}.headers.arrow')
        self._known: dict[str, tuple[int, ...]] = {}
        self._changed = False

    def __enter__(self) -> 'HeaderCache':
        self._known = _read(self.path)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._changed:
            return
        try:  # also after an exception: what was read need not be read again
            _write(self.path, self._known)
        except OSError as error:
            logging.getLogger(__name__).warning("%s: the photos' sizes are not kept: %s", self.path, error.strerror)

    def read_size(self, path: Path) -> tuple[int, int]:
        """Return a photo's height and width in pixels; errors as `images.read_size`."""
        stat = os.stat(path)
        name = os.path.relpath(path, self._folder)
        known = self._known.get(name)
        identity = stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
        if known is not None and known[:3] == identity:
            return known[3:]
        size = read_size(path)
        if time.time_ns() - max(identity[1:]) > SETTLED_NS:
            self._known[name] = *identity, *size
            self._changed = True
        return size


def _read(path: Path) -> dict[str, tuple[int, ...]]:
    """Read the kept sizes; none where the file is broken or of another format."""
    try:
        with pa.ipc.open_file(pa.py_buffer(read_sealed(path))) as reader:
            if not reader.schema.equals(SCHEMA):
                raise ValueError(f'{path}: other columns')
            table = reader.read_all()
            table.validate(full=True)  # a seal keeps damage out, not what somebody sealed
    except FileNotFoundError:
        return {}
    except (pa.ArrowException, OSError, ValueError) as error:
        logging.getLogger(__name__).warning('%s: read anew: %s', path.name, error)
        return {}
    names, *columns = (column.to_pylist() for column in table.columns)
    return dict(zip(names, zip(*columns, strict=True), strict=True))


def _write(path: Path, known: dict[str, tuple[int, ...]]) -> None:
    columns = np.array(list(known.values()), np.int64).reshape(-1, len(SCHEMA) - 1).T
    table = pa.table([pa.array(known, pa.large_string()), *columns], names=SCHEMA.names)
    with write_sealed(path) as file, pa.ipc.new_file(file, SCHEMA) as writer:
        writer.write_table(table.cast(SCHEMA))
