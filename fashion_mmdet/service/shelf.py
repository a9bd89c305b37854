"""The catalogue that the service searches: filters from requests, neighbours, alternatives, companions, pictures."""

import logging
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import anyio
import numpy as np
import pyarrow as pa

from fashion_mmdet.catalogue import recommend
from fashion_mmdet.catalogue.annotate import PROJECTION
from fashion_mmdet.catalogue.embeddings import Projection
from fashion_mmdet.catalogue.query import STORE, search_within
from fashion_mmdet.catalogue.schema import garment_schema, to_matrix
from fashion_mmdet.catalogue.store import VectorStore
from fashion_mmdet.service import schemas
from fashion_mmdet.service.conditions import Condition, can_say_stock, choose, read_condition
from fashion_mmdet.service.pictures import cut_picture, find_photo, name_photo
from fashion_mmdet.service.refusals import RefusalError
from fashion_mmdet.service.similar_schemas import Companion, GarmentMatches, Match, SimilarAnswer, SimilarOptions
from fashion_mmdet.utils.parallel import count_cores

CANDIDATES = 200  # the nearest, of which alternatives are picked
BOX = ('x1', 'y1', 'x2', 'y2')
PHOTO_PATH = '/v1/catalogue/photo'


class Question(NamedTuple):
    """What a request asks: its options, the condition on what is alike, and that on alternatives where wanted."""

    options: SimilarOptions
    condition: Condition
    stocked: Condition | None


