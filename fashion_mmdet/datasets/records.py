"""Read the competition's train.csv row by row, check it, and give images with their objects."""

import os
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from fashion_mmdet.classes import NUM_ATTRIBUTES, NUM_CATEGORIES, NUM_MAIN_CATEGORIES, parse_class_id
from fashion_mmdet.datasets.audit import Audit, is_size_possible
from fashion_mmdet.datasets.images import is_safe_id
from fashion_mmdet.datasets.layouts import ATTRIBUTES_COLUMN, LABELS, join_class_id, read_attribute_ids
from fashion_mmdet.masks import rle

COLUMNS = ('ImageId', 'EncodedPixels', 'Height', 'Width', 'ClassId')
SUBMISSION_COLUMNS = ('ImageId', 'EncodedPixels', 'ClassId')


@dataclass(frozen=True, slots=True)
class Instance:
    """An object: category id, attribute ids (ascending), COCO RLE, box x1 y1 x2 y2 in pixels, score if predicted."""

    category: int
    attributes: tuple[int, ...]
    mask: dict
    bbox: tuple[int, int, int, int]
    score: float | None = None


@dataclass(slots=True)
class Record:
    """An annotated image; height and width in pixels, as the CSV has them."""

    image_id: str
    height: int
    width: int
    instances: list[Instance] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the CSV as the audit left it: category id, attribute ids (ascending), runs of at least one pixel."""

    category: int
    attributes: tuple[int, ...]
    runs: rle.Runs


class RowText(NamedTuple):
    """A row of the CSV before its check, with what follows from the rows above it.

    Attributes:
        number: number of its line, from 0 at line 2.
        image_id, pixels: as in the CSV.
        class_id: in 2019's layout, see `layouts.join_class_id`.
        size: height and width in pixels.
        first_size: height and width in the image's first row.
        is_duplicate: a row above is the same.
    """

    number: int
    image_id: str
    pixels: str
    class_id: str
    size: tuple[int, int]
    first_size: tuple[int, int]
    is_duplicate: bool


def to_instance(row: Row, height: int, width: int) -> Instance:
    """Convert a checked row of an image of that size to an object with box and COCO RLE."""
    return Instance(
        row.category,
        row.attributes,
        mask=rle.runs_to_coco(row.runs, height, width),
        bbox=rle.bounding_box(row.runs, height),
    )


def read_table(path: str | os.PathLike, columns: tuple[str, ...], chunk_rows: int = 20_000) -> Iterator[pd.DataFrame]:
    """Read a CSV of the competition in chunks of text columns, without blank lines; line 2 has the index 0.

    Raises:
        ValueError: empty, not a CSV, or without the columns; names the file.
        FileNotFoundError: no such file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path}: no such file')
    try:
        with pd.read_csv(
            path, dtype=str, keep_default_na=False, chunksize=chunk_rows, skip_blank_lines=False
        ) as reader:  # blank lines are dropped below: pandas would not count them
            lines = rows = 0
            for chunk in reader:
                _check_columns(path, list(chunk.columns), columns)
                if not isinstance(chunk.index, pd.RangeIndex):  # pandas then takes the first value for a row label
                    raise ValueError(f'{path}:{lines + 2}: more values than the {len(chunk.columns)} columns of line 1')
                lines += len(chunk)
                chunk = chunk[(chunk != '').any(axis=1)]
                rows += len(chunk)
                if len(chunk):
                    yield chunk
    except pd.errors.EmptyDataError:
        raise ValueError(f'{path}: the file is empty; expected the columns {",".join(columns)}') from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise ValueError(f'{path}: not a CSV with the columns {",".join(columns)}: {error}') from None
    if not rows:
        _check_columns(path, list(pd.read_csv(path, nrows=0).columns), columns)
        raise ValueError(f'{path}:2: no rows after the header')


def _check_columns(path: str | os.PathLike, found: list[str], wanted: tuple[str, ...]) -> None:
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ValueError(
            f'{path}:1: no column {missing[0]!r}; found {",".join(map(str, found))[:80]!r}, expected {",".join(wanted)}'
        )


def read_image_ids(path: str | os.PathLike) -> list[str]:
    """List the images of a sample submission in order, each once."""
    return list(
        dict.fromkeys(image_id for chunk in read_table(path, SUBMISSION_COLUMNS) for image_id in chunk['ImageId'])
    )


def read_records(path: str | os.PathLike) -> tuple[list[Record], Audit]:
    """Read and check a train.csv, row by row in this process; `index_store.open_index` is the fast way.

    Returns:
        Records in order of first appearance, and the audit (see `audit.RULES` for what becomes of bad rows).

    Raises:
        ValueError: the file is not this CSV at all; names file, line and value.
        FileNotFoundError: no such file.
    """
    audit = Audit()
    records: dict[str, Record] = {}
    for record, row in read_rows(path, audit):
        records[record.image_id] = record
        if row is not None:
            record.instances.append(to_instance(row, record.height, record.width))
    return [record for record in records.values() if record.instances], audit


