"""Ask a catalogue: which of its garments are like one of a photo's, or fit some words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fashion_mmdet.catalogue.annotate import PROJECTION
from fashion_mmdet.catalogue.annotator import Task, annotate_chunk
from fashion_mmdet.catalogue.inputs import IMAGE
from fashion_mmdet.catalogue.schema import Catalogue, to_matrix
from fashion_mmdet.catalogue.store import VectorStore
from fashion_mmdet.utils.checks import Interval, check_number

STORE = 'store'


def build_store(folder: Path) -> VectorStore:
    """Index a catalogue and keep the index in its folder; ValueError while shards are missing."""
    catalogue = Catalogue.open(folder)
    if missing := catalogue.missing_shards():
        raise ValueError(f'{folder}: {len(missing)} of {catalogue.plan.shards} shards are missing; annotate to the end')
    store = VectorStore.build(catalogue)
    store.save(folder / STORE)
    return store


def find_garments(folder: Path, photo: str, task: Task) -> pa.Table:
    """Find the garments of a photo, with embeddings that fit the catalogue's.

    Raises:
        OSError, ValueError: the photo cannot be read, or the catalogue was made with another model.
    """
    found = annotate_chunk(task._replace(projection=str(folder / PROJECTION)), pa.table({IMAGE: [photo]}))
    if len(found.problems):
        raise ValueError(found.problems['problem'][0].as_py())
    if not len(found.garments):
        raise ValueError(f'{photo}: no garment was found in it')
    return found.garments


def find_similar(
    store: VectorStore,
    garments: pa.Table,
    number: int | None,
    k: int,
    where: str = '',
    values: Mapping[str, Any] | None = None,
    same_category: bool = False,
) -> list[tuple[dict[str, Any], pa.Table]]:
    """Find what is like each garment of a photo, or like one of them.

    Args:
        store: of the catalogue.
        garments: of the photo, as `find_garments` gives them.
        number: of one garment, from 0; None for all.
        k: how many.
        where, values: filter, as in `VectorStore.search`.
        same_category: find only garments of the category that the model gave the photo's.

    Returns:
        Each garment's row without mask and embedding, and what is like it.

    Raises:
        ValueError: no garment of that number.
    """
    if number is not None:
        check_number('garment', number, Interval(0, len(garments) - 1, whole=True))
        garments = garments.slice(number, 1)
    vectors, rows = to_matrix(garments['embedding']), garments.drop_columns(['embedding', 'mask']).to_pylist()
    if same_category:
        categories = [row['category'] for row in rows]
        return list(zip(rows, search_within(store, vectors, categories, k, where, values), strict=True))
    return list(zip(rows, store.search(vectors, k, where, values), strict=True))


def search_within(
    store: VectorStore,
    vectors: np.ndarray,
    categories: Sequence[str],
    k: int,
    where: str = '',
    values: Mapping[str, Any] | None = None,
    with_vectors: bool = False,
) -> list[pa.Table]:
    """Search for each vector among the garments of its own category, given in `categories`; else as `store.search`."""
    where = f'({where}) and category = $own' if where else 'category = $own'
    found: dict[int, pa.Table] = {}
    for category in dict.fromkeys(categories):  # a filter costs a look at every row: one for each category
        places = [place for place, one in enumerate(categories) if one == category]
        bound = {**(values or {}), 'own': category}
        tables = store.search(vectors[places], k, where, bound, with_vectors=with_vectors)
        found.update(zip(places, tables, strict=True))
    return [found[place] for place in range(len(categories))]


def list_garments(store: VectorStore, k: int, where: str, values: Mapping[str, Any]) -> pa.Table:
    """List the k garments of highest score that a filter lets through."""
    found = store.columns.take(pa.array(store.select(where, values)))
    return found.sort_by([('score', 'descending'), ('image', 'ascending'), ('garment', 'ascending')]).slice(0, k)


def read_words(words: str, categories: Sequence[str], attributes: Sequence[str], colours: Sequence[str]) -> dict:
    """Take names of a category, attributes and colours out of a few words, such as 'navy floral dress'.

    Longer names go first; a category is known by each of its names ('top, t-shirt, sweatshirt'), an attribute also
    without what stands in brackets ('maxi (length)').

    Returns:
        Arguments of `filters.make_filter`: category, attributes, colours.

    Raises:
        ValueError: a word that is none of these, or two categories.
    """
    known = [('category', part, name) for name in categories for part in name.split(', ')]
    known += [('attributes', short, name) for name in attributes for short in {name, name.partition(' (')[0]}]
    known += [('colours', name, name) for name in colours]
    rest, found = f' {" ".join(words.lower().replace(",", " ").split())} ', dict(category=[], attributes=[], colours=[])
    for kind, name, full in sorted(known, key=lambda one: -len(one[1])):
        if f' {name.lower()} ' in rest and full not in found[kind]:
            found[kind].append(full)
            rest = rest.replace(f' {name.lower()} ', ' ', 1)
    if rest.strip():
        raise ValueError(f'{words!r}: {rest.split()[0]!r} is no category, attribute or colour of the catalogue')
    if len(found['category']) > 1:
        raise ValueError(f'{words!r}: two categories, {" and ".join(found["category"])}; a garment has one')
    return dict(found, category=found['category'][0] if found['category'] else None)
