"""What a request to `/v1/similar` asks for, as a condition over the catalogue; no text of it is run as SQL."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from fashion_mmdet.catalogue.colours import css_colours
from fashion_mmdet.catalogue.filters import make_filter
from fashion_mmdet.classes import ATTRIBUTES, CATEGORIES
from fashion_mmdet.service import schemas
from fashion_mmdet.service.similar_schemas import SimilarOptions

Condition = tuple[str, dict[str, Any]]  # `where` and `values` of a search


def read_condition(options: SimilarOptions, schema: pa.Schema, in_stock: bool = False) -> Condition:
    """Write the condition for the garments of a catalogue that a request lets through.

    Args:
        options: of the request.
        schema: columns of the catalogue.
        in_stock: only those in stock, as the options' column says.

    Raises:
        ValueError: a name or column that does not exist, or a value that does not fit its column.
    """
    for kind, names, known in (
        ('category', [options.category] if options.category is not None else [], CATEGORIES),
        ('attribute', options.attribute, ATTRIBUTES),
        ('colour', options.colour, css_colours()[0]),
    ):
        for name in names:
            if name not in known:
                raise ValueError(f'{kind} {name!r}: there is none of that name')
    bounds = {name: read_bounds(getattr(options, name), schema) for name in ('equal', 'at_least', 'at_most')}
    if in_stock:
        name, least = options.in_stock, bounds['at_least']
        if not can_say_stock(name, schema):
            raise ValueError(f'in_stock: {name!r} is no column of truths or numbers; name one with in_stock=COLUMN')
        least[name] = max(1, least.get(name, 1))
    return make_filter(
        schema, category=options.category, attributes=options.attribute, colours=options.colour, **bounds
    )


def can_say_stock(name: str, schema: pa.Schema) -> bool:
    """Return whether a column holds truths or numbers, 1 and more for what is in stock."""
    kind = schema.field(name).type if name in schema.names else pa.null()
    return any(holds(kind) for holds in (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating))


def read_bounds(texts: Sequence[str], schema: pa.Schema) -> dict[str, Any]:
    """Read COLUMN=VALUE, each value as the column's type has it.

    Raises:
        ValueError: another form, no such column, a column twice, or a value that does not fit.
    """
    bounds: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition('=')
        if not sign:
            raise ValueError(f'{text!r}: write COLUMN=VALUE, such as price=50')
        if name not in schema.names:
            raise ValueError(f'{text!r}: no column {name!r}; the catalogue has {", ".join(schema.names)}')
        if name in bounds:
            raise ValueError(f'{text!r}: column {name!r} comes twice')
        kind = schema.field(name).type
        try:
            bounds[name] = pa.scalar(value).cast(kind.value_type if pa.types.is_dictionary(kind) else kind).as_py()
        except pa.ArrowException:
            raise ValueError(f'{text!r}: column {name!r} holds {kind}, {value!r} is none') from None
    return bounds


def choose(garments: Sequence[schemas.Garment], options: SimilarOptions) -> list[int]:
    """Choose the garments that a request asks for: one by number or box, else all; ValueError where there is none."""
    if options.garment is not None:
        if options.garment >= len(garments):
            raise ValueError(f'garment {options.garment}: the photo has {len(garments)}, numbered from 0')
        return [options.garment]
    if options.box is None:
        return list(range(len(garments)))
    asked = tuple(map(int, options.box.split(',')))
    overlaps = [_iou(asked, one.box) for one in garments]
    if not overlaps or max(overlaps) <= 0:
        raise ValueError(f'box {options.box}: no garment of the photo is there')
    return [int(np.argmax(overlaps))]


def _iou(one: Sequence[int], other: Sequence[int]) -> float:
    width, height = (max(min(one[i + 2], other[i + 2]) - max(one[i], other[i]), 0) for i in (0, 1))
    areas = [max(box[2] - box[0], 0) * max(box[3] - box[1], 0) for box in (one, other)]
    return width * height / max(sum(areas) - width * height, 1)
