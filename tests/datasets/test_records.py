"""From train.csv to records: every kind of problem, and what becomes of the row."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from fashion_mmdet.datasets.audit import RULES, Audit
from fashion_mmdet.datasets.records import COLUMNS, Record, read_records, read_table
from tests.builders import HEADER, write_csv
from tests.conftest import ROOT

GOOD = 'a.jpg,1 2,5,4,3'  # the upper two pixels of the left column of a photo 5 high and 4 wide: 20 pixels
FILE_KINDS = {  # see test_images.py
    'missing_file',
    'name_in_other_case',
    'unreadable_file',
    'truncated_file',
    'size_mismatch',
}

# kind -> rows after GOOD (which is line 2), count, the examples without the file's name, (category, area) kept
CASES = {
    'duplicate_row': ([GOOD, GOOD], 2, [':3: a.jpg 3', ':4: a.jpg 3'], [(3, 2)]),
    'unknown_category': (
        ['a.jpg,4 1,5,4,46', 'a.jpg,4 1,5,4,x', 'a.jpg,4 1,5,4,'],
        3,
        [":3: ClassId '46'", ":4: ClassId 'x'", ":5: ClassId ''"],
        [(3, 2)],
    ),
    'unsafe_image_id': (
        ['../a.jpg,4 1,5,4,7', '/a.jpg,4 1,5,4,7', ',4 1,5,4,7'],
        3,
        [":3: '../a.jpg'", ":4: '/a.jpg'", ":5: ''"],
        [(3, 2)],
    ),
    'unknown_attribute': (
        ['a.jpg,4 1,5,4,10_92_3', 'a.jpg,5 1,5,4,10_91'],
        1,
        [":3: attribute 92 in ClassId '10_92_3'"],
        [(3, 2), (10, 1), (10, 1)],
    ),
    'attribute_on_part': (
        ['a.jpg,4 1,5,4,13_3', 'a.jpg,5 1,5,4,12_3'],
        1,
        [":3: ClassId '13_3'"],
        [(3, 2), (13, 1), (12, 1)],
    ),
    'runs_malformed': (
        ['a.jpg,1 2 3,5,4,7', 'a.jpg,4 -1,5,4,7', 'a.jpg,4 0,5,4,7', 'a.jpg,4 x,5,4,7'],
        4,
        [':3: 3 numbers, but runs are pairs of start and length', ':4: a run of length -1', ':5: a run of length 0'],
        [(3, 2)],
    ),
    'runs_outside_image': (
        ['a.jpg,20 2,5,4,7', 'a.jpg,0 1,5,4,7', 'a.jpg,-3 9,5,4,7', 'a.jpg,20 1,5,4,7'],
        3,
        [':3: pixel 21 of 20 (5x4)', ':4: pixel 0 of 20 (5x4)', ':5: pixel -3 of 20 (5x4)'],
        [(3, 2), (7, 1)],
    ),
    'runs_unsorted': (['a.jpg,11 2 1 3,5,4,7'], 1, [':3'], [(3, 2), (7, 5)]),
    'runs_overlapping': (
        ['a.jpg,1 4 3 4,5,4,7', 'a.jpg,1 10 2 1 5 1,5,4,8', 'a.jpg,1 2 3 2,5,4,9'],
        2,
        [':3', ':4'],
        [(3, 2), (7, 6), (8, 10), (9, 4)],
    ),
    'empty_mask': (['a.jpg,,5,4,7', 'a.jpg, ,5,4,7'], 2, [':3', ':4'], [(3, 2)]),
    'size_conflict': (['a.jpg,4 1,4,5,7', 'a.jpg,4 1,5,3,7'], 2, [':3: 4x5 after 5x4', ':4: 5x3 after 5x4'], [(3, 2)]),
}


def read(folder: Path, *rows: str) -> tuple[list[Record], Audit]:
    return read_records(write_csv(folder, *rows))


def kept(record: Record) -> list[tuple[int, int]]:
    return [(instance.category, int(coco_mask.area(instance.mask))) for instance in record.instances]


@pytest.mark.parametrize('kind', CASES)
def test_the_audit_finds_exactly_the_problem_and_applies_its_rule(tmp_path, kind):
    """Dropped rows leave the good row alone. Mended: runs 1-4 and 3-6 unite to 6 px, 1-10 holds 2 and 5: 10 px; runs
    that only touch (1-2, 3-4) are no problem, nor are the last pixel (20 of 5 x 4) and the last attribute (91).
    """
    rows, count, examples, objects = CASES[kind]
    records, audit = read(tmp_path, GOOD, *rows)
    lost = audit.counts.pop('image_without_rows', 0)
    assert lost == len({line.split(',')[0] for line in rows} - {'a.jpg'})
    assert dict(audit.counts) == {kind: count}
    assert audit.examples[kind] == [f'{tmp_path}/train.csv{example}' for example in examples]
    assert [kept(record) for record in records] == [objects]


@pytest.mark.parametrize(
    ('class_id', 'expected'),
    [(' 6', (6, ())), ('6 ', (6, ())), ('6.0', (6, ())), (' 6.0', (6, ())), ('10_3', (10, (3,)))],
)
def test_a_class_id_as_pandas_or_a_spreadsheet_writes_it_is_read(tmp_path, class_id, expected):
    """pandas writes a column of numbers with a gap as 6.0."""
    records, audit = read(tmp_path, f'a.jpg,1 2,5,4,{class_id}')
    assert not audit.counts
    assert (records[0].instances[0].category, records[0].instances[0].attributes) == expected


@pytest.mark.parametrize('class_id', ['6.5', '6.', '-6', '6.0_3', '6_3.0', '6 7', '6e0', '²'])
def test_other_class_ids_are_unknown_categories(tmp_path, class_id):
    _, audit = read(tmp_path, GOOD, f'a.jpg,3 2,5,4,{class_id}')
    assert dict(audit.counts) == {'unknown_category': 1}


def test_the_same_row_with_its_class_written_in_another_way_is_a_duplicate(tmp_path):
    _, audit = read(tmp_path, GOOD, 'a.jpg,1 2,5,4,3.0')
    assert dict(audit.counts) == {'duplicate_row': 1}


def test_attributes_in_a_column_of_their_own_are_read(tmp_path):
    """2020's layout: 103 is no attribute of 2019's 92, a belt (19) has none, and the last row is no number."""
    path = write_csv(
        tmp_path,
        'a,1 2,5,4,10,',
        'a,3 2,5,4,10,"34,3"',
        'a,5 2,5,4,10,"3, 103"',
        'a,7 2,5,4,19,3',
        'a,9 2,5,4,10,x',
        header=f'{HEADER},AttributesIds',
    )
    records, audit = read_records(path)
    assert [instance.attributes for instance in records[0].instances] == [(), (3, 34), (3,), ()]
    assert {kind: where[0].removeprefix(str(path)) for kind, where in audit.examples.items()} == {
        'unknown_attribute': ":4: attribute 103 in ClassId '10_3_103'",
        'attribute_on_part': ":5: ClassId '19_3'",
        'unknown_category': ":6: ClassId '10_x'",
    }


def test_attributes_of_2020_are_known_by_their_names(tmp_path):
    """2020 counts anew: its 146 is 2019's 0, above-the-hip, and its 3 something that 2019 does not have."""
    labels = [dict(id=146, name='above-the-hip (length)'), dict(id=3, name='blouse'), dict(id=7, name='midi')]
    (tmp_path / 'label_descriptions.json').write_text(json.dumps(dict(attributes=labels)))
    path = write_csv(tmp_path, 'a,1 2,5,4,10,"146,3"', 'a,3 2,5,4,10,7', header=f'{HEADER},AttributesIds')
    records, audit = read_records(path)
    assert [instance.attributes for instance in records[0].instances] == [(0,), (7,)]
    assert audit.examples == {'unknown_attribute': [f"{path}:2: attribute 1003 in ClassId '10_0_1003'"]}
    records, audit = read_records(write_csv(tmp_path, 'a,1 2,5,4,10_3'))  # in 2019's layout ids are ids
    assert (records[0].instances[0].attributes, audit.report()) == ((3,), '')
    (tmp_path / 'label_descriptions.json').write_text('{"attributes": [{}]}')
    with pytest.raises(ValueError, match=r'label_descriptions\.json: no list of attributes with id and name'):
        read_records(write_csv(tmp_path, 'a,1 2,5,4,10,3', header=f'{HEADER},AttributesIds'))


