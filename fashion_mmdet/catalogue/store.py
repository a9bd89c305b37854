"""A vector store: the garments nearest to an embedding, among those that a condition over any column holds for.

FAISS holds the float16 embeddings, Arrow the columns, mapped from disk, and DuckDB picks the rows that a filter lets
through before the search, so that no neighbour is lost to it. Up to `FLAT_ROWS` rows a search compares with all of
them; beyond, with an inverted file's nearest lists, or with every row that passes where a filter leaves few.
The package's benchmarks/README.md has the measurements behind the choice.

    store.json                the names of the current two files
    index-5f0c1a2b.faiss      embeddings, in the order of the rows
    columns-5f0c1a2b.arrow    all other columns but the mask
"""

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa

from fashion_mmdet.catalogue.schema import Catalogue, to_matrix
from fashion_mmdet.utils.files import atomic_path, write_text
from fashion_mmdet.utils.json_files import TEXT, read_object

MANIFEST = 'store.json'
FLAT_ROWS = 100_000
FEW_ROWS = 20_000  # of those that pass a filter: their vectors are picked and compared
PROBES = 64  # lists searched, of the square root of the number of rows
SAMPLE_A_LIST = 64  # vectors to train a list from
GROWTH = 2  # lists are laid out anew once so many times as many are due
BLOCK = 65_536
LEFT_OUT = ('embedding', 'mask')  # the mask is as long as the rest; the catalogue has it
FIELDS = dict(index=TEXT, columns=TEXT)


