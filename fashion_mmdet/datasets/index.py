"""The index of a train.csv: parsed once, memory-mapped by every process that reads it.

A sealed file (`utils.files`) with one Arrow record batch, a row per image, its objects in a list column; the audit
and the CSV's hash are in the schema's metadata. Uncompressed, so that an image's masks are a slice of the file and
processes share its pages.
"""

import json
import os
from collections.abc import Iterable
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from fashion_mmdet.classes import NUM_ATTRIBUTES, NUM_CATEGORIES
from fashion_mmdet.datasets.audit import Audit
from fashion_mmdet.datasets.records import Instance, Record
from fashion_mmdet.utils.files import read_sealed

FORMAT = 2
META_KEY = b'fashion_mmdet.index'
OBJECT = pa.struct(
    [
        ('category', pa.int16()),
        ('attributes', pa.large_list(pa.int16())),
        ('box', pa.list_(pa.int32(), 4)),
        ('area', pa.int64()),
        ('mask', pa.large_binary()),
    ]
)
SCHEMA = pa.schema(
    [
        ('image_id', pa.large_string()),
        ('height', pa.int32()),
        ('width', pa.int32()),
        ('first_row', pa.int64()),
        ('instances', pa.large_list(OBJECT)),
    ]
)


def to_metadata(csv_hash: str, audit: Audit, csv: str | os.PathLike) -> dict[bytes, bytes]:
    """Write the hash of a CSV's content (`layouts.content_key`) and its audit, without its path, for a schema."""
    cut = len(os.fspath(csv))
    examples = {kind: [where[cut:] for where in kept] for kind, kept in audit.examples.items()}
    meta = dict(format=FORMAT, csv_hash=csv_hash, counts=audit.counts, examples=examples)
    return {META_KEY: json.dumps(meta).encode()}


def read_batch(path: str | os.PathLike, check: bool = True) -> tuple[pa.RecordBatch, dict]:
    """Map an index into memory.

    Args:
        path: index to read.
        check: make sure that it is whole, which reads all of it.

    Returns:
        The batch, and its metadata: csv_hash, counts and examples.

    Raises:
        FileNotFoundError: no such file.
        ValueError: damaged, another kind of file, or of another format.
    """
    content = read_sealed(path, check)
    try:
        reader = pa.ipc.open_file(pa.py_buffer(content))
        meta = json.loads((reader.schema.metadata or {}).get(META_KEY, b'{}'))
        if meta.pop('format', None) != FORMAT or reader.num_record_batches != 1:
            raise ValueError('no index of this format')
        if not reader.schema.equals(SCHEMA) or set(meta) != {'csv_hash', 'counts', 'examples'}:
            raise ValueError('an index with other columns')
        batch = reader.get_batch(0)
        batch.validate(full=check)  # a seal keeps damage out, not what somebody sealed
        return batch, meta
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise ValueError(f'{path}: not an index of a train.csv: {error}') from None


def empty_batch(image_ids: list[str], sizes: list[tuple[int, int]]) -> pa.RecordBatch:
    """Make the batch of images without objects; sizes are height and width in pixels."""
    heights, widths = np.array(sizes, np.int32).reshape(-1, 2).T
    instances = pa.LargeListArray.from_arrays(np.zeros(len(image_ids) + 1, np.int64), pa.array([], OBJECT))
    columns = [pa.array(image_ids, pa.large_string()), heights, widths, np.arange(len(image_ids)), instances]
    return pa.record_batch(columns, schema=SCHEMA)


