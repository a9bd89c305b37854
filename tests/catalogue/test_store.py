"""The vector store: the true neighbours, filters that lose none, saved whole, grown as if built at once."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fashion_mmdet.catalogue import store as module
from fashion_mmdet.catalogue.filters import make_filter
from fashion_mmdet.catalogue.schema import Catalogue
from tests.builders import write_catalogue

pytest.importorskip('duckdb')
pytest.importorskip('faiss')
EXTRA = pa.schema([('price', pa.float64()), ('the "shop', pa.string())])
SIZE = 8


def make_rows(count: int, seed: int = 0) -> list[dict]:
    """Make garments with random embeddings of any length."""
    generator = np.random.default_rng(seed)
    return [
        {
            'image': f'{number}.jpg',
            'category': ('coat', 'shoe', 'hat')[number % 3],
            'attributes': ['maxi', 'check'][: number % 3] or None,
            'colours': [dict(name=name, share=0.5) for name in ('red', 'navy')[: number % 4]],
            'price': float(number) if number % 5 else None,
            'the "shop': 'a',
            'embedding': generator.standard_normal(SIZE) * generator.uniform(0.1, 9),
        }
        for number in range(count)
    ]


def build(folder: Path, rows: list[dict]) -> module.VectorStore:
    """Write a catalogue and index it."""
    return module.VectorStore.build(Catalogue.open(write_catalogue(folder, rows, [], EXTRA, SIZE)))


def cosines(rows: list[dict], query: np.ndarray) -> np.ndarray:
    """Compare a query with every row in double precision."""
    matrix = np.array([row['embedding'] for row in rows])
    return matrix @ query / np.linalg.norm(matrix, axis=1) / np.linalg.norm(query)


@pytest.fixture(params=[(100_000, 0), (100, 0), (100, 1000)], ids=['flat', 'lists', 'few'])
def any_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run with all rows compared, with an inverted file of which a search sees two lists, and with few that pass."""
    monkeypatch.setattr(module, 'FLAT_ROWS', request.param[0])
    monkeypatch.setattr(module, 'FEW_ROWS', request.param[1])
    monkeypatch.setattr(module, 'PROBES', 2)


FILTERS = {
    'none': (dict(), lambda row: True),
    'category': (dict(category='hat'), lambda row: row['category'] == 'hat'),
    'attribute': (dict(attributes=['maxi', 'check']), lambda row: len(row['attributes'] or []) == 2),
    'colour': (dict(colours=['navy']), lambda row: len(row['colours']) == 2),
    'price': (dict(at_least=dict(price=20), at_most=dict(price=31)), lambda row: 20 <= (row['price'] or 0) <= 31),
    'few': (dict(category='coat', at_most=dict(price=9)), lambda row: row['image'] in ('3.jpg', '6.jpg', '9.jpg')),
    'nothing': (dict(category="'; drop table garments; --"), lambda row: False),
    'any column': (dict(equal={'the "shop': 'a'}), lambda row: True),
}


@pytest.mark.parametrize('name', FILTERS)
def test_exact_search_finds_the_nearest_that_pass(any_kind: None, tmp_path: Path, name: str):
    """Against cosines in double precision; float16 may swap neighbours that are equal to 0.002."""
    rows, (given, passes) = make_rows(400), FILTERS[name]
    store = build(tmp_path, rows)
    where, values = make_filter(store.columns.schema, **given)
    for seed in range(5):
        query = np.random.default_rng(seed).standard_normal(SIZE)
        truth = np.where([passes(row) for row in rows], cosines(rows, query), -np.inf)
        best = np.sort(truth[np.isfinite(truth)])[::-1][:10]
        (found,) = store.search(query[None], 10, where, values, exact=True)
        np.testing.assert_allclose(found['similarity'].to_numpy(), best, atol=2e-3)
        np.testing.assert_allclose(truth[found['row'].to_numpy()], best, atol=2e-3)
        assert found['image'].to_pylist() == [rows[row]['image'] for row in found['row'].to_pylist()]
        (near,) = store.search(query[None], 10, where, values)
        assert len(near) == len(best)  # a filter costs no result
        assert all(passes(row) for row in near.to_pylist())


