"""Builds the index of a train.csv: rows checked by all cores, masks spilled to disk, images grouped.

Memory stays bounded: some chunks of text and 60 bytes an object; the masks wait in a file without a name.
"""

import os
import tempfile
from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from fashion_mmdet.datasets.audit import Audit
from fashion_mmdet.datasets.index import OBJECT, SCHEMA, IndexInfo, describe_audit
from fashion_mmdet.datasets.layouts import content_key
from fashion_mmdet.datasets.records import RowText, audit_images, check_row, screen_rows, to_instance
from fashion_mmdet.masks import rle
from fashion_mmdet.utils.files import write_sealed
from fashion_mmdet.utils.parallel import WorkerPool
from fashion_mmdet.utils.progress import progress_bar

POOL_BYTES = 8 << 20  # a smaller CSV is parsed within a second: processes would not pay
BATCH_ROWS = 250  # some 0.7 MB of text


@dataclass(frozen=True)
class _Objects:
    """Objects in columns: where each came from, what it is, and the bytes of all their masks in one string."""

    row: list[int]  # of the batch, from 0
    category: list[int]
    attributes: list[tuple[int, ...]]
    box: list[tuple[int, int, int, int]]
    area: list[int]
    mask_bytes: list[int]  # lengths
    masks: bytes
    audit: Audit


class _Columns:
    """What `_Objects` gather to, 60 bytes an object; `image` is the object's image, counted by first appearance."""

    def __init__(self) -> None:
        self.image_ids: dict[str, int] = {}
        self.sizes, self.first_row = array('q'), array('q')
        self.image, self.category, self.attribute, self.attribute_count = (array('q') for _ in range(4))
        self.box, self.area, self.mask_bytes = array('q'), array('q'), array('q')

    def add_images(self, rows: Iterable[RowText]) -> list[int]:
        """Take new images in; returns the image of each row."""
        images = []
        for row in rows:
            if row.image_id not in self.image_ids:
                self.image_ids[row.image_id] = len(self.image_ids)
                self.sizes.extend(row.first_size)
                self.first_row.append(row.number)
            images.append(self.image_ids[row.image_id])
        return images

    def add_objects(self, objects: _Objects, images: list[int]) -> None:
        """Take a batch's objects in, but for their masks; `images` has the image of each row of the batch."""
        self.image.extend(images[row] for row in objects.row)
        self.category.extend(objects.category)
        self.area.extend(objects.area)
        self.mask_bytes.extend(objects.mask_bytes)
        for attributes, box in zip(objects.attributes, objects.box, strict=True):
            self.attribute.extend(attributes)
            self.attribute_count.append(len(attributes))
            self.box.extend(box)


def build_index(csv: str | os.PathLike, target: Path, jobs: int | None = None) -> None:
    """Parse a train.csv and write its index: what `records.read_records` returns, to the object and the audit.

    Args:
        csv: the CSV.
        target: the file to write; it is whole or absent.
        jobs: processes; None for all cores where the CSV is large.

    Raises:
        ValueError: the file is not this CSV, or was changed while it was read.
        OSError: no such file, or no room.
    """
    if not Path(csv).is_file():
        raise FileNotFoundError(f'{csv}: no such file')
    content, csv_bytes = content_key(csv), os.path.getsize(csv)
    jobs = jobs or (None if csv_bytes >= POOL_BYTES else 1)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=target.parent) as spill, tempfile.TemporaryFile(dir=target.parent) as grouped:
        columns, audit = _parse(csv, csv_bytes, spill, jobs)
        if content_key(csv) != content:
            raise ValueError(f'{csv}: changed while it was read; start again')
        info = IndexInfo(csv_hash=content, **describe_audit(audit, csv))
        batch = _to_batch(columns, spill, grouped).replace_schema_metadata(info.to_metadata())
        with write_sealed(target) as file, pa.ipc.new_file(file, batch.schema) as writer:
            writer.write_batch(batch)


