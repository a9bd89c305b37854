"""The dump of raw predictions: what is written is read, in order, empty images too."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from fashion_mmdet.evaluation.dump import IMAGES_A_GROUP, DumpWriter, read_dump, read_info
from fashion_mmdet.evaluation.dump_metric import DumpRawPredictions
from fashion_mmdet.evaluation.predictions import RawPrediction


def make_raw(image_id: str, count: int, seed: int, side: int = 28) -> RawPrediction:
    rng = np.random.default_rng(seed)
    return RawPrediction(
        image_id, 40 + seed, 30 + seed, rng.integers(0, 46, count), rng.random(count).astype(np.float32),
        rng.random((count, 4)).astype(np.float32) * 30, rng.random((count, side, side)).astype(np.float16))


def assert_same(got: RawPrediction, wanted: RawPrediction) -> None:
    assert (got.image_id, got.height, got.width) == (wanted.image_id, wanted.height, wanted.width)
    for name in ('categories', 'scores', 'boxes', 'mask_probs'):
        np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name), err_msg=name)


def with_attributes(raw: RawPrediction) -> RawPrediction:
    rng = np.random.default_rng(len(raw.scores))
    return replace(raw, attribute_probs=rng.random((len(raw.scores), 92)).astype(np.float16))


def write(path: Path, raws: list[RawPrediction], **info: str) -> None:
    writer = DumpWriter(path, **info)
    for raw in raws:
        writer.write(raw)
    writer.close()


@pytest.mark.parametrize('counts', [
    [3, 0, 2], [0, 0, 1, 0], [0, 0], [], [1] * (IMAGES_A_GROUP + 3), [0] * IMAGES_A_GROUP + [2, 0],
], ids=['gap', 'ends_empty', 'all_empty', 'no_images', 'two_groups', 'empty_group'])
def test_what_is_written_is_read_to_the_bit(tmp_path: Path, counts: list[int]):
    raws = [make_raw(f'{index}.jpg', count, index) for index, count in enumerate(counts)]
    write(tmp_path / 'a.parquet', raws)
    got = list(read_dump(tmp_path / 'a.parquet'))
    assert len(got) == len(raws)
    for one, other in zip(got, raws, strict=True):
        assert_same(one, other)


def test_attributes_are_read_to_the_bit_and_absent_ones_stay_absent(tmp_path: Path):
    raws = [with_attributes(make_raw('a.jpg', 3, 0)), make_raw('b.jpg', 2, 1), make_raw('c.jpg', 0, 2),
            with_attributes(make_raw('d.jpg', 1, 3))]
    write(tmp_path / 'a.parquet', raws)
    got = list(read_dump(tmp_path / 'a.parquet'))
    for one, other in zip(got, raws, strict=True):
        np.testing.assert_array_equal(one.attribute_probs, other.attribute_probs)
    assert [one.attribute_probs is None for one in got] == [False, True, True, False]


def test_a_dump_from_before_there_were_attributes_is_read(tmp_path: Path):
    """The same file without the column."""
    raw = with_attributes(make_raw('a.jpg', 2, 0))
    write(tmp_path / 'new.parquet', [raw])
    table = pq.read_table(tmp_path / 'new.parquet')
    metadata = pq.read_metadata(tmp_path / 'new.parquet').metadata
    old = table.drop_columns('attribute_probs').replace_schema_metadata(metadata)
    pq.write_table(old, tmp_path / 'old.parquet')
    got = next(read_dump(tmp_path / 'old.parquet'))
    assert_same(got, raw)
    assert got.attribute_probs is None


def test_pandas_reads_a_row_a_detection(tmp_path: Path):
    write(tmp_path / 'a.parquet', [make_raw('a.jpg', 2, 0), make_raw('b.jpg', 0, 1), make_raw('c.jpg', 1, 2)])
    table = pd.read_parquet(tmp_path / 'a.parquet')
    assert table['image_id'].tolist() == ['a.jpg', 'a.jpg', 'c.jpg']
    assert np.frombuffer(table['mask'][0], np.float16).shape == (28 * 28,)


def test_the_file_says_which_config_and_checkpoint_made_it(tmp_path: Path):
    write(tmp_path / 'a.parquet', [make_raw('a.jpg', 0, 0)], config='lr = 1', checkpoint='epoch_1.pth')
    info = read_info(tmp_path / 'a.parquet')
    assert (info.config, info.checkpoint, info.images) == ('lr = 1', 'epoch_1.pth', [('a.jpg', 40, 30)])


def test_an_unfinished_dump_leaves_the_older_one_and_no_half_file(tmp_path: Path):
    write(tmp_path / 'a.parquet', [make_raw('old.jpg', 1, 0)])
    writer = DumpWriter(tmp_path / 'a.parquet')
    writer.write(make_raw('new.jpg', 1, 1))
    del writer
    assert [raw.image_id for raw in read_dump(tmp_path / 'a.parquet')] == ['old.jpg']
    assert [path.name for path in tmp_path.iterdir()] == ['a.parquet']


def test_what_is_no_dump_is_refused(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r'none\.parquet: no such dump'):
        read_info(tmp_path / 'none.parquet')
    (tmp_path / 'text.parquet').write_text('hello')
    with pytest.raises(ValueError, match='not a Parquet file'):
        read_info(tmp_path / 'text.parquet')
    pd.DataFrame({'a': [1]}).to_parquet(tmp_path / 'other.parquet')
    with pytest.raises(ValueError, match='no dump of raw predictions'):
        read_info(tmp_path / 'other.parquet')


def test_the_parts_of_two_processes_join_in_the_order_of_the_data_set(tmp_path: Path):
    """Images 0 to 4 dealt to two ranks in turn, the last round padded with image 0: 0 2 4 and 1 3 0."""
    raws = [make_raw(f'{index}.jpg', index % 3, index) for index in range(5)]
    metric = DumpRawPredictions(str(tmp_path / 'a.parquet'))
    write(tmp_path / 'a.parquet.part0', [raws[0], raws[2], raws[4]])
    write(tmp_path / 'a.parquet.part1', [raws[1], raws[3], raws[0]])
    metric._join(size=5, world_size=2)
    assert [raw.image_id for raw in read_dump(tmp_path / 'a.parquet')] == [f'{index}.jpg' for index in range(5)]
    assert [path.name for path in tmp_path.iterdir()] == ['a.parquet']
