"""The dump of raw predictions: what is written is read, in order, empty images too."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fashion_mmdet.evaluation.dump import IMAGES_A_GROUP, META_KEY, DumpWriter, read_dump, read_info
from fashion_mmdet.evaluation.dump_metric import DumpRawPredictions
from fashion_mmdet.evaluation.predictions import RawPrediction
from tests.builders import assert_same_raw, random_raw, write_dump


def with_attributes(raw: RawPrediction) -> RawPrediction:
    rng = np.random.default_rng(len(raw.scores))
    return replace(raw, attribute_probs=rng.random((len(raw.scores), 92)).astype(np.float16))


@pytest.mark.parametrize(
    'counts',
    [
        [3, 0, 2],
        [0, 0, 1, 0],
        [0, 0],
        [],
        [1] * (IMAGES_A_GROUP + 3),
        [0] * IMAGES_A_GROUP + [2, 0],
    ],
    ids=['gap', 'ends_empty', 'all_empty', 'no_images', 'two_groups', 'empty_group'],
)
def test_what_is_written_is_read_to_the_bit(tmp_path: Path, counts: list[int]):
    raws = [random_raw(f'{index}.jpg', count, index) for index, count in enumerate(counts)]
    write_dump(tmp_path / 'a.parquet', raws)
    got = list(read_dump(tmp_path / 'a.parquet'))
    assert len(got) == len(raws)
    for one, other in zip(got, raws, strict=True):
        assert_same_raw(one, other)


def test_attributes_are_read_to_the_bit_and_absent_ones_stay_absent(tmp_path: Path):
    raws = [
        with_attributes(random_raw('a.jpg', 3, 0)),
        random_raw('b.jpg', 2, 1),
        random_raw('c.jpg', 0, 2),
        with_attributes(random_raw('d.jpg', 1, 3)),
    ]
    write_dump(tmp_path / 'a.parquet', raws)
    got = list(read_dump(tmp_path / 'a.parquet'))
    for one, other in zip(got, raws, strict=True):
        np.testing.assert_array_equal(one.attribute_probs, other.attribute_probs)
    assert [one.attribute_probs is None for one in got] == [False, True, True, False]


def test_a_dump_from_before_there_were_attributes_is_read(tmp_path: Path):
    """The same file without the column."""
    raw = with_attributes(random_raw('a.jpg', 2, 0))
    write_dump(tmp_path / 'new.parquet', [raw])
    table = pq.read_table(tmp_path / 'new.parquet')
    metadata = pq.read_metadata(tmp_path / 'new.parquet').metadata
    old = table.drop_columns('attribute_probs').replace_schema_metadata(metadata)
    pq.write_table(old, tmp_path / 'old.parquet')
    got = next(read_dump(tmp_path / 'old.parquet'))
    assert_same_raw(got, raw)
    assert got.attribute_probs is None


def test_pandas_reads_a_row_a_detection(tmp_path: Path):
    write_dump(
        tmp_path / 'a.parquet', [random_raw('a.jpg', 2, 0), random_raw('b.jpg', 0, 1), random_raw('c.jpg', 1, 2)]
    )
    table = pd.read_parquet(tmp_path / 'a.parquet')
    assert table['image_id'].tolist() == ['a.jpg', 'a.jpg', 'c.jpg']
    assert np.frombuffer(table['mask'][0], np.float16).shape == (28 * 28,)


def test_the_file_says_which_config_and_checkpoint_made_it(tmp_path: Path):
    write_dump(tmp_path / 'a.parquet', [random_raw('a.jpg', 0, 0)], config='lr = 1', checkpoint='epoch_1.pth')
    info = read_info(tmp_path / 'a.parquet')
    assert (info.config, info.checkpoint, info.images) == ('lr = 1', 'epoch_1.pth', [('a.jpg', 40, 30)])


def test_an_unfinished_dump_leaves_the_older_one_and_no_half_file(tmp_path: Path):
    write_dump(tmp_path / 'a.parquet', [random_raw('old.jpg', 1, 0)])
    writer = DumpWriter(tmp_path / 'a.parquet')
    writer.write(random_raw('new.jpg', 1, 1))
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
    raws = [random_raw(f'{index}.jpg', index % 3, index) for index in range(5)]
    metric = DumpRawPredictions(str(tmp_path / 'a.parquet'))
    write_dump(tmp_path / 'a.parquet.part0', [raws[0], raws[2], raws[4]])
    write_dump(tmp_path / 'a.parquet.part1', [raws[1], raws[3], raws[0]])
    metric._join(size=5, world_size=2)
    assert [raw.image_id for raw in read_dump(tmp_path / 'a.parquet')] == [f'{index}.jpg' for index in range(5)]
    assert [path.name for path in tmp_path.iterdir()] == ['a.parquet']


def rewrite(path: Path, change: Callable[[pa.Table, dict], pa.Table]) -> None:
    """Change rows and metadata of a dump as another program could."""
    info = json.loads(pq.read_metadata(path).metadata[META_KEY])
    table = change(pq.read_table(path), info)
    pq.write_table(table.replace_schema_metadata({META_KEY: json.dumps(info)}), path)


def with_column(name: str, values: list, kind: pa.DataType | None = None) -> Callable[[pa.Table, dict], pa.Table]:
    """Put other values into a column of the three rows, of its own type if none is given."""

    def change(table: pa.Table, info: dict) -> pa.Table:
        place = table.column_names.index(name)
        return table.set_column(place, name, pa.array(values, kind or table[name].type))

    return change


def with_images(*images: object) -> Callable[[pa.Table, dict], pa.Table]:
    def change(table: pa.Table, info: dict) -> pa.Table:
        info['images'] = list(images)
        return table

    return change


MASK = np.full(28 * 28, 0.5, np.float16)


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (with_column('category', [0, 46, 1]), r'column category, row 1: 46; category ids are 0 to 45'),
        (with_column('category', [0, 1, -1]), r'column category, row 2: -1; category ids'),
        (with_column('category', ['0', '1', '2'], pa.string()), 'column category: string, not whole numbers'),
        (with_column('category', [0, 1, 70000], pa.int32()), 'column category: .*70000'),
        (with_column('category', [0, None, 1]), 'column category: has empty values'),
        (with_column('score', [0.1, 1.5, 0.2]), r'column score, row 1: 1\.5; scores are 0 to 1'),
        (with_column('score', [np.nan, 0.5, 0.2]), 'column score, row 0: nan'),
        (with_column('x2', [1, 2, np.inf]), 'column x2, row 2: inf; boxes are finite'),
        (with_column('height', [40, 40, 0]), 'column height, row 2: 0; sizes are positive'),
        (with_column('height', [40, 41, 43]), 'column height, row 1: 41; another one than in the row above'),
        (with_column('width', [31, 31, 33]), 'columns height, width: a.jpg has 40x31 pixels, 40x30 in the metadata'),
        (with_column('mask_side', [28, 28, 0]), 'column mask_side, row 2: 0; sizes are positive'),
        (
            with_column('mask', [MASK.tobytes(), b'x', MASK.tobytes()]),
            'column mask, row 1: 1 bytes; mask_side x mask_side',
        ),
        (
            with_column('mask', [MASK.tobytes(), MASK.tobytes(), (3 * MASK).tobytes()]),
            'column mask, row 2: 1568 bytes; probabilities are 0 to 1',
        ),
        (with_column('mask', [MASK.tobytes(), (MASK * np.nan).tobytes(), MASK.tobytes()]), 'column mask, row 1: '),
        (
            with_column('attribute_probs', [None, bytes(184), bytes(182)]),
            'column attribute_probs, row 2: 182 bytes; 92 ',
        ),
        (with_column('image_id', ['a.jpg', 'a.jpg', 'x.jpg']), "column image_id: the metadata does not list 'x.jpg'"),
        (with_column('image_id', ['c.jpg', 'c.jpg', 'a.jpg']), 'pixels|in another order'),
        (lambda table, info: table.drop_columns('score'), 'no column score'),
        (lambda table, info: table.append_column('score', table['score']), '2 columns score'),
        (lambda table, info: info.pop('images') and table, 'metadata: images is no list'),
        (lambda table, info: info.pop('config') and table, 'metadata: has no config'),
        (with_images(['a.jpg', 0, 30]), r"metadata: images: \['a.jpg', 0, 30\] is not \[image id, height, width\]"),
        (with_images(['a.jpg', 40, 30], ['a.jpg', 40, 30]), "images: 'a.jpg' comes twice"),
        (with_images(['../a.jpg', 40, 30]), 'is no name in a folder'),
        (with_images(['/a.jpg', 40, 30]), 'is no name in'),
        (with_images(5), r'images: 5 is not \['),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_what_no_model_gives_is_one_line_with_file_and_column(
    tmp_path: Path, change: Callable[[pa.Table, dict], pa.Table], said: str
):
    path = tmp_path / 'a.parquet'
    write_dump(
        path,
        [
            replace(random_raw('a.jpg', 2, 0), attribute_probs=None),
            random_raw('b.jpg', 0, 1),
            replace(random_raw('c.jpg', 1, 3), attribute_probs=None),
        ],
        config='a = 1',
    )
    rewrite(path, change)
    with pytest.raises(ValueError, match=rf'a\.parquet: .*({said})') as caught:
        list(read_dump(path))
    assert '\n' not in str(caught.value)


def test_a_dump_that_another_program_has_rewritten_is_read(tmp_path: Path):
    """Wider types and large strings hold the same values; -0.0, a probability of 0, too."""
    raw = random_raw('a.jpg', 2, 0)
    raw.mask_probs[0, 0, 0] = -0.0
    write_dump(tmp_path / 'a.parquet', [raw])
    wider = {pa.int16(): pa.int64(), pa.int32(): pa.int64(), pa.float32(): pa.float64(), pa.string(): pa.large_string()}
    rewrite(
        tmp_path / 'a.parquet',
        lambda table, info: table.cast(
            pa.schema([(field.name, wider.get(field.type, field.type)) for field in table.schema])
        ),
    )
    assert_same_raw(next(read_dump(tmp_path / 'a.parquet')), raw)


def test_a_damaged_page_is_noticed(tmp_path: Path):
    """Pages have checksums: a flipped bit of a mask is not scored."""
    path = tmp_path / 'a.parquet'
    write_dump(path, [random_raw('a.jpg', 40, 0)])
    column = pq.read_metadata(path).row_group(0).column(10)
    assert column.path_in_schema == 'mask'
    content = bytearray(path.read_bytes())
    content[column.dictionary_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'a\.parquet: not a Parquet file, or damaged'):
        list(read_dump(path))
