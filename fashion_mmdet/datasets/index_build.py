"""Build the index of a train.csv: rows checked by all cores, masks spilled to disk, objects grouped by image.

Memory stays bounded: some chunks of text and 60 bytes an object; the masks wait in a file without a name.
"""

import os
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa

from fashion_mmdet.datasets.audit import Audit
from fashion_mmdet.datasets.index import OBJECT, SCHEMA, to_metadata
from fashion_mmdet.datasets.layouts import content_key
from fashion_mmdet.datasets.records import RowText, audit_images, check_row, screen_rows, to_instance
from fashion_mmdet.masks import rle
from fashion_mmdet.utils.files import write_sealed
from fashion_mmdet.utils.parallel import WorkerPool
from fashion_mmdet.utils.progress import progress_bar

POOL_BYTES = 8 << 20  # a smaller CSV is parsed within a second: processes would not pay
BATCH_ROWS = 250  # some 0.7 MB of text
COLUMNS = pa.schema([*(field for field in OBJECT if field.name != 'mask'), ('mask_bytes', pa.int64())])


class FirstRow(NamedTuple):
    """What is known of an image since its first row."""

    image_number: int  # by first appearance
    row_number: int
    height: int
    width: int


class Checked(NamedTuple):
    """Objects of a batch of rows.

    Attributes:
        image_numbers: (M,) int64, of each object.
        columns: the objects without their masks (`COLUMNS`).
        masks: counts of all masks, one after another.
        audit: problems of the rows.
        csv_bytes: size of the rows in the CSV, roughly.
    """

    image_numbers: np.ndarray
    columns: pa.RecordBatch
    masks: bytes
    audit: Audit
    csv_bytes: int


def build_index(csv: str | os.PathLike, target: Path, workers: int | None = None) -> None:
    """Parse a train.csv and write its index: what `records.read_records` returns, to the object and the audit.

    Args:
        csv: CSV to read.
        target: file to write; it is whole or absent.
        workers: processes; None for all cores where the CSV is large.

    Raises:
        ValueError: the file is not this CSV, or was changed while it was read.
        OSError: no such file, or a full disk.
    """
    if not Path(csv).is_file():
        raise FileNotFoundError(f'{csv}: no such file')
    content, csv_bytes = content_key(csv), os.path.getsize(csv)
    workers = workers or (None if csv_bytes >= POOL_BYTES else 1)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=target.parent) as spill, tempfile.TemporaryFile(dir=target.parent) as grouped:
        first_rows, image_numbers, columns, audit = _parse(csv, csv_bytes, spill, workers)
        if content_key(csv) != content:
            raise ValueError(f'{csv}: changed while it was read; start again')
        objects, counts = _group(image_numbers, columns, spill, grouped)
        batch = _to_batch(first_rows, np.unique(image_numbers), counts, objects)
        batch = batch.replace_schema_metadata(to_metadata(content, audit, csv))
        with write_sealed(target) as file, pa.ipc.new_file(file, batch.schema) as writer:
            writer.write_batch(batch)


def check_rows(csv: str, rows: list[tuple[int, RowText]]) -> Checked:
    """Check rows, each with its image's number, and encode the masks of those that stay; runs in the pool."""
    audit, image_numbers, areas, instances = Audit(), [], [], []
    for image_number, text in rows:
        row = check_row(csv, text, audit)
        if row is not None:
            image_numbers.append(image_number)
            areas.append(rle.area(row.runs))
            instances.append(to_instance(row, *text.first_size))
    masks = [instance.mask['counts'].encode('ascii') for instance in instances]
    columns = dict(
        category=[instance.category for instance in instances],
        attributes=[instance.attributes for instance in instances],
        box=[instance.bbox for instance in instances],
        area=areas,
        mask_bytes=list(map(len, masks)),
    )
    csv_bytes = sum(len(text.pixels) + len(text.image_id) + 15 for _, text in rows)
    batch = pa.record_batch(columns, schema=COLUMNS)
    return Checked(np.array(image_numbers, np.int64), batch, b''.join(masks), audit, csv_bytes)