def check_rows(csv: str, rows: list[RowText]) -> _Objects:
    """Check rows and encode the masks of those that stay; what a process of the pool does."""
    audit, kept, areas = Audit(), [], []
    for number, text in enumerate(rows):
        row = check_row(csv, text, audit)
        if row is not None:
            kept.append((number, to_instance(row, *text.first_size)))
            areas.append(rle.area(row.runs))
    masks = [instance.mask['counts'].encode('ascii') for _, instance in kept]
    return _Objects(
        row=[number for number, _ in kept],
        category=[instance.category for _, instance in kept],
        attributes=[instance.attributes for _, instance in kept],
        box=[instance.bbox for _, instance in kept],
        area=areas,
        mask_bytes=[len(mask) for mask in masks],
        masks=b''.join(masks),
        audit=audit,
    )


def _parse(csv: str | os.PathLike, csv_bytes: int, spill: BinaryIO, jobs: int | None) -> tuple[_Columns, Audit]:
    """Check all rows; the masks go to `spill` one after the other."""
    columns, audit, images = _Columns(), Audit(), deque()

    def batches() -> Iterator[list[RowText]]:
        rows = screen_rows(csv)
        while batch := list(islice(rows, BATCH_ROWS)):
            images.append(columns.add_images(batch))
            progress.update(task, advance=sum(len(row.pixels) + len(row.image_id) + 15 for row in batch))
            yield batch

    with progress_bar() as progress, WorkerPool(jobs) as pool:
        task = progress.add_task(f'index of {Path(csv).name}', total=csv_bytes)
        for objects in pool.map(partial(check_rows, os.fspath(csv)), batches()):
            columns.add_objects(objects, images.popleft())
            audit.extend(objects.audit)
            spill.write(objects.masks)
    annotated = set(columns.image)
    audit_images(
        csv, columns.image_ids, {image_id for image_id, image in columns.image_ids.items() if image in annotated}, audit
    )
    return columns, audit


def _to_batch(columns: _Columns, spill: BinaryIO, grouped: BinaryIO) -> pa.RecordBatch:
    """Group the objects by image, in the order of the CSV within each; images without any are left out."""
    image, masks = np.array(columns.image, np.int64), _map_file(spill)
    order = np.argsort(image, kind='stable')
    ends = np.concatenate([[0], np.cumsum(np.array(columns.mask_bytes, np.int64))])
    if (np.diff(image) < 0).any():
        masks = _reorder(masks, ends, order, grouped)
    lengths, counts = np.diff(ends)[order], np.array(columns.attribute_count, np.int64)
    first = np.concatenate([[0], np.cumsum(counts)])[:-1]
    counts, first = counts[order], first[order]
    attribute_ends = np.concatenate([[0], np.cumsum(counts)])
    picked = np.repeat(first - attribute_ends[:-1], counts) + np.arange(attribute_ends[-1])
    objects = pa.StructArray.from_arrays(
        [
            pa.array(np.array(columns.category, np.int16)[order]),
            pa.LargeListArray.from_arrays(attribute_ends, pa.array(np.array(columns.attribute, np.int16)[picked])),
            pa.FixedSizeListArray.from_arrays(np.array(columns.box, np.int32).reshape(-1, 4)[order].ravel(), 4),
            pa.array(np.array(columns.area, np.int64)[order]),
            pa.LargeBinaryArray.from_buffers(
                pa.large_binary(),
                len(order),
                [None, pa.py_buffer(np.concatenate([[0], np.cumsum(lengths)])), pa.py_buffer(masks)],
            ),
        ],
        fields=list(OBJECT),
    )
    kept, counts = np.unique(image, return_counts=True)
    image_ids, sizes = list(columns.image_ids), np.array(columns.sizes, np.int32).reshape(-1, 2)[kept]
    return pa.record_batch(
        [
            pa.array([image_ids[position] for position in kept], pa.large_string()),
            pa.array(sizes[:, 0]),
            pa.array(sizes[:, 1]),
            pa.array(np.array(columns.first_row, np.int64)[kept]),
            pa.LargeListArray.from_arrays(np.concatenate([[0], np.cumsum(counts)]), objects),
        ],
        schema=SCHEMA,
    )


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