def test_every_kind_of_problem_has_a_case():
    assert set(CASES) | FILE_KINDS | {'size_too_large', 'image_without_rows'} == set(RULES)


def test_a_size_that_no_photo_has_is_dropped_and_the_largest_is_kept(tmp_path):
    """At most 2 ** 20 px a side and 2 ** 30 in all: 32,768 squared is right, a row or a column more is not."""
    records, audit = read(
        tmp_path,
        'a.jpg,1 2,32768,32768,3',
        'b.jpg,1 2,1048576,1024,3',
        'c.jpg,1 2,32769,32768,3',
        'd.jpg,1 2,1048577,1,3',
        'e.jpg,1 2,999999999,999999999,3',
    )
    assert [record.image_id for record in records] == ['a.jpg', 'b.jpg']
    assert dict(audit.counts) == {'size_too_large': 3, 'image_without_rows': 3}
    assert audit.examples['size_too_large'] == [
        f'{tmp_path}/train.csv{where}' for where in (':4: 32769x32768', ':5: 1048577x1', ':6: 999999999x999999999')
    ]


GARBLED = """
import sys
from fashion_mmdet.datasets.index_store import open_index
print(dict(open_index(sys.argv[1]).audit.counts))
"""


def test_thousands_of_runs_in_a_photo_of_garbled_size_end_no_process(tmp_path):
    """4,000 runs whose numbers have 15 digits: no text of theirs may be written past its room."""
    step = 999_999_999**2 // 8000
    pixels = ' '.join(f'{2 * run * step + 1} {step if run % 2 else 1}' for run in range(4000))
    path = write_csv(tmp_path, f'a.jpg,{pixels},999999999,999999999,3')
    done = subprocess.run([sys.executable, '-c', GARBLED, path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "{'size_too_large': 1, 'image_without_rows': 1}\n")


def test_an_image_that_loses_all_its_rows_goes(tmp_path):
    records, audit = read(tmp_path, GOOD, 'b.jpg,1 1,7,7,46', 'c.jpg,,7,7,1')
    assert [record.image_id for record in records] == ['a.jpg']
    assert dict(audit.counts) == {'unknown_category': 1, 'empty_mask': 1, 'image_without_rows': 2}
    assert audit.examples['image_without_rows'] == [f'{tmp_path}/train.csv: b.jpg', f'{tmp_path}/train.csv: c.jpg']


def test_a_file_without_problems_has_an_empty_audit(tmp_path):
    """The same mask for another class or another image is no duplicate."""
    records, audit = read(tmp_path, GOOD, 'a.jpg,1 2,5,4,4', 'b.jpg,1 2,5,4,3')
    assert audit.report() == ''
    assert [len(record.instances) for record in records] == [2, 1]


def test_unsorted_and_overlapping_runs_are_mended_both(tmp_path):
    """11-12, 1-4, 3-6 sorted and united: 1-6 and 11-12, 8 px."""
    records, audit = read(tmp_path, 'a.jpg,11 2 1 4 3 4,5,4,7')
    assert dict(audit.counts) == {'runs_unsorted': 1, 'runs_overlapping': 1}
    expected = np.zeros(20, bool)
    expected[[0, 1, 2, 3, 4, 5, 10, 11]] = True
    np.testing.assert_array_equal(
        coco_mask.decode(records[0].instances[0].mask).astype(bool), expected.reshape(5, 4, order='F')
    )


def test_attributes_come_ascending_and_without_the_unknown(tmp_path):
    records, _ = read(tmp_path, 'a.jpg,1 2,5,4,10_34_92_3_100', 'a.jpg,3 2,5,4,13_3_92', 'a.jpg,5 2,5,4,12')
    assert [instance.attributes for instance in records[0].instances] == [(3, 34), (), ()]


@pytest.mark.parametrize('pixels', ['9223372036854775807 2', '5 9223372036854775807', '-9223372036854775808 2'])
def test_runs_beyond_64_bits_lie_outside_the_image(tmp_path, pixels):
    """start + length wraps to a negative number in int64 and would pass for a pixel of the image."""
    records, audit = read(tmp_path, GOOD, f'a.jpg,{pixels},5,4,7')
    assert dict(audit.counts) == {'runs_outside_image': 1}
    assert kept(records[0]) == [(3, 2)]


@pytest.mark.parametrize(
    ('pixels', 'rows', 'columns', 'box'),
    [
        ('7 2', [1, 2], [1, 1], (1, 1, 2, 3)),  # pixels 6 and 7 from 0: 5 a column, so column 1, rows 1 and 2
        ('4 4', [3, 4, 0, 1], [0, 0, 1, 1], (0, 0, 2, 5)),  # 3 to 6: over the foot of column 0 into column 1
        ('20 1', [4], [3], (3, 4, 4, 5)),  # the last pixel
        ('2 1 12 1', [1, 1], [0, 2], (0, 1, 3, 2)),  # row 1 of columns 0 and 2
    ],
)
def test_runs_go_down_the_columns(tmp_path, pixels, rows, columns, box):
    records, _ = read(tmp_path, f'a.jpg,{pixels},5,4,3')
    instance = records[0].instances[0]
    expected = np.zeros((5, 4), bool)
    expected[rows, columns] = True
    np.testing.assert_array_equal(coco_mask.decode(instance.mask).astype(bool), expected)
    assert instance.bbox == box
    assert instance.mask['size'] == [5, 4]
    assert isinstance(instance.mask['counts'], str)  # mmdet ignores bytes


def test_images_come_in_order_of_first_appearance_with_all_their_rows(tmp_path):
    records, _ = read(tmp_path, 'b.jpg,1 1,5,4,1', 'a.jpg,1 1,7,9,2', 'b.jpg,2 1,5,4,3')
    assert [(record.image_id, record.height, record.width) for record in records] == [('b.jpg', 5, 4), ('a.jpg', 7, 9)]
    assert [[instance.category for instance in record.instances] for record in records] == [[1, 3], [2]]


def test_an_image_called_nan_is_an_image(tmp_path):
    """pandas reads NA and nan as missing values unless told not to."""
    records, audit = read(tmp_path, 'NA,1 1,5,4,1', 'nan,1 1,5,4,1')
    assert [record.image_id for record in records] == ['NA', 'nan']
    assert not audit.counts


def test_a_further_column_and_another_order_of_columns_do_no_harm(tmp_path):
    path = write_csv(tmp_path, '3,x,a.jpg,4,5,1 2', header='ClassId,Note,ImageId,Width,Height,EncodedPixels')
    records, _ = read_records(path)
    assert (records[0].height, records[0].width, kept(records[0])) == (5, 4, [(3, 2)])


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('', ': the file is empty; expected the columns ImageId,EncodedPixels,Height,Width,ClassId'),
        ('\n\n', ': the file is empty'),
        (f'{HEADER}\n', ':2: no rows after the header'),
        (HEADER, ':2: no rows after the header'),
        ('a,b\n', ":1: no column 'ImageId'; found 'a,b', expected ImageId,"),
        ('a,b\n1,2\n', ":1: no column 'ImageId'; found 'a,b'"),
        (
            'ImageId,EncodedPixels,ClassId\na.jpg,1 2,3\n',
            ":1: no column 'Height'; found 'ImageId,EncodedPixels,ClassId'",
        ),
        (f'{HEADER}\n{GOOD},x\n', ':2: more values than the 5 columns of line 1'),
        (f'{HEADER}\n{GOOD}\n{GOOD},x\n', 'Expected 5 fields in line 3, saw 6'),
        (f'{HEADER}\n{GOOD}\n"b.jpg,1 2,5,4,3\n', 'not a CSV .*EOF inside string'),
        (f'{HEADER}\n{GOOD}\nb.jpg,1 2\n', ":3: Height '' is no positive whole number"),
        (b'\x89PNG\r\n\x1a\n' + bytes(range(256)), 'not a CSV with the columns ImageId'),
        (b'\x00' * 100, ":1: no column 'ImageId'"),
        (HEADER.encode() + b'\n\xff\xfe', 'not a CSV with the columns ImageId'),
    ],
)
def test_a_file_that_is_not_this_csv_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / 'train.csv'
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message) as error:
        read_records(path)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize('value', ['0', '-5', '5.0', 'x', '', 'nan', '²', '9' * 10, '9' * 5000])
