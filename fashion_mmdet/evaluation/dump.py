"""Raw predictions on disk: one Parquet file with one row per detection, written while testing, read image by image.

Columns: image_id, height, width, category, score, x1, y1, x2, y2, mask_side, mask (mask_side * mask_side float16,
row-major), attribute_probs (92 float16; null without an attribute head). `pandas.read_parquet` reads it. The file's
metadata holds the images in order (those without a detection too), the config and the checkpoint.
"""

import contextlib
import json
import os
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fashion_mmdet.evaluation.dump_check import OPTIONAL, check_columns, check_images, check_values, split_bytes
from fashion_mmdet.evaluation.predictions import RawPrediction, empty_prediction
from fashion_mmdet.utils.files import atomic_path
from fashion_mmdet.utils.json_files import TEXT, parse_object

SCHEMA = pa.schema(
    [('image_id', pa.string()), ('height', pa.int32()), ('width', pa.int32()), ('category', pa.int16())]
    + [(name, pa.float32()) for name in ('score', 'x1', 'y1', 'x2', 'y2')]
    + [('mask_side', pa.int16()), ('mask', pa.binary()), ('attribute_probs', pa.binary())]
)
META_KEY = b'fashion_mmdet'
IMAGES_A_GROUP = 64  # some 5 MB of masks in memory


@dataclass(frozen=True)
class DumpInfo:
    """Metadata of a dump: the config's text, the checkpoint's path, (image_id, height, width) in order."""

    config: str
    checkpoint: str
    images: list[tuple[str, int, int]]


class DumpWriter:
    """Write raw predictions as they come; the file gets its name only in `close`.

    Args:
        path: Parquet file to write.
        config: the training's config as text.
        checkpoint: where the weights came from.
    """

    def __init__(self, path: str | os.PathLike, config: str = '', checkpoint: str = '') -> None:
        self._file = atomic_path(path)
        temporary = self._file.__enter__()
        self._discard = weakref.finalize(self, self._file.__exit__, GeneratorExit, GeneratorExit(), None)
        self._config, self._checkpoint = config, checkpoint
        self._images: list[tuple[str, int, int]] = []
        self._pending: list[RawPrediction] = []
        self._writer = pq.ParquetWriter(temporary, SCHEMA, compression='zstd', write_page_checksum=True)

    def write(self, raw: RawPrediction) -> None:
        """Append one image."""
        self._images.append((raw.image_id, raw.height, raw.width))
        self._pending.append(raw)
        if len(self._pending) >= IMAGES_A_GROUP:
            self._flush()

    def close(self) -> None:
        """Write the rest and the metadata, and give the file its name."""
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
    images = [(raw.image_id, raw.height, raw.width, raw.mask_probs.shape[-1]) for raw in raws]
    ids, heights, widths, sides = (np.repeat(values, counts) for values in zip(*images, strict=True))
    categories, scores, boxes = (
        np.concatenate([getattr(raw, name) for raw in raws]) for name in ('categories', 'scores', 'boxes')
    )
    masks = [probs.astype(np.float16).tobytes() for raw in raws for probs in raw.mask_probs]
    attributes = pa.array([row for raw in raws for row in _attribute_rows(raw)], pa.binary())
    corners = boxes.astype(np.float32).T.copy()
    columns = [ids, heights, widths, categories, scores, *corners, sides, masks, attributes]
    return pa.table(columns, names=SCHEMA.names).cast(SCHEMA)


def _attribute_rows(raw: RawPrediction) -> list[bytes | None]:
    if raw.attribute_probs is None:
        return [None] * len(raw.scores)
    return [probs.tobytes() for probs in raw.attribute_probs.astype(np.float16)]


def read_info(path: str | os.PathLike) -> DumpInfo:
    """Read a dump's metadata.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a dump of raw predictions, or one that lists no proper images.
    """
    with _open(path) as file:
        metadata = file.metadata.metadata or {}
    if META_KEY not in metadata:
        raise ValueError(f'{path}: a Parquet file, but no dump of raw predictions')
    where, fields = f'{path}: metadata', {'config': TEXT, 'checkpoint': TEXT}
    info = parse_object(metadata[META_KEY], where, fields, fields)
    return DumpInfo(info['config'], info['checkpoint'], check_images(info.get('images'), where))


def _open(path: str | os.PathLike) -> pq.ParquetFile:
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path}: no such dump')
    with _naming(path):
        return pq.ParquetFile(path, page_checksum_verification=True)


@contextlib.contextmanager
def _naming(path: str | os.PathLike) -> Iterator[None]:
    """Make Arrow's errors, some of which are an OSError or a UnicodeDecodeError, name the file."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        if getattr(error, 'errno', None):
            raise
        raise ValueError(f'{path}: not a Parquet file, or damaged: {error}') from None


def read_dump(path: str | os.PathLike) -> Iterator[RawPrediction]:
    """Read a dump image by image in the order of testing, holding one row group at a time.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a dump of raw predictions, or invalid columns or values; names file, column and row.
    """
    images = iter(read_info(path).images)
    with _open(path) as file:
        check_columns(file.schema_arrow, SCHEMA, path)
        first_row = 0
        for group in range(file.num_row_groups):
            with _naming(path):
                table = file.read_row_group(group)
            columns = check_values(table, SCHEMA, path, first_row)
            first_row += table.num_rows
            for raw in _from_columns(columns):
                for image_id, height, width in images:
                    if image_id == raw.image_id:
                        break
                    yield empty_prediction(image_id, height, width)
                else:
                    raise ValueError(
                        f'{path}: column image_id: the metadata does not list {raw.image_id!r}, or lists '
                        'it in another order'
                    )
                if (height, width) != (raw.height, raw.width):
                    raise ValueError(
                        f'{path}: columns height, width: {raw.image_id} has {raw.height}x{raw.width} '
                        f'pixels, {height}x{width} in the metadata'
                    )
                yield raw
    for image_id, height, width in images:
        yield empty_prediction(image_id, height, width)


def _from_columns(columns: dict[str, pa.Array]) -> Iterator[RawPrediction]:
    ids, heights, widths, sides, categories, scores = (
        columns[name].to_numpy(zero_copy_only=False)
        for name in ('image_id', 'height', 'width', 'mask_side', 'category', 'score')
    )
    if not len(ids):
        return
    categories = categories.astype(np.int64)
    boxes = np.stack([columns[name].to_numpy() for name in ('x1', 'y1', 'x2', 'y2')], axis=1)
    masks, bounds = split_bytes(columns['mask'], np.float16)
    starts = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
    for start, stop in zip(starts, [*starts[1:], len(ids)], strict=True):
        rows = slice(start, stop)
        side = int(sides[start])
        probs = masks[bounds[start] : bounds[stop]].reshape(stop - start, side, side)
        attributes = _attribute_probs(columns.get(OPTIONAL), start, stop)
        image = str(ids[start]), int(heights[start]), int(widths[start])
        yield RawPrediction(*image, categories[rows], scores[rows], boxes[rows], probs, attributes)


def _attribute_probs(column: pa.LargeBinaryArray | None, start: int, stop: int) -> np.ndarray | None:
    """Return the attributes of one image's rows; older dumps lack the column."""
    if column is None or column[start:stop].null_count:
        return None
    return split_bytes(column[start:stop], np.float16)[0].reshape(stop - start, -1)