class Shelf:
    """A catalogue, open for search; threads may share it.

    Args:
        store: of the catalogue.
        projection: of its embeddings.
        photos: folder with its photos; None where no pictures are given away.

    Attributes:
        threads: limit of those that search and cut pictures.

    Raises:
        ValueError: store and projection do not fit each other.
    """

    def __init__(self, store: VectorStore, projection: Projection, photos: Path | None = None) -> None:
        if store.index.d != projection.size:
            raise ValueError(
                f'embeddings of {projection.size} numbers, those of the index have {store.index.d}; '
                'index the catalogue anew with tools/search.py build'
            )
        self.store, self.projection = store, projection
        self._photos = photos.resolve() if photos else None
        ours = garment_schema(projection.size).names
        self._own = [one.name for one in store.columns.schema if one.name not in ours and _is_writable(one.type)]
        self.threads = anyio.CapacityLimiter(count_cores())
        self._companions: dict[str, list[Companion]] = {}
        self._counting = threading.Lock()

    @classmethod
    def open(cls, folder: Path, fingerprint: str, photos: Path | None = None) -> 'Shelf':
        """Open a catalogue that tools/search.py has indexed.

        Args:
            folder: of the catalogue.
            fingerprint: of the model that embeds the photos of requests.
            photos: folder with the catalogue's photos.

        Raises:
            OSError, ValueError: no index, a damaged one, one of another model, or no such folder.
        """
        if photos and not photos.is_dir():
            raise NotADirectoryError(f'{photos}: no such folder of photos')
        return cls(VectorStore.open(folder / STORE), Projection.load(folder / PROJECTION, fingerprint), photos)

    def describe(self) -> schemas.CatalogueInfo:
        """Say how large the catalogue is and which columns of its own it has."""
        stock = SimilarOptions.model_fields['in_stock'].default
        known = can_say_stock(stock, self.store.columns.schema)
        return schemas.CatalogueInfo(garments=len(self.store), columns=self._own, in_stock=known)

    def read(self, options: SimilarOptions) -> Question:
        """Write the conditions that a request's options ask for; RefusalError where they name what is not there."""
        schema = self.store.columns.schema
        try:
            stocked = read_condition(options, schema, in_stock=True) if options.alternatives else None
            return Question(options, read_condition(options, schema), stocked)
        except ValueError as error:
            raise RefusalError(422, str(error)) from None

    def find(self, answer: schemas.Answer, vectors: np.ndarray, question: Question) -> SimilarAnswer:
        """Find what is like the garments of a photo.

        Args:
            answer: garments of the photo.
            vectors: (N, D), their embeddings.
            question: from `read`.

        Raises:
            RefusalError: no such garment, or values that DuckDB cannot compare.
        """
        options = question.options
        try:
            chosen = choose(answer.garments, options)
            garments, vectors = [answer.garments[index] for index in chosen], vectors[chosen]
            categories = [one.category for one in garments]
            similar = self._neighbours(vectors, categories, question)
            instead = self._alternatives(vectors, categories, question) if options.alternatives else None
        except ValueError as error:
            raise RefusalError(422, str(error)) from None
        found = [
            GarmentMatches(
                **dict(garment),
                index=chosen[place],
                similar=self._matches(similar[place]),
                alternatives=self._matches(instead[place]) if instead else None,
                goes_with=self.goes_with(garment.category)[: options.k] if options.goes_with else None,
            )
            for place, garment in enumerate(garments)
        ]
        return SimilarAnswer(**{**dict(answer), 'garments': found})

    def _neighbours(self, vectors: np.ndarray, categories: Sequence[str], question: Question) -> list[pa.Table]:
        if question.options.same_category:
            return search_within(self.store, vectors, categories, question.options.k, *question.condition)
        return self.store.search(vectors, question.options.k, *question.condition)

    def _alternatives(self, vectors: np.ndarray, categories: Sequence[str], question: Question) -> list[pa.Table]:
        """Pick alternatives for each garment among the nearest of its category that are in stock."""
        near = search_within(self.store, vectors, categories, CANDIDATES, *question.stocked, with_vectors=True)
        picked = []
        for vector, table in zip(vectors, near, strict=True):
            fits = np.ones(len(table), bool)  # the search let nothing else through
            best = recommend.find_alternatives(
                vector, to_matrix(table['embedding']), same_category=fits, in_stock=fits, count=question.options.k
            )
            picked.append(table.take(pa.array(best)))
        return picked

    def goes_with(self, category: str) -> list[Companion]:
        """Rank the categories that come with one on the catalogue's photos; counted once."""
        with self._counting:
            if category not in self._companions:
                photos, terms, names = self._terms
                found = recommend.goes_with(photos, terms, names.index(category)) if category in names else []
                self._companions[category] = [
                    Companion(
                        category=names[one.term], together=one.together, lift=one.lift, low=one.low, high=one.high
                    )
                    for one in found
                ]
            return self._companions[category]

    @cached_property
    def _terms(self) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Number the photos and categories of all garments; with the categories' names."""
        photos, categories = (
            self.store.columns[name].combine_chunks().dictionary_encode() for name in ('image', 'category')
        )
        return photos.indices.to_numpy(), categories.indices.to_numpy(), categories.dictionary.to_pylist()

    def _matches(self, table: pa.Table) -> list[Match]:
        return [
            Match(
                box=[int(row[name]) for name in BOX],
                attributes=row['attributes'] or [],
                colours=row['colours'] or [],
                columns={name: row[name] for name in self._own if row[name] is not None},
                photo=f'{PHOTO_PATH}/{row["row"]}' if self._photo_of(row['image']) else None,
                image=name_photo(self._photos, row['image']),
                **{name: row[name] for name in ('row', 'similarity', 'garment', 'category', 'score')},
            )
            for row in table.to_pylist()
        ]

    def picture(self, row: int, max_pixels: int) -> bytes:
        """Cut a garment out of its photo, as `cut_picture`.

        Raises:
            RefusalError: no such row, or its photo is not at hand or cannot be read.
        """
        if row >= len(self.store):
            raise RefusalError(404, f'no garment {row}: the catalogue has {len(self.store)}, from 0')
        (one,) = self.store.columns.slice(row, 1).to_pylist()
        path = self._photo_of(one['image'])
        if path is None:
            raise RefusalError(404, f'the photo of garment {row} is not at hand')
        box = [int(one[name]) for name in BOX]
        try:
            return cut_picture(path, (one['height'], one['width']), box, max_pixels)
        except (RefusalError, OSError, ValueError) as error:
            logging.getLogger(__name__).warning('garment %d has no picture: %s', row, error)  # strangers learn no path
            raise RefusalError(404, f'the photo of garment {row} cannot be read, or has changed') from None

    def _photo_of(self, image: str) -> Path | None:
        return find_photo(self._photos, image) if self._photos else None


def _is_writable(kind: pa.DataType) -> bool:
    """Return whether JSON can hold a column: bytes, at any depth, it cannot."""
    if pa.types.is_dictionary(kind):
        return _is_writable(kind.value_type)
    if pa.types.is_nested(kind):
        return all(_is_writable(kind.field(place).type) for place in range(kind.num_fields))
    return not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))
