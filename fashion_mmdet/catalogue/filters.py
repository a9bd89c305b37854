"""Filters over a vector store's columns from words and numbers that a person gave; nothing of them is run as SQL."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa


def make_filter(
    schema: pa.Schema,
    *,
    category: str | None = None,
    attributes: Sequence[str] = (),
    colours: Sequence[str] = (),
    equal: Mapping[str, Any] | None = None,
    at_least: Mapping[str, Any] | None = None,
    at_most: Mapping[str, Any] | None = None,
) -> tuple[str, dict[str, Any]]:
    """Write a condition for `VectorStore.search`; all of its parts must hold.

    Args:
        schema: columns of the store.
        category: name of the category.
        attributes: that a garment must all have.
        colours: names, all among its dominant colours.
        equal, at_least, at_most: values by column; a null holds for none.

    Returns:
        `where` and `values`; '' without any part.

    Raises:
        ValueError: no such column.
    """
    parts: list[str] = []
    values: dict[str, Any] = {}

    def add(condition: str, value: Any) -> None:
        name = f'v{len(values)}'
        values[name] = value
        parts.append(condition.format(f'${name}'))

    for attribute in attributes:
        add('list_contains(attributes, {})', attribute)
    for colour in colours:
        add('list_contains(list_transform(colours, lambda one: one.name), {})', colour)
    category_is = {} if category is None else dict(category=category)
    for sign, wanted in (('=', {**category_is, **(equal or {})}), ('>=', at_least or {}), ('<=', at_most or {})):
        for column, value in wanted.items():
            if column not in schema.names:
                raise ValueError(f'filter: no column {column!r}; the store has {", ".join(schema.names)}')
            name = column.replace('"', '""').replace('{', '{{').replace('}', '}}')
            add(f'"{name}" {sign} {{}}', value)
    return ' and '.join(parts), values
