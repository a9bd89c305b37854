"""Raw predictions on disk: one Parquet file, a row a detection, written while testing and read in passes. No torch.

Columns: image_id, height, width, category, score, x1, y1, x2, y2, mask_side, mask (mask_side * mask_side float16, row
by row), attribute_probs (92 float16; null without an attribute head). `pandas.read_parquet` reads it. The file's
metadata holds the images in order (those without a detection too), the config and the checkpoint.
"""

import json
import os
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fashion_mmdet.evaluation.predictions import RawPrediction, check_raw, empty_prediction
from fashion_mmdet.files import atomic_path

SCHEMA = pa.schema([
    ('image_id', pa.string()), ('height', pa.int32()), ('width', pa.int32()), ('category', pa.int16()),
    ('score', pa.float32()), ('x1', pa.float32()), ('y1', pa.float32()), ('x2', pa.float32()), ('y2', pa.float32()),
    ('mask_side', pa.int16()), ('mask', pa.binary()), ('attribute_probs', pa.binary()),
])
META_KEY = b'fashion_mmdet'
IMAGES_A_GROUP = 64  # some 5 MB of masks in memory


@dataclass(frozen=True)
class DumpInfo:
    """What a dump says of itself: the config's text, the checkpoint's path, (image_id, height, width) in order."""

    config: str
    checkpoint: str
    images: list[tuple[str, int, int]]


class DumpWriter:
    """Writes raw predictions as they come; the file stands under its name only after `close`.

    Args:
        path: of the Parquet file.
        config: the run's config as text.
        checkpoint: where the weights came from.
    """

    def __init__(self, path: str | os.PathLike, config: str = '', checkpoint: str = '') -> None:
        self._file = atomic_path(path)
        temporary = self._file.__enter__()
        self._discard = weakref.finalize(self, self._file.__exit__, GeneratorExit, GeneratorExit(), None)
        self._config, self._checkpoint = config, checkpoint
        self._images: list[tuple[str, int, int]] = []
        self._pending: list[RawPrediction] = []
        self._writer = pq.ParquetWriter(temporary, SCHEMA, compression='zstd')

    def write(self, raw: RawPrediction) -> None:
        """Append one image."""
        self._images.append((raw.image_id, raw.height, raw.width))
        self._pending.append(raw)
        if len(self._pending) >= IMAGES_A_GROUP:
            self._flush()

    def close(self) -> None:
        """Write the rest and the metadata and give the file its name."""
        self._flush()
        info = dict(config=self._config, checkpoint=self._checkpoint, images=self._images)
        self._writer.add_key_value_metadata({META_KEY: json.dumps(info).encode()})
        self._writer.close()
        self._discard.detach()
        self._file.__exit__(None, None, None)

    def _flush(self) -> None:
        if self._pending:
            self._writer.write_table(_to_table(self._pending))
            self._pending = []


def _to_table(raws: Sequence[RawPrediction]) -> pa.Table:
    counts = [len(raw.scores) for raw in raws]
    boxes = np.concatenate([raw.boxes for raw in raws]).astype(np.float32)
    sides = [raw.mask_probs.shape[-1] for raw in raws]
    masks = [probs.astype(np.float16).tobytes() for raw in raws for probs in raw.mask_probs]
    attributes = [row for raw in raws for row in _attribute_rows(raw)]
    return pa.table([
        np.repeat([raw.image_id for raw in raws], counts), np.repeat([raw.height for raw in raws], counts),
        np.repeat([raw.width for raw in raws], counts), np.concatenate([raw.categories for raw in raws]),
        np.concatenate([raw.scores for raw in raws]), *boxes.T.copy(), np.repeat(sides, counts), masks,
        pa.array(attributes, pa.binary()),
    ], names=SCHEMA.names).cast(SCHEMA)


def _attribute_rows(raw: RawPrediction) -> list[bytes | None]:
    if raw.attribute_probs is None:
        return [None] * len(raw.scores)
    return [probs.tobytes() for probs in raw.attribute_probs.astype(np.float16)]


def read_info(path: str | os.PathLike) -> DumpInfo:
    """Read a dump's metadata.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a dump of raw predictions.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path}: no such dump')
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except pa.ArrowInvalid as error:
        raise ValueError(f'{path}: not a Parquet file: {error}') from None
    if META_KEY not in metadata:
        raise ValueError(f'{path}: a Parquet file, but no dump of raw predictions')
    info = json.loads(metadata[META_KEY])
    return DumpInfo(info['config'], info['checkpoint'], [tuple(image) for image in info['images']])


def read_dump(path: str | os.PathLike) -> Iterator[RawPrediction]:
    """Read a dump image by image in the order of testing, holding one row group at a time.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a dump of raw predictions, or one that holds what none may (`predictions.check_raw`).
    """
    for raw in _read_images(path):
        try:
            check_raw(raw)
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from None
        yield raw


def _read_images(path: str | os.PathLike) -> Iterator[RawPrediction]:
    images = iter(read_info(path).images)
    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):
        for raw in _from_table(file.read_row_group(group)):
            for image_id, height, width in images:
                if image_id == raw.image_id:
                    break
                yield empty_prediction(image_id, height, width)
            yield raw
    for image_id, height, width in images:
        yield empty_prediction(image_id, height, width)


def _from_table(table: pa.Table) -> Iterator[RawPrediction]:
    if not table.num_rows:
        return
    ids = table['image_id'].to_numpy()
    heights, widths, sides = (table[name].to_numpy() for name in ('height', 'width', 'mask_side'))
    categories, scores = table['category'].to_numpy().astype(np.int64), table['score'].to_numpy()
    boxes = np.stack([table[name].to_numpy() for name in ('x1', 'y1', 'x2', 'y2')], axis=1)
    masks = table['mask']
    starts = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
    for start, stop in zip(starts, [*starts[1:], len(ids)], strict=True):
        rows = slice(start, stop)
        side = int(sides[start])
        probs = np.frombuffer(b''.join(masks[int(row)].as_py() for row in range(start, stop)), np.float16)
        yield RawPrediction(str(ids[start]), int(heights[start]), int(widths[start]), categories[rows], scores[rows],
                            boxes[rows], probs.reshape(stop - start, side, side), _attribute_probs(table, start, stop))


def _attribute_probs(table: pa.Table, start: int, stop: int) -> np.ndarray | None:
    """Read the attributes of one image's rows; dumps from before there were any lack the column."""
    if 'attribute_probs' not in table.column_names:
        return None
    rows = table['attribute_probs'].slice(start, stop - start).to_pylist()
    return None if None in rows else np.frombuffer(b''.join(rows), np.float16).reshape(stop - start, -1)