def _parse(
    csv: str | os.PathLike, csv_bytes: int, spill: BinaryIO, workers: int | None
) -> tuple[dict[str, FirstRow], np.ndarray, pa.Table, Audit]:
    """Check all rows; the masks go to `spill` one after another.

    Returns:
        The first row of each image by its name; the number of each object's image, (M,) int64; the objects' `COLUMNS`;
        and the audit.
    """
    first_rows: dict[str, FirstRow] = {}
    audit, batches, columns = Audit(), [], []
    with progress_bar() as progress, WorkerPool(workers) as pool:
        task = progress.add_task(f'index of {Path(csv).name}', total=csv_bytes)
        for checked in pool.map(partial(check_rows, os.fspath(csv)), _batch_rows(csv, first_rows)):
            progress.update(task, advance=checked.csv_bytes)
            batches.append(checked.image_numbers)
            columns.append(checked.columns)
            audit.extend(checked.audit)
            spill.write(checked.masks)
    image_numbers = np.concatenate(batches)
    names = list(first_rows)
    audit_images(csv, names, {names[number] for number in np.unique(image_numbers)}, audit)
    return first_rows, image_numbers, pa.Table.from_batches(columns), audit


def _batch_rows(csv: str | os.PathLike, first_rows: dict[str, FirstRow]) -> Iterator[list[tuple[int, RowText]]]:
    """Yield batches of rows, each with its image's number; new images go into `first_rows`, by their names."""
    rows = screen_rows(csv)
    while batch := list(islice(rows, BATCH_ROWS)):
        yield [(_first_row(row, first_rows).image_number, row) for row in batch]


def _first_row(row: RowText, first_rows: dict[str, FirstRow]) -> FirstRow:
    return first_rows.setdefault(row.image_id, FirstRow(len(first_rows), row.number, *row.first_size))


def _group(
    image_numbers: np.ndarray, columns: pa.Table, spill: BinaryIO, grouped: BinaryIO
) -> tuple[pa.StructArray, np.ndarray]:
    """Sort the objects by image, in the order of the CSV within each.

    Rows of the images 0, 1, 0 with masks of 5, 7 and 4 bytes: `order` is 0, 2, 1, `ends` 0, 5, 12, 16; the bytes 0 to
    5, 12 to 16 and 5 to 12 are written in that order.

    Returns:
        The objects, and how many each image with an object has.
    """
    order, masks = np.argsort(image_numbers, kind='stable'), _map_file(spill)
    lengths = columns.column('mask_bytes').to_numpy()
    if (np.diff(image_numbers) < 0).any():
        masks = _reorder(masks, _running_sum(lengths), order, grouped)
    columns = columns.take(order)
    arrays = {name: columns.column(name).combine_chunks() for name in columns.column_names}
    buffers = [None, pa.py_buffer(_running_sum(lengths[order])), pa.py_buffer(masks)]
    arrays['mask'] = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(order), buffers)
    objects = pa.StructArray.from_arrays([arrays[field.name] for field in OBJECT], fields=list(OBJECT))
    return objects, np.unique(image_numbers, return_counts=True)[1]


def _to_batch(
    first_rows: dict[str, FirstRow], kept: np.ndarray, counts: np.ndarray, objects: pa.StructArray
) -> pa.RecordBatch:
    """Lay out the index's batch; `kept` are the numbers of the images that have an object."""
    names = list(first_rows)
    _, row_numbers, heights, widths = np.array(list(first_rows.values()), np.int64).reshape(-1, 4)[kept].T
    columns = [
        pa.array([names[number] for number in kept], pa.large_string()),
        pa.array(heights.astype(np.int32)),
        pa.array(widths.astype(np.int32)),
        pa.array(row_numbers),
        pa.LargeListArray.from_arrays(_running_sum(counts), objects),
    ]
    return pa.record_batch(columns, schema=SCHEMA)


def _running_sum(lengths: np.ndarray) -> np.ndarray:
    """Return where each of N lengths begins and the last one ends, (N + 1,) int64."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _map_file(file: BinaryIO) -> np.ndarray:
    """Map a file into memory, (bytes,) uint8; an empty one cannot be mapped."""
    file.flush()
    size = os.fstat(file.fileno()).st_size
    return np.memmap(file, np.uint8, 'r') if size else np.zeros(0, np.uint8)


def _reorder(masks: np.ndarray, ends: np.ndarray, order: np.ndarray, target: BinaryIO) -> np.ndarray:
    """Write the masks in another order, stretches that stay together in one piece."""
    breaks = np.flatnonzero(np.diff(order) != 1) + 1
    for stretch in np.split(order, breaks):
        target.write(masks[ends[stretch[0]] : ends[stretch[-1] + 1]].data)
    return _map_file(target)
