"""The photos that a catalogue is made of: files, folders, patterns, URLs, or Parquet with paths or bytes."""

import functools
import glob
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from fashion_mmdet.datasets.images import SUFFIXES
from fashion_mmdet.inference.listing import find_photos

CONTENTS, PATHS, NAMES = ('bytes', 'image', 'photo'), ('path', 'image', 'url', 'photo'), ('image', 'path', 'name')
IMAGE, CONTENT = 'image', 'content'  # columns of a chunk


class Photos:
    """Photos in a fixed order, with the input's own columns.

    Args:
        table: column `image`, which is the path or URL where there are no contents; then the input's own columns.
        contents: where the bytes of the photos are, in the same order; None where `image` says where each is.

    Attributes:
        digest: hash of the names, the columns and the places of the contents.
    """

    def __init__(self, table: pa.Table, contents: 'Contents | None' = None) -> None:
        self.table, self._contents = table, contents
        digest = xxhash.xxh3_128(repr(contents and contents.marks).encode())
        for batch in table.combine_chunks().to_batches(max_chunksize=65_536):
            digest.update(batch.serialize())
        self.digest = digest.hexdigest()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def extra(self) -> pa.Schema:
        """The input's own columns."""
        return own_columns(self.table.schema)

    def chunk(self, rows: range) -> pa.Table:
        """Copy some rows; where the input has bytes, with the column `content`."""
        part = self.table.take(
            pa.array(rows, pa.int64())
        )  # a slice would be sent to another process with all of its buffers
        return part if self._contents is None else part.append_column(CONTENT, self._contents.read(rows))


def own_columns(schema: pa.Schema) -> pa.Schema:
    """Return the input's own columns of a chunk."""
    return pa.schema([field for field in schema if field.name not in (IMAGE, CONTENT)])


def read_content(image: str) -> Any:
    """Return what the model takes for a photo: the path of a local file as it is, the bytes behind a URL."""
    if '://' not in image:
        return image
    file_system, path = _open_url(image)
    return file_system.cat_file(path)


def open_photos(named: Sequence[str], column: str | None = None) -> Photos:
    """List photos.

    Args:
        named: files, folders and patterns of photos, or of Parquet files (*.parquet), each local or a URL that fsspec
            knows, such as s3://bucket/folder.
        column: of the Parquet that holds paths, URLs, bytes, or structs of bytes and path; None for the first of
            CONTENTS or PATHS of a fitting type. All others but the name of a photo are kept.

    Raises:
        OSError, ValueError: nothing there, photos and Parquet mixed, or no such column; fsspec missing.
    """
    is_parquet = [name.endswith('.parquet') for name in named]
    if all(is_parquet):
        return _of_parquet([path for name in named for path in _find_files(name)], column)
    if any(is_parquet):
        raise ValueError('photos and Parquet files in one call; annotate them into catalogues of their own')
    if column is not None:
        raise ValueError(f'column {column!r} is for Parquet files (*.parquet)')
    local = [name for name in named if '://' not in name]
    paths = [str(path) for path in find_photos(local)] if local else []
    for url in (name for name in named if '://' in name):
        paths += _list_url(url)
    return Photos(pa.table({IMAGE: pa.array(paths, pa.string())}))


def _find_files(name: str) -> list[str]:
    """Expand a pattern of Parquet files."""
    if '://' in name:
        file_system, path = _open_url(name)
        return sorted(map(file_system.unstrip_protocol, file_system.glob(path))) if glob.has_magic(path) else [name]
    found = sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) else [name]
    if not found:
        raise ValueError(f'{name}: no Parquet files there')
    return found


def _list_url(url: str) -> list[str]:
    """List the photos behind a URL: of a folder at any depth, of a pattern, or the one."""
    file_system, path = _open_url(url)
    if glob.has_magic(path):
        found = file_system.glob(path)
    elif file_system.isdir(path):
        found = [one for one in file_system.find(path) if one.lower().endswith(SUFFIXES)]
    else:
        return [url]
    if not found:
        raise ValueError(f'{url}: no photos there ({", ".join(SUFFIXES)})')
    return sorted(map(file_system.unstrip_protocol, found))