@pytest.mark.parametrize('name', ['Height', 'Width'])
def test_a_size_that_is_no_positive_whole_number_is_refused_by_line_and_value(tmp_path, name, value):
    """Also in a further row of the same image; beyond 9 digits a pixel count would leave 64 bits."""
    size = f'{value},4' if name == 'Height' else f'5,{value}'
    path = write_csv(tmp_path, GOOD, f'a.jpg,4 1,{size},7')
    with pytest.raises(ValueError, match=re.escape(f'{path}:3: {name} {value[:40]!r} is no positive whole number')):
        read_records(path)


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / 'train.csv'
    with pytest.raises(FileNotFoundError, match=re.escape(str(path))):
        read_records(path)
    with pytest.raises(FileNotFoundError, match=re.escape(str(path))):
        list(read_table(path, COLUMNS))


def test_chunks_count_their_rows_on(tmp_path):
    path = write_csv(tmp_path, *[f'a.jpg,{start} 1,5,4,3' for start in (1, 2, 3)])
    chunks = list(read_table(path, COLUMNS, chunk_rows=2))
    assert [chunk.index.tolist() for chunk in chunks] == [[0, 1], [2]]
    assert [chunk['EncodedPixels'].tolist() for chunk in chunks] == [['1 1', '2 1'], ['3 1']]