def read_rows(path: str | os.PathLike, audit: Audit) -> Iterator[tuple[Record, Row | None]]:
    """Read and check a train.csv row by row, holding one chunk of its text and no mask; errors as `read_records`.

    Args:
        path: CSV to read.
        audit: takes the problems, those of whole images after the last row.

    Yields:
        The image of every row (the same `Record` for an image, without instances) and what the row annotates; None
        where the audit drops it.
    """
    records: dict[str, Record] = {}
    annotated: set[str] = set()
    for text in screen_rows(path):
        record = records.setdefault(text.image_id, Record(text.image_id, *text.first_size))
        row = check_row(path, text, audit)
        if row is not None:
            annotated.add(text.image_id)
        yield record, row
    audit_images(path, records, annotated, audit)


def screen_rows(path: str | os.PathLike) -> Iterator[RowText]:
    """Read a train.csv row by row, with what a row alone does not tell; memory and errors as `read_rows`."""
    sizes: dict[str, tuple[int, int]] = {}
    seen: set[int] = set()
    attribute_ids: dict[str, str] | None = None
    for chunk in read_table(path, COLUMNS):
        attributes = chunk[ATTRIBUTES_COLUMN] if ATTRIBUTES_COLUMN in chunk else repeat('', len(chunk))
        if attribute_ids is None:
            attribute_ids = read_attribute_ids(Path(path).with_name(LABELS)) if ATTRIBUTES_COLUMN in chunk else {}
        for number, image_id, pixels, height, width, category, more in zip(
            chunk.index, *(chunk[column] for column in COLUMNS), attributes, strict=True
        ):
            where = f'{path}:{number + 2}'  # the header is line 1
            size = _read_length(where, 'Height', height), _read_length(where, 'Width', width)
            first_size, class_id = sizes.setdefault(image_id, size), join_class_id(category, more, attribute_ids)
            is_duplicate = False
            if size == first_size:  # a row that is dropped for its size makes no other row a duplicate
                key = hash((image_id, pixels, class_id))
                is_duplicate = key in seen
                seen.add(key)
            yield RowText(number, image_id, pixels, class_id, size, first_size, is_duplicate)


def audit_images(path: str | os.PathLike, image_ids: Iterable[str], annotated: Container[str], audit: Audit) -> None:
    """Add to the audit the images of the CSV at `path` that have lost all their rows."""
    for image_id in image_ids:
        if image_id not in annotated:
            audit.add('image_without_rows', f'{path}: {image_id}')


def _read_length(where: str, name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) == 0:
        raise ValueError(f'{where}: {name} {text[:40]!r} is no positive whole number of up to 9 digits')
    return int(text)


def check_row(path: str | os.PathLike, text: RowText, audit: Audit) -> Row | None:
    """Check one row; None where the audit drops it."""
    where, class_id = f'{path}:{text.number + 2}', text.class_id
    height, width = text.first_size
    if not is_safe_id(text.image_id):
        audit.add('unsafe_image_id', f'{where}: {text.image_id[:80]!r}')
        return None
    if text.size != text.first_size:
        audit.add('size_conflict', f'{where}: {text.size[0]}x{text.size[1]} after {height}x{width}')
        return None
    if not is_size_possible(height, width):
        audit.add('size_too_large', f'{where}: {height}x{width}')
        return None
    if text.is_duplicate:
        audit.add('duplicate_row', f'{where}: {text.image_id} {class_id}')
        return None
    try:
        category, attributes = parse_class_id(class_id)
    except ValueError:
        category, attributes = -1, ()
    if not 0 <= category < NUM_CATEGORIES:
        audit.add('unknown_category', f'{where}: ClassId {class_id!r}')
        return None
    runs = check_runs(where, text.pixels, height, width, audit)
    if runs is None:
        return None
    return Row(category, _check_attributes(where, class_id, category, attributes, audit), runs)


def _check_attributes(
    where: str, class_id: str, category: int, attributes: tuple[int, ...], audit: Audit
) -> tuple[int, ...]:
    if attributes and category >= NUM_MAIN_CATEGORIES:
        audit.add('attribute_on_part', f'{where}: ClassId {class_id!r}')
        return ()
    known = tuple(attribute for attribute in attributes if attribute < NUM_ATTRIBUTES)
    for attribute in attributes:
        if attribute >= NUM_ATTRIBUTES:
            audit.add('unknown_attribute', f'{where}: attribute {attribute} in ClassId {class_id!r}')
    return known


def check_runs(where: str, pixels: str, height: int, width: int, audit: Audit) -> rle.Runs | None:
    """Read the runs of a row and repair what can be repaired; None where the audit drops the row."""
    try:
        starts, lengths = rle.parse_kaggle(pixels)
    except ValueError as error:
        audit.add('runs_malformed', f'{where}: {error}')
        return None
    if starts.size == 0:
        audit.add('empty_mask', where)
        return None
    if (lengths <= 0).any():
        audit.add('runs_malformed', f'{where}: a run of length {lengths.min()}')
        return None
    last = rle.last_pixel(starts, lengths)
    if starts.min() < 0 or last > height * width:
        outside = starts.min() + 1 if starts.min() < 0 else int(last)
        audit.add('runs_outside_image', f'{where}: pixel {outside} of {height * width} ({height}x{width})')
        return None
    ends = starts + lengths
    if (np.diff(starts) < 0).any():
        audit.add('runs_unsorted', where)
        order = np.argsort(starts, kind='stable')
        starts, ends = starts[order], ends[order]
    if (starts[1:] < ends[:-1]).any():
        audit.add('runs_overlapping', where)
    return rle.merge_runs(starts, ends)
