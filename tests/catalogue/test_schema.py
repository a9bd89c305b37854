"""The catalogue on disk: rows come back as they went in, shards are whole or absent, a plan is kept to."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fashion_mmdet.catalogue.schema import Catalogue, Plan, from_matrix, garment_schema, to_matrix, to_table

PLAN = Plan(model='m', fingerprint='f', embedding_size=2, photos=3, photos_a_shard=2, inputs='h')
EXTRA = pa.schema([('date', pa.string()), ('price', pa.float64())])
GARMENT = dict(
    image='a.jpg',
    height=3,
    width=4,
    garment=0,
    category='coat',
    category_id=9,
    attributes=['maxi (length)', 'check'],
    score=0.5,
    x1=1.0,
    y1=0.0,
    x2=2.0,
    y2=3.0,
    mask=dict(size=[3, 4], counts='333'),
    area_px=3,
    colours=[dict(name='red', L=53.25, a=80.0, b=67.25, share=1.0)],
    model='m',
    fingerprint='f',
    date='2024-01-31',
    price=9.5,
)


def write(catalogue: Catalogue, shard: int, rows: list[dict]) -> None:
    """Write a shard of garments, no photo and no problem."""
    garments = to_table(rows, catalogue.schemas['garments'], np.full((len(rows), 2), 0.5))
    catalogue.write_shard(
        shard,
        garments=garments,
        photos=to_table([], catalogue.schemas['photos']),
        problems=to_table([dict(image='b', problem='cut off')], catalogue.schemas['problems']),
    )


def test_rows_come_back_as_they_went_in(tmp_path: Path):
    catalogue = Catalogue.create(tmp_path / 'c', PLAN, EXTRA)
    write(catalogue, 1, [GARMENT, dict(image='empty')])
    rows = Catalogue.open(tmp_path / 'c').dataset().to_table().to_pylist()
    assert rows[0] == {**GARMENT, 'embedding': [0.5, 0.5]}
    assert {name for name, value in rows[1].items() if value is not None} == {'image', 'embedding'}
    assert Catalogue.open(tmp_path / 'c').dataset('problems').to_table().to_pylist() == [
        dict(image='b', problem='cut off', date=None, price=None)
    ]


def test_a_shard_is_missing_until_its_garments_are_there(tmp_path: Path):
    """3 photos in shards of 2: shards 0 and 1. Garments are written last."""
    catalogue = Catalogue.create(tmp_path, PLAN)
    assert [list(PLAN.rows_of(shard)) for shard in catalogue.missing_shards()] == [[0, 1], [2]]
    write(catalogue, 0, [GARMENT])
    assert Catalogue.create(tmp_path, PLAN).missing_shards() == [1]
    (tmp_path / 'garments' / '00000.parquet').unlink()
    assert catalogue.missing_shards() == [0, 1]
    assert catalogue.dataset('photos').count_rows() == 0


@pytest.mark.parametrize('change', [dict(fingerprint='g'), dict(photos=4), dict(embedding_size=3), dict(inputs='i')])
def test_a_folder_holds_one_catalogue(tmp_path: Path, change: dict):
    Catalogue.create(tmp_path, PLAN)
    with pytest.raises(ValueError, match=f'another {next(iter(change))} is there'):
        Catalogue.create(tmp_path, Plan(**{**vars(PLAN), **change}))


def test_other_columns_are_another_catalogue(tmp_path: Path):
    Catalogue.create(tmp_path, PLAN, EXTRA)
    with pytest.raises(ValueError, match='other columns'):
        Catalogue.create(tmp_path, PLAN)


def test_an_input_column_must_not_hide_one_of_ours():
    with pytest.raises(ValueError, match="input column 'score'"):
        garment_schema(2, pa.schema([('score', pa.float32())]))


@pytest.mark.parametrize('content', ['', '{}', '{"model": 3}', '[1]'])
def test_a_damaged_manifest_is_named(tmp_path: Path, content: str):
    (tmp_path / 'catalogue.json').write_text(content)
    with pytest.raises(ValueError, match=r'catalogue\.json'):
        Catalogue.open(tmp_path)


def test_a_folder_without_one_says_so(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match='no catalogue'):
        Catalogue.open(tmp_path)


def test_embeddings_are_a_matrix_of_one_width():
    matrix = np.array([[0.5, -1.0], [2.0, 0.25], [0.0, 1.0]])
    column = pa.chunked_array([from_matrix(matrix[:1], 2), from_matrix(matrix[1:], 2), from_matrix([], 2)])
    np.testing.assert_array_equal(to_matrix(column), matrix)
    np.testing.assert_array_equal(to_matrix(column.slice(1, 1)), matrix[1:2])
    for wrong in (np.ones((1, 3)), np.array([[1.0, np.nan]])):
        with pytest.raises(ValueError, match='2 finite ones'):
            from_matrix(wrong, 2)
    with pytest.raises(ValueError, match='1 garments have no embedding'):
        to_matrix(pa.array([None], pa.list_(pa.float16(), 2)))


def test_shards_without_a_manifest_are_not_taken_for_done(tmp_path: Path):
    write(Catalogue.create(tmp_path, PLAN), 0, [GARMENT])
    (tmp_path / 'catalogue.json').unlink()
    with pytest.raises(ValueError, match='has lost its'):
        Catalogue.create(tmp_path, PLAN)