@pytest.mark.parametrize('blank', ['', ',,,,'])
def test_blank_lines_count_as_lines_and_as_no_rows(tmp_path, blank):
    """The bad ClassId stands in line 6 of the file; a spreadsheet leaves lines of commas."""
    path = write_csv(tmp_path, GOOD, blank, blank, blank, 'b.jpg,1 2,5,4,99', blank)
    records, audit = read_records(path)
    assert len(records) == 1
    assert audit.examples['unknown_category'] == [f"{path}:6: ClassId '99'"]
    assert [len(chunk) for chunk in read_table(path, COLUMNS, chunk_rows=2)] == [1, 1]
    with pytest.raises(ValueError, match=re.escape(f'{path}:5: Height')):
        read_records(write_csv(tmp_path, GOOD, blank, blank, 'b.jpg,1 2,x,4,9'))


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    path = tmp_path / 'train.csv'
    path.write_text(f'{HEADER}\n{GOOD}\n', encoding='utf-8-sig')
    assert len(read_records(path)[0]) == 1


def test_line_numbers_and_duplicates_reach_over_chunks(tmp_path):
    """20,000 rows are a chunk: rows 20,001 and 20,002 stand in lines 20,002 and 20,003."""
    rows = [f'{number}.jpg,1 2,5,4,3' for number in range(20_000)]
    records, audit = read(tmp_path, *rows, rows[0], '1.jpg,1 2,5,4,46')
    assert len(records) == 20_000
    assert audit.examples == {
        'duplicate_row': [f'{tmp_path}/train.csv:20002: 0.jpg 3'],
        'unknown_category': [f"{tmp_path}/train.csv:20003: ClassId '46'"],
    }


