"""Questions to a catalogue: words to filters, garments to their neighbours."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fashion_mmdet.catalogue.colours import css_colours
from fashion_mmdet.classes import ATTRIBUTES, CATEGORIES

pytest.importorskip('faiss')
pytest.importorskip('duckdb')

from fashion_mmdet.catalogue.filters import make_filter
from fashion_mmdet.catalogue.query import STORE, build_store, find_similar, list_garments, read_words
from fashion_mmdet.catalogue.schema import Catalogue, Plan, from_matrix, to_table
from fashion_mmdet.catalogue.store import VectorStore
from tests.conftest import run_here
from tools import search as tool

VECTORS = np.array([[1, 0], [0.8, 0.6], [0, 1], [-1, 0]])
WORN = ('dress', 'coat', 'dress', 'dress')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A catalogue of four garments in two shards; garment k is navy, of score k / 10 and price k."""
    plan = Plan(model='m', fingerprint='f', embedding_size=2, photos=4, photos_a_shard=2, inputs='h')
    catalogue = Catalogue.create(tmp_path / 'c', plan, pa.schema([('price', pa.float64())]))
    for shard in (0, 1):
        garments = [
            dict(
                image=f'{row}.jpg',
                garment=0,
                category=WORN[row],
                attributes=['maxi (length)'] if row else [],
                score=row / 10,
                colours=[dict(name='navy', L=13.0, a=47.0, b=-65.0, share=1.0)],
                price=float(row),
            )
            for row in plan.rows_of(shard)
        ]
        catalogue.write_shard(
            shard,
            garments=to_table(garments, catalogue.schemas['garments'], VECTORS[list(plan.rows_of(shard))]),
            photos=to_table([], catalogue.schemas['photos']),
            problems=to_table([], catalogue.schemas['problems']),
        )
    return tmp_path / 'c'


@pytest.mark.parametrize(
    ('words', 'wanted'),
    [
        ('Navy maxi dress', dict(category='dress', attributes=['maxi (length)'], colours=['navy'])),
        ('t-shirt', dict(category='top, t-shirt, sweatshirt', attributes=[], colours=[])),
        ('teal, mini skirt', dict(category='skirt', attributes=['mini (length)'], colours=['teal'])),
        ('', dict(category=None, attributes=[], colours=[])),
    ],
)  # fmt: skip
def test_words_are_names_of_a_category_attributes_and_colours(words: str, wanted: dict):
    assert read_words(words, CATEGORIES, ATTRIBUTES, css_colours()[0]) == wanted


@pytest.mark.parametrize(
    ('words', 'said'), [('navy toaster', "'toaster' is no category"), ('coat dress', 'two categories, dress and coat')]
)
def test_other_words_are_refused(words: str, said: str):
    with pytest.raises(ValueError, match=re.escape(said)):
        read_words(words, CATEGORIES, ATTRIBUTES, css_colours()[0])


def test_a_garment_finds_what_is_near_of_its_category_within_a_filter(folder: Path):
    store = build_store(folder)
    asked = store.search(VECTORS[:1], 1)[0].drop_columns(['row', 'similarity'])
    garments = asked.append_column('embedding', from_matrix(VECTORS[:1], 2))
    garments = garments.append_column('mask', pa.array([None]))
    images = lambda found: found[0][1]['image'].to_pylist()  # noqa: E731
    assert images(find_similar(store, garments, None, 3)) == ['0.jpg', '1.jpg', '2.jpg']
    assert images(find_similar(store, garments, 0, 3, same_category=True)) == ['0.jpg', '2.jpg', '3.jpg']
    where, values = make_filter(store.columns.schema, at_least=dict(price=1))
    assert images(find_similar(store, garments, 0, 3, where, values, same_category=True)) == ['2.jpg', '3.jpg']
    with pytest.raises(ValueError, match='garment=1'):
        find_similar(store, garments, 1, 3)


def test_words_alone_list_the_surest(folder: Path):
    store = build_store(folder)
    where, values = make_filter(store.columns.schema, category='dress')
    assert list_garments(store, 2, where, values)['image'].to_pylist() == ['3.jpg', '2.jpg']


def test_a_catalogue_without_all_shards_is_not_indexed(folder: Path):
    (folder / 'garments/00001.parquet').unlink()
    with pytest.raises(ValueError, match='1 of 2 shards are missing'):
        build_store(folder)
    assert not (folder / STORE).exists()


def test_the_tool_builds_and_answers_words(folder: Path):
    assert run_here(tool.main, 'build', folder).stdout.startswith('4 garments indexed')
    assert len(VectorStore.open(folder / STORE)) == 4
    done = run_here(tool.main, 'query', folder, '--words', 'navy maxi', '--at-most', 'price=2')
    assert [line.split()[0] for line in done.stdout.splitlines()] == ['image', '2.jpg', '1.jpg']
    assert run_here(tool.main, 'query', folder).returncode == 2
    done = run_here(tool.main, 'query', folder, '--words', 'navy', '--equal', 'cost=2')
    assert (done.returncode, done.stderr.count('\n')) == (2, 1)