class Index:
    """The N images and M objects of a train.csv, looked up by position.

    The arrays are views of the mapped file. It pickles as its path, so that a worker maps the same pages.

    Args:
        batch: batch of `read_batch` or `empty_batch`.
        audit: what is wrong with the CSV.
        path: file behind the batch; None where there is none.
        csv_hash: hash of the CSV's content.

    Attributes:
        heights, widths: (N,) int32, pixels, as the CSV has them.
        first_rows: (N,) int64, the line of the CSV, from 0 at line 2, in which an image first appears.
        offsets: (N + 1,) int64; image i has the objects `offsets[i]` to `offsets[i + 1]`.
        categories: (M,) int16, ids.
        boxes: (M, 4) int32, x1 y1 x2 y2 in pixels, the right and lower edges exclusive.
        areas: (M,) int64, pixels.
    """

    def __init__(self, batch: pa.RecordBatch, audit: Audit, path: Path | None = None, csv_hash: str = '') -> None:
        self.path, self.audit, self.csv_hash, self._batch = path, audit, csv_hash, batch
        self._image_ids = batch.column('image_id')
        self.heights, self.widths, self.first_rows = (
            batch.column(name).to_numpy() for name in ('height', 'width', 'first_row')
        )
        self.offsets = batch.column('instances').offsets.to_numpy()
        objects = batch.column('instances').values
        attributes, masks = objects.field('attributes'), objects.field('mask')
        self.categories, self.areas = objects.field('category').to_numpy(), objects.field('area').to_numpy()
        self.boxes = objects.field('box').values.to_numpy().reshape(-1, 4)
        self._attributes, self._attribute_offsets = attributes.values.to_numpy(), attributes.offsets.to_numpy()
        _, offsets, data = masks.buffers()
        self._mask_offsets = np.frombuffer(offsets, np.int64, len(masks) + 1) if len(masks) else np.zeros(1, np.int64)
        self._masks = memoryview(data if data is not None else b'')

    @classmethod
    def open(cls, path: str | os.PathLike, csv: str | os.PathLike) -> 'Index':
        """Map the index at `path`; `csv` is the file that its audit names. Errors as `read_batch`."""
        batch, meta = read_batch(path)
        audit = Audit()
        audit.counts.update(meta['counts'])
        audit.examples = {kind: [f'{csv}{example}' for example in meta['examples'][kind]] for kind in meta['counts']}
        return cls(batch, audit, Path(path), meta['csv_hash'])

    def __len__(self) -> int:
        return len(self.heights)

    def image_id(self, position: int) -> str:
        """Return the ImageId at a position."""
        return self._image_ids[int(position)].as_py()

    @cached_property
    def _positions(self) -> dict[str, int]:  # some 5 MB for 45,625 images
        return {image_id: position for position, image_id in enumerate(self._image_ids.to_pylist())}

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._positions

    def find(self, image_id: str) -> Record:
        """Read an image and its objects by ImageId; KeyError where there is none."""
        return self.record(self._positions[image_id])

    def categories_of(self, position: int) -> list[int]:
        """List the category ids of an image's objects."""
        return self.categories[self.offsets[position] : self.offsets[position + 1]].tolist()

    def instances(self, position: int) -> list[Instance]:
        """Read an image's objects, in the order of the CSV."""
        first, last = self.offsets[position : position + 2].tolist()
        size = [int(self.heights[position]), int(self.widths[position])]
        attribute_ends = self._attribute_offsets[first : last + 1].tolist()
        mask_ends = self._mask_offsets[first : last + 1].tolist()
        return [
            Instance(
                category,
                tuple(self._attributes[start:stop].tolist()),
                dict(size=list(size), counts=str(self._masks[begin:end], 'ascii')),
                tuple(box),
            )
            for category, box, (start, stop), (begin, end) in zip(
                self.categories[first:last].tolist(),
                self.boxes[first:last].tolist(),
                pairwise(attribute_ends),
                pairwise(mask_ends),
                strict=True,
            )
        ]

    def record(self, position: int) -> Record:
        """Read an image and its objects."""
        return Record(
            self.image_id(position), int(self.heights[position]), int(self.widths[position]), self.instances(position)
        )

    def labels(self) -> np.ndarray:
        """Tell which categories each image holds; (N, 46) bool."""
        labels = np.zeros((len(self), NUM_CATEGORIES), bool)
        labels[np.repeat(np.arange(len(self)), np.diff(self.offsets)), self.categories] = True
        return labels

    def attribute_marks(self) -> np.ndarray:
        """Tell which attributes each object has; (M, 92) bool."""
        marks = np.zeros((len(self.categories), NUM_ATTRIBUTES), bool)
        marks[np.repeat(np.arange(len(marks)), np.diff(self._attribute_offsets)), self._attributes] = True
        return marks

    def objects_of(self, image_ids: Iterable[str]) -> np.ndarray:
        """Tell which objects lie in the images of those names; (M,) bool."""
        chosen = np.zeros(len(self), bool)
        chosen[[self._positions[image_id] for image_id in image_ids]] = True
        return np.repeat(chosen, np.diff(self.offsets))

    def __deepcopy__(self, memo: dict) -> 'Index':
        return self

    def __reduce__(self) -> tuple:
        if self.path is None:
            return Index, (self._batch, self.audit)
        return _reopen, (self.path, self.audit, self.csv_hash)


def _reopen(path: Path, audit: Audit, csv_hash: str) -> Index:
    batch, meta = read_batch(path, check=False)  # the process that pickled it has checked it
    if meta['csv_hash'] != csv_hash:
        raise ValueError(f'{path}: rebuilt from another CSV since this process started; start again')
    return Index(batch, audit, path, csv_hash)