def test_a_filter_that_leaves_few_is_exact_without_asking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Of 400 rows with 20 lists and 1 searched, 134 coats are at most FLAT_ROWS = 150: all are compared."""
    monkeypatch.setattr(module, 'FLAT_ROWS', 150)
    monkeypatch.setattr(module, 'PROBES', 1)
    monkeypatch.setattr(module, 'FEW_ROWS', 0)
    store = build(tmp_path, make_rows(400))
    queries = np.random.default_rng(0).standard_normal((20, SIZE))
    some, every = (
        [table['row'].to_pylist() for table in store.search(queries, 10, "category = 'coat'", exact=exact)]
        for exact in (False, True)
    )
    assert some == every
    assert [t['row'].to_pylist() for t in store.search(queries, 10)] != [
        t['row'].to_pylist() for t in store.search(queries, 10, exact=True)
    ]


def test_saved_and_grown_as_if_built_at_once(any_kind: None, tmp_path: Path):
    """60 rows, saved, opened, 340 added: flat at first, lists laid out on the way."""
    rows = make_rows(400)
    grown = build(tmp_path / 'c', rows[:60])
    assert grown.index.ntotal == len(grown) == 60
    grown.save(tmp_path / 's')
    for start, stop in ((60, 150), (150, 400)):
        grown = module.VectorStore.open(tmp_path / 's')
        grown.add(
            Catalogue.open(write_catalogue(tmp_path / str(start), rows[start:stop], [], EXTRA, SIZE))
            .dataset()
            .to_table()
        )
        grown.save(tmp_path / 's')
    assert len(list((tmp_path / 's').iterdir())) == 3
    grown, whole = module.VectorStore.open(tmp_path / 's'), build(tmp_path / 'w', rows)
    queries = np.random.default_rng(1).standard_normal((5, SIZE))
    for one, other in zip(
        grown.search(queries, 7, exact=True, with_vectors=True),
        whole.search(queries, 7, exact=True, with_vectors=True),
        strict=True,
    ):
        assert one['image'].to_pylist() == other['image'].to_pylist()
        vectors = np.array(one['embedding'].to_pylist())
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=2e-3)
        np.testing.assert_allclose(vectors, np.array(other['embedding'].to_pylist()), atol=1e-3)


def test_an_empty_store_finds_nothing(tmp_path: Path):
    store = build(tmp_path, [])
    store.save(tmp_path / 's')
    (found,) = module.VectorStore.open(tmp_path / 's').search(
        np.ones((1, SIZE)), 3, "category = 'hat'", with_vectors=True
    )
    assert found.num_rows == 0
    assert {'row', 'similarity', 'embedding', 'price'} <= set(found.column_names)


def test_what_does_not_fit_is_named(tmp_path: Path):
    store = build(tmp_path, make_rows(3))
    with pytest.raises(ValueError, match=r'\(Q, 8\) is wanted'):
        store.search(np.ones((1, 3)), 1)
    with pytest.raises(ValueError, match='not finite'):
        store.search(np.full((1, SIZE), np.nan), 1)
    for where in ('colour = 3', 'category = ', "embedding = 'x'", '1); drop table garments; --'):
        with pytest.raises(ValueError, match='filter'):
            store.search(np.ones((1, SIZE)), 1, where)
    with pytest.raises(ValueError, match="column 'row'"):
        module.VectorStore.empty(SIZE, pa.schema([('row', pa.int64())]))
    with pytest.raises(ValueError, match="no column 'prize'"):
        make_filter(store.columns.schema, at_most=dict(prize=3))
    with pytest.raises(ValueError, match='embeddings of 2 numbers'):
        store.add(Catalogue.open(write_catalogue(tmp_path / 'o', [dict(image='a')], [], EXTRA, 2)).dataset().to_table())


@pytest.mark.parametrize('kind', ['index', 'columns', 'store.json'])
def test_a_damaged_store_says_so(tmp_path: Path, kind: str):
    build(tmp_path / 'c', make_rows(3)).save(tmp_path / 's')
    (path,) = (tmp_path / 's').glob(f'{kind}*')
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ValueError, match=r'damaged|store\.json'):
        module.VectorStore.open(tmp_path / 's')
    with pytest.raises(FileNotFoundError, match='no vector store'):
        module.VectorStore.open(tmp_path)