def test_a_changed_file_is_read_again(tmp_path):
    first, _ = read(tmp_path, GOOD)
    second, _ = read(tmp_path, GOOD, 'b.jpg,1 1,5,4,1')
    assert [len(first), len(second)] == [1, 2]


def test_the_audit_keeps_the_first_three_examples_and_the_count_of_all():
    audit = Audit()
    for line in range(5):
        audit.add('empty_mask', f'f:{line}')
    assert audit.counts['empty_mask'] == 5
    assert audit.examples['empty_mask'] == ['f:0', 'f:1', 'f:2']


def test_audits_add_up_without_touching_the_one_added():
    """2 + 3 problems, but still only three examples; the second audit is a cached one and must stay."""
    first, second = Audit(), Audit()
    for where in ('a', 'b'):
        first.add('empty_mask', where)
    for where in ('c', 'd', 'e'):
        second.add('empty_mask', where)
    second.add('missing_file', 'x.jpg')
    first.extend(second)
    first.add('missing_file', 'y.jpg')
    assert dict(first.counts) == {'empty_mask': 5, 'missing_file': 2}
    assert first.examples == {'empty_mask': ['a', 'b', 'c'], 'missing_file': ['x.jpg', 'y.jpg']}
    assert dict(second.counts) == {'empty_mask': 3, 'missing_file': 1}
    assert second.examples == {'empty_mask': ['c', 'd', 'e'], 'missing_file': ['x.jpg']}


def test_the_report_has_the_commonest_problem_first_with_its_rule_and_examples():
    audit = Audit()
    audit.add('missing_file', 'x.jpg')
    audit.add('empty_mask', 'f:2')
    audit.add('empty_mask', 'f:3')
    assert audit.report() == (
        'empty_mask: 2 (row dropped)\n    f:2\n    f:3\nmissing_file: 1 (image dropped)\n    x.jpg'
    )


def test_the_summary_is_one_line_with_the_count_the_rule_and_an_example_of_each_kind():
    audit = Audit()
    for where in ('f:2', 'f:3'):
        audit.add('empty_mask', where)
    audit.add('missing_file', 'x.jpg')
    assert audit.summary() == ('empty_mask 2 (row dropped), such as f:2; missing_file 1 (image dropped), such as x.jpg')


def test_the_audit_knows_no_other_kinds():
    with pytest.raises(KeyError, match='typo'):
        Audit().add('typo', 'x')