class VectorStore:
    """Embeddings and columns of garments. `build` one from a catalogue, or `open` one; `add` to it, then `save`.

    Args:
        index: FAISS index whose ids are the rows' numbers.
        columns: everything but the embeddings.
    """

    def __init__(self, index: 'faiss.Index', columns: pa.Table) -> None:  # noqa: F821
        self._faiss, self._duckdb = _libraries()
        for name in {'row', 'similarity', 'embedding'}.intersection(columns.column_names):
            raise ValueError(f'column {name!r}: a search gives a column of that name; rename the input column')
        self.index, self.columns = index, columns
        self._database = self._duckdb.connect(config=dict(enable_external_access='false'))  # a condition reads no file

    @classmethod
    def empty(cls, size: int, schema: pa.Schema) -> 'VectorStore':
        """Make a store of embeddings of a size and columns of a schema."""
        return cls(_make_index(size, 0), schema.empty_table())

    @classmethod
    def build(cls, catalogue: Catalogue) -> 'VectorStore':
        """Index a catalogue's garments, in memory: at 128 dimensions some 800 bytes a garment beside the columns.

        Raises:
            ValueError: a garment without embedding; extra `catalogue` missing.
        """
        schema = pa.schema([field for field in catalogue.schemas['garments'] if field.name not in LEFT_OUT])
        store = cls.empty(catalogue.plan.embedding_size, schema)
        store.add(catalogue.dataset().to_table([*schema.names, 'embedding']))
        return store

    def __len__(self) -> int:
        return self.index.ntotal

    def add(self, garments: pa.Table) -> None:
        """Append garments.

        Args:
            garments: with an `embedding` of this store's size, and at least its columns.

        Raises:
            ValueError: another size or another column type, or a null embedding.
        """
        vectors = _normalise(to_matrix(garments['embedding']))
        if vectors.shape[1] != self.index.d:
            raise ValueError(f'embeddings of {vectors.shape[1]} numbers, the store has {self.index.d}')
        try:
            columns = garments.select(self.columns.schema.names).cast(self.columns.schema)
        except (KeyError, pa.ArrowException) as error:
            raise ValueError(f'garments that do not fit the columns of the store: {error}') from None
        rows = len(self) + len(vectors)
        lists = int(np.sqrt(rows)) if rows > FLAT_ROWS else 0
        if lists and lists >= GROWTH * _lists_of(self.index):
            vectors = np.concatenate([self.index.reconstruct_n(0, len(self)).astype(np.float16), vectors])
            self.index = _make_index(self.index.d, lists)
            picked = np.random.default_rng(0).permutation(rows)[: SAMPLE_A_LIST * lists]
            self.index.train(vectors[np.sort(picked)].astype(np.float32))
            self.index.make_direct_map()  # from a row to its vector, 8 bytes each
        for start in range(0, len(vectors), BLOCK):
            self.index.add(vectors[start : start + BLOCK].astype(np.float32))
        self.columns = pa.concat_tables([self.columns, columns])

    def search(
        self,
        vectors: np.ndarray,
        k: int,
        where: str = '',
        values: Mapping[str, Any] | None = None,
        exact: bool = False,
        with_vectors: bool = False,
    ) -> list[pa.Table]:
        """Find the k nearest rows of each vector by cosine.

        Args:
            vectors: (Q, D).
            k: rows wanted; fewer come where fewer pass the filter.
            where: DuckDB condition over the columns, such as `category = $category and price < 50 and
                list_contains(attributes, 'floral')`. It is run as SQL: foreign input goes into `values`, see `filters`.
            values: of the $names in it.
            exact: compare with every row that passes.
            with_vectors: add the column `embedding`, float32 of length 1.

        Returns:
            A table for each vector, the nearest first: `row`, `similarity` in [-1, 1], and the columns.

        Raises:
            ValueError: another size, or a condition that DuckDB does not take.
        """
        vectors = np.asarray(vectors)
        if vectors.ndim != 2 or vectors.shape[1] != self.index.d:
            raise ValueError(f'vectors of shape {vectors.shape}, (Q, {self.index.d}) is wanted')
        if not np.isfinite(vectors).all():
            raise ValueError('vectors with numbers that are not finite')
        rows = self.select(where, values) if where else None
        passing = len(self) if rows is None else len(rows)
        k = min(k, passing)
        if not k:
            return [self._found(np.empty(0, np.int64), np.empty(0, np.float32), with_vectors)] * len(vectors)
        queries = _normalise(vectors).astype(np.float32)
        if rows is not None and passing <= FEW_ROWS:
            near = queries @ self.index.reconstruct_batch(rows).T  # (Q, R)
            best = np.argsort(-near, axis=1, kind='stable')[:, :k]
            pairs = zip(rows[best], np.take_along_axis(near, best, 1), strict=True)
            return [self._found(*one, with_vectors) for one in pairs]
        scores, found = self.index.search(queries, k, params=self._options(rows, exact))
        if not exact and (found < 0).any():  # the lists searched held too few that pass
            scores, found = self.index.search(queries, k, params=self._options(rows, True))
        return [self._found(*one, with_vectors) for one in zip(found, scores, strict=True)]

    def select(self, where: str, values: Mapping[str, Any] | None = None) -> np.ndarray:
        """Return the numbers of the rows that a condition holds for, ascending int64; arguments as `search`."""
        numbered = self.columns.append_column('row', pa.array(np.arange(len(self))))
        with self._database.cursor() as cursor:
            cursor.register('garments', numbered)
            try:
                found = cursor.execute(f'select row from garments where ({where}) order by row', dict(values or {}))
                return found.fetchnumpy()['row']
            except self._duckdb.Error as error:
                raise ValueError(f'filter {where!r}: {str(error).splitlines()[0]}') from None

    def _options(self, rows: np.ndarray | None, exact: bool) -> 'faiss.SearchParameters':  # noqa: F821
        """Say which lists to search for which rows; more lists the fewer rows pass, down to `FLAT_ROWS` all."""
        chosen = {}
        if rows is not None:
            chosen['sel'] = self._faiss.IDSelectorBitmap(np.packbits(_mark(rows, len(self)), bitorder='little'))
        lists = _lists_of(self.index)
        if not lists:
            return self._faiss.SearchParameters(**chosen)
        passing = len(self) if rows is None else len(rows)
        probes = lists if exact or passing <= FLAT_ROWS else -(-PROBES * len(self) // passing)
        return self._faiss.SearchParametersIVF(nprobe=min(probes, lists), **chosen)

    def _found(self, rows: np.ndarray, scores: np.ndarray, with_vectors: bool) -> pa.Table:
        columns = dict(row=pa.array(rows), similarity=pa.array(scores))
        if with_vectors:
            vectors = self.index.reconstruct_batch(rows) if len(rows) else np.empty((0, self.index.d), np.float32)
            columns['embedding'] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), self.index.d)
        picked = self.columns.take(pa.array(rows))
        return pa.table({**columns, **dict(zip(picked.column_names, picked.columns, strict=True))})

    def save(self, folder: str | os.PathLike) -> None:
        """Write the store so that the folder holds all of it or what it held before."""
        folder, mark = Path(folder), secrets.token_hex(4)
        files = dict(index=f'index-{mark}.faiss', columns=f'columns-{mark}.arrow')
        with atomic_path(folder / files['index']) as temporary:
            self._faiss.write_index(self.index, str(temporary))
        with (
            atomic_path(folder / files['columns']) as temporary,
            pa.OSFile(str(temporary), 'wb') as sink,
            pa.ipc.new_file(sink, self.columns.schema) as writer,
        ):
            writer.write_table(self.columns, max_chunksize=BLOCK)
        write_text(folder / MANIFEST, json.dumps(files))
        for path in [*folder.glob('index-*.faiss'), *folder.glob('columns-*.arrow')]:
            if path.name not in files.values():
                with contextlib.suppress(OSError):  # Windows removes no file that a process has mapped
                    path.unlink()

    @classmethod
    def open(cls, folder: str | os.PathLike) -> 'VectorStore':
        """Open a saved store; the index is read into memory, the columns are mapped.

        Raises:
            FileNotFoundError: there is none.
            ValueError: damaged; extra `catalogue` missing.
        """
        path = Path(folder, MANIFEST)
        if not path.is_file():
            raise FileNotFoundError(f'{folder}: no vector store (no {MANIFEST}); tools/search.py build makes one')
        files = read_object(path, FIELDS, FIELDS)
        try:
            index = _libraries()[0].read_index(str(path.with_name(files['index'])))
            columns = pa.ipc.open_file(pa.memory_map(str(path.with_name(files['columns'])))).read_all()
        except (RuntimeError, OSError, pa.ArrowException) as error:  # FAISS raises RuntimeError for any file
            raise ValueError(f'{folder}: the vector store is damaged, build it anew: {error}') from None
        if index.ntotal != len(columns):
            raise ValueError(
                f'{folder}: the vector store is damaged, build it anew: {index.ntotal} embeddings of '
                f'{len(columns)} garments'
            )
        return cls(index, columns)


