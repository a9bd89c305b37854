"""Checks of a dump's file: images, columns, their types, the range of their values."""

import os
from collections.abc import Iterator
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fashion_mmdet.classes import ATTRIBUTES, CATEGORIES
from fashion_mmdet.datasets.audit import is_size_possible
from fashion_mmdet.utils.json_files import COUNT, TEXT

OPTIONAL = 'attribute_probs'  # older dumps lack the column
KINDS = (
    ('whole numbers', pa.types.is_integer),
    ('fractions', pa.types.is_floating),
    ('text', lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind)),
    ('bytes', lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind)),
)
ONE, MINUS_ZERO = 0x3C00, 0x8000  # bits of float16: those of 0 to 1 ascend as the numbers do


def check_images(images: object, where: str) -> list[tuple[str, int, int]]:
    """Return the images that a dump lists; ValueError names one that is not (image id, height, width), or repeated.

    An image id that leads out of the photos' folder is refused: overlays are drawn on the photo that it names.
    """
    if not isinstance(images, list):
        raise ValueError(f'{where}: images is no list')
    seen: set[str] = set()
    for image in images:
        if not (
            isinstance(image, list)
            and len(image) == 3
            and TEXT.holds(image[0])
            and all(COUNT.holds(side) for side in image[1:])
            and is_size_possible(*image[1:])
        ):
            raise ValueError(f'{where}: images: {image!r:.80} is not [image id, height, width]')
        path = PurePosixPath(image[0])
        if not path.name or path.is_absolute() or '..' in path.parts:
            raise ValueError(f'{where}: images: {image[0]!r:.80} is no name in a folder')
        if image[0] in seen:
            raise ValueError(f'{where}: images: {image[0]!r} comes twice')
        seen.add(image[0])
    return [tuple(image) for image in images]


def check_columns(found: pa.Schema, wanted: pa.Schema, path: str | os.PathLike) -> None:
    """Raise ValueError, naming the column, unless a file has each wanted one once, with values of its kind."""
    for field in wanted:
        count = found.names.count(field.name)
        if not count and field.name == OPTIONAL:
            continue
        if count != 1:
            raise ValueError(f'{path}: {f"{count} columns" if count else "no column"} {field.name}')
        name, holds = next(kind for kind in KINDS if kind[1](field.type))
        if not holds(found.field(field.name).type):
            raise ValueError(f'{path}: column {field.name}: {found.field(field.name).type}, not {name}')


def check_values(
    table: pa.Table, schema: pa.Schema, path: str | os.PathLike, first_row: int = 0
) -> dict[str, pa.Array]:
    """Check the rows of a table and return its columns, each in one chunk, cast to the schema's types.

    Args:
        table: with checked columns.
        schema: of a dump.
        path, first_row: file and row of the table, for the error.

    Raises:
        ValueError: names column and row, counted from 0.
    """
    columns = {}
    for field in schema:
        if field.name in table.column_names:
            try:
                # Large binary: one chunk may hold more than 2 GB.
                kind = pa.large_binary() if pa.types.is_binary(field.type) else field.type
                columns[field.name] = table[field.name].cast(kind).combine_chunks()
            except pa.ArrowInvalid as error:
                raise ValueError(f'{path}: column {field.name}: {error}') from None
            if columns[field.name].null_count and field.name != OPTIONAL:
                raise ValueError(f'{path}: column {field.name}: has empty values')
    for name, right, what in _rules(columns):
        if not right.all():
            row = int(np.argmin(right))
            value = columns[name][row].as_py()
            shown = f'{len(value)} bytes' if isinstance(value, bytes) else repr(value)
            raise ValueError(f'{path}: column {name}, row {first_row + row}: {shown}; {what}')
    return columns


def _rules(columns: dict[str, pa.Array]) -> Iterator[tuple[str, np.ndarray, str]]:
    """Yield column, (N,) bool whether each row is valid, and the rule in words."""
    numbers = {
        name: column.to_numpy(zero_copy_only=False)
        for name, column in columns.items()
        if not pa.types.is_large_binary(column.type)
    }
    category, score, side = (numbers[name] for name in ('category', 'score', 'mask_side'))
    yield 'category', (category >= 0) & (category < len(CATEGORIES)), f'category ids are 0 to {len(CATEGORIES) - 1}'
    yield 'score', (score >= 0) & (score <= 1), 'scores are 0 to 1'
    for name in ('x1', 'y1', 'x2', 'y2'):
        yield name, np.isfinite(numbers[name]), 'boxes are finite'
    image = numbers['image_id']
    for name in ('height', 'width', 'mask_side'):
        yield name, numbers[name] > 0, 'sizes are positive'
        consistent = np.ones(len(image), bool)
        consistent[1:] = (image[1:] != image[:-1]) | (numbers[name][1:] == numbers[name][:-1])
        yield name, consistent, 'another one than in the row above, of the same image'
    yield from _byte_rules('mask', columns['mask'], 2 * side.astype(np.int64) ** 2, 'mask_side x mask_side')
    if OPTIONAL in columns:
        yield from _byte_rules(OPTIONAL, columns[OPTIONAL], np.full(len(side), 2 * len(ATTRIBUTES)), len(ATTRIBUTES))


def _byte_rules(
    name: str, column: pa.LargeBinaryArray, sizes: np.ndarray, what: object
) -> Iterator[tuple[str, np.ndarray, str]]:
    """Yield the rules of float16 probabilities stored as bytes; null passes."""
    lengths = pc.binary_length(column).fill_null(-1).to_numpy(zero_copy_only=False)
    yield name, (lengths == sizes) | (lengths < 0), f'{what} float16 numbers are wanted'
    if not lengths.clip(0).any():
        return
    data, bounds = split_bytes(column, np.uint16)
    right = np.full(len(column), True)
    if data.max() > ONE:  # rare, so the search may take its time
        wrong = np.flatnonzero((data > ONE) & (data != MINUS_ZERO))
        right[np.searchsorted(bounds[1:], wrong, side='right')] = False
    yield name, right, 'probabilities are 0 to 1'


def split_bytes(column: pa.LargeBinaryArray, dtype: type) -> tuple[np.ndarray, np.ndarray]:
    """Return a column's two-byte numbers, all in one array, and the (N + 1,) bounds of each row's; null has none."""
    bounds = np.frombuffer(column.buffers()[1], np.int64)[column.offset : column.offset + len(column) + 1]
    data = np.frombuffer(column.buffers()[2] or b'', np.uint8)[bounds[0] : bounds[-1]]
    return data.view(dtype), (bounds - bounds[0]) // 2