def _open_url(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise ValueError(f'{url}: URLs need fsspec: pip install -e .[catalogue]') from None
    try:
        return url_to_fs(url)
    except ImportError as error:  # the file system of this protocol is a package of its own
        raise ValueError(f'{url}: {error}') from None


class _Group(NamedTuple):
    """One row group of a Parquet file, and how many bytes it has."""

    path: str
    number: int
    rows: int
    size: int


class Contents:
    """Photos' bytes in Parquet; one row group is in memory at a time."""

    def __init__(self, groups: Sequence[_Group], column: str) -> None:
        self.marks, self._column = list(groups), column
        self._starts = [0, *accumulate(group.rows for group in groups)]

    def read(self, rows: range) -> pa.Array:
        """Read the bytes of some rows."""
        parts = []
        for position in range(bisect_right(self._starts, rows.start) - 1, len(self.marks)):
            first, start, stop = self._starts[position], rows.start, rows.stop
            if first >= stop:
                break
            part = slice(max(start - first, 0), stop - first)
            parts.append(
                _read_group(self.marks[position], self._column).take(
                    pa.array(range(*part.indices(self.marks[position].rows)))
                )
            )
        return pa.concat_arrays(parts) if parts else pa.array([], pa.binary())


@functools.lru_cache(1)
def _read_group(group: _Group, column: str) -> pa.Array:
    found = _open_parquet(group.path).read_row_group(group.number, columns=[column])[column].combine_chunks()
    found = found.chunk(0) if isinstance(found, pa.ChunkedArray) else found
    return found.field('bytes').cast(pa.binary()) if pa.types.is_struct(found.type) else found.cast(pa.binary())


@functools.lru_cache(8)
def _open_parquet(path: str) -> pq.ParquetFile:
    if '://' not in path:
        return pq.ParquetFile(path)
    file_system, inner = _open_url(path)
    return pq.ParquetFile(file_system.open(inner))


def _of_parquet(paths: Sequence[str], column: str | None) -> Photos:
    try:
        schema = _open_parquet(paths[0]).schema_arrow
        column = column or _choose_column(schema, paths[0])
        if column not in schema.names:
            raise ValueError(f'{paths[0]}: no column {column!r}; there are {", ".join(schema.names)}')
        kind = schema.field(column).type
        tables = [_read_columns(path, schema, column) for path in paths]
        table = pa.concat_tables(tables)
    except (pa.ArrowException, KeyError) as error:  # Arrow's errors are ValueErrors without the file's name
        raise ValueError(f'{paths[0]}: {error}') from None
    if table[IMAGE].null_count:  # only of paths
        raise ValueError(f'{paths[0]}: {table[IMAGE].null_count} rows have no {column}; leave them out')
    if _is_text(kind):
        return Photos(table)
    groups = [
        _Group(path, number, meta.row_group(number).num_rows, meta.row_group(number).total_byte_size)
        for path in paths
        for meta in (_open_parquet(path).metadata,)
        for number in range(meta.num_row_groups)
    ]
    return Photos(table, Contents(groups, column))


def _choose_column(schema: pa.Schema, path: str) -> str:
    for names, fits in ((CONTENTS, lambda kind: not _is_text(kind)), (PATHS, _is_text)):
        for name in names:
            if name in schema.names and fits(schema.field(name).type):
                return name
    raise ValueError(f'{path}: which column has the photos? there are {", ".join(schema.names)}; name it with --column')


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _read_columns(path: str, schema: pa.Schema, column: str) -> pa.Table:
    """Read the names of a file's photos, as `image`, and its other columns."""
    file, kind = _open_parquet(path), schema.field(column).type
    others = [name for name in schema.names if name != column]
    stored: list[str | None] = [None] * file.metadata.num_rows
    if _is_text(kind):
        images = file.read(columns=[column])[column].cast(pa.string())
        return _with_images(file, others, images)
    if pa.types.is_struct(kind):
        nested = file.read(columns=[f'{column}.path'])[column]
        stored = [one and one['path'] for one in nested.to_pylist()]
    else:
        named = [name for name in NAMES if name in others and _is_text(schema.field(name).type)][:1]
        others = [name for name in others if name not in named]
        stored = file.read(columns=named)[named[0]].to_pylist() if named else stored
    images = pa.array([one or f'{path}#{row}' for row, one in enumerate(stored)], pa.string())
    return _with_images(file, others, images)


def _with_images(file: pq.ParquetFile, others: list[str], images: pa.Array | pa.ChunkedArray) -> pa.Table:
    return file.read(columns=others).add_column(0, IMAGE, images) if others else pa.table({IMAGE: images})