def _libraries() -> tuple[ModuleType, ModuleType]:
    try:
        import duckdb
        import faiss
    except ImportError:
        raise ValueError('the vector store needs FAISS and DuckDB: pip install -e .[catalogue]') from None
    return faiss, duckdb


def _make_index(size: int, lists: int) -> 'faiss.Index':  # noqa: F821
    """Make an empty index of float16 vectors, flat or (to be trained) with inverted lists."""
    faiss, _ = _libraries()
    kind = f'IVF{lists},SQfp16' if lists else 'SQfp16'
    return faiss.index_factory(size, kind, faiss.METRIC_INNER_PRODUCT)


def _lists_of(index: 'faiss.Index') -> int:  # noqa: F821
    return getattr(index, 'nlist', 0)


def _normalise(vectors: np.ndarray) -> np.ndarray:
    """Scale (N, D) vectors to length 1, float16; zeros stay."""
    scaled = np.empty(vectors.shape, np.float16)
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK].astype(np.float32)
        lengths = np.linalg.norm(block, axis=1, keepdims=True)
        scaled[start : start + BLOCK] = block / np.where(lengths > 0, lengths, 1)
    return scaled


def _mark(rows: np.ndarray, count: int) -> np.ndarray:
    marks = np.zeros(count, bool)
    marks[rows] = True
    return marks
