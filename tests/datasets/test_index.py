"""The index of a train.csv: the same as reading row by row, fresh, whole, shared."""

import copy
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from processes import wait_until

from fashion_mmdet.datasets import index_build, index_store
from fashion_mmdet.datasets.index import Index, empty_batch, read_batch
from fashion_mmdet.datasets.index_build import build_index
from fashion_mmdet.datasets.index_store import open_index
from fashion_mmdet.datasets.records import read_records
from fashion_mmdet.utils.files import SEAL_BYTES, read_sealed
from tests.builders import HEADER, write_csv
from tests.conftest import ROOT


def random_rows(count: int, seed: int, images: int = 30) -> list[str]:
    """Rows with every kind of problem, images in disorder; the first photos lose all their rows."""
    rng = np.random.default_rng(seed)
    rows: list[str] = []
    for _ in range(count):
        if rows and rng.random() < 0.05:
            rows.append(rows[rng.integers(len(rows))])
            continue
        image, (height, width) = int(rng.integers(images)), (50, 40) if rng.random() < 0.95 else (40, 50)
        edges = np.sort(rng.choice(2000, 2 * int(rng.integers(1, 9)), replace=False)) + 1
        pairs = [f'{start} {end - start}' for start, end in zip(edges[::2], edges[1::2], strict=True)]
        class_id = f'{rng.integers(46)}' + ''.join(f'_{one}' for one in rng.integers(0, 120, rng.integers(0, 3)))
        kind = rng.integers(20)
        if kind == 0:
            rng.shuffle(pairs)
        if kind == 1:
            pairs.append(pairs[0])
        if image < 3 or kind == 2:
            pairs = [['', '5', '1999 9', '7 0', 'x 1', '0 3'][rng.integers(6)]]
        if kind == 3:
            class_id = ['46', '', 'dress'][rng.integers(3)]
        rows.append(f'{image}.jpg,{" ".join(pairs)},{height},{width},{class_id}')
    return rows


def assert_same(index: Index, csv: Path) -> None:
    """What the index gives is what `read_records` gives: objects, order, audit, the order of its kinds."""
    records, audit = read_records(csv)
    assert [index.record(position) for position in range(len(index))] == records
    assert list(index.audit.counts.items()) == list(audit.counts.items())
    assert index.audit.examples == audit.examples
    assert index.audit.report() == audit.report()


@pytest.mark.parametrize('workers', [1, 2])
def test_it_reads_other_layouts_as_reading_row_by_row_does(tmp_path, monkeypatch, workers):
    """2020's columns, blank lines, classes as a spreadsheet writes them, ids that leave the folder; in batches of 2."""
    monkeypatch.setattr(index_build, 'BATCH_ROWS', 2)
    csv = tmp_path / 'train.csv'
    csv.write_text(
        '\n'.join(
            [
                'ImageId,EncodedPixels,Height,Width,ClassId,AttributesIds',
                'a,1 2,5,4,10,"3,34"',
                '',
                ',,,,,',
                'a,3 2,5,4, 6,',
                'b,1 2,5,4,6.0,',
                '',
                '../c,1 2,5,4,6,',
                'b,5 2,5,4,99,',
            ]
        )
        + '\n'
    )
    build_index(csv, tmp_path / 'index', workers)
    index = Index.open(tmp_path / 'index', csv)
    assert_same(index, csv)
    assert [(one.category, one.attributes) for position in range(2) for one in index.instances(position)] == [
        (10, (3, 34)),
        (6, ()),
        (6, ()),
    ]
    assert index.audit.examples == {
        'unsafe_image_id': [f"{csv}:8: '../c'"],
        'unknown_category': [f"{csv}:9: ClassId '99'"],
        'image_without_rows': [f'{csv}: ../c'],
    }


def test_new_names_of_attributes_build_it_anew(tmp_path):
    """2020's column of attributes goes by label_descriptions.json: 7 is then the attribute that 2019 counts as 0."""
    csv = tmp_path / 'train.csv'
    csv.write_text('ImageId,EncodedPixels,Height,Width,ClassId,AttributesIds\na,1 2,5,4,10,7\n')
    assert open_index(csv).instances(0)[0].attributes == (7,)
    (tmp_path / 'label_descriptions.json').write_text('{"attributes": [{"id": 7, "name": "above-the-hip (length)"}]}')
    assert open_index(csv).instances(0)[0].attributes == (0,)


@pytest.mark.parametrize('workers', [1, 2])
@pytest.mark.parametrize('seed', range(2))
def test_it_holds_what_reading_row_by_row_gives(tmp_path, monkeypatch, workers, seed):
    """600 rows in batches of 17, so that duplicates, conflicts and examples reach over batches and processes."""
    monkeypatch.setattr(index_build, 'BATCH_ROWS', 17)
    csv = write_csv(tmp_path, *random_rows(600, seed))
    build_index(csv, tmp_path / 'index', workers)
    index = Index.open(tmp_path / 'index', csv)
    assert_same(index, csv)
    assert len(index.audit.counts) == 11  # every kind that needs no photo
    assert len(index) == 27


def test_columns_are_those_of_the_records(tmp_path):
    """Photo b, 5 x 4, in rows 0 and 2: pixels 1-2 and 20, the last. Photo a, 7 x 9, in row 1: pixels 2-4."""
    csv = write_csv(tmp_path, 'b.jpg,1 2,5,4,10_3_20', 'a.jpg,2 3,7,9,23', 'b.jpg,20 1,5,4,33')
    index = open_index(csv)
    assert [index.image_id(position) for position in range(2)] == ['b.jpg', 'a.jpg']
    assert (index.heights.tolist(), index.widths.tolist(), index.first_rows.tolist()) == ([5, 7], [4, 9], [0, 1])
    assert (index.offsets.tolist(), index.categories.tolist()) == ([0, 2, 3], [10, 33, 23])
    assert (index.boxes.tolist(), index.areas.tolist()) == ([[0, 0, 1, 2], [3, 4, 4, 5], [0, 1, 1, 4]], [2, 1, 3])
    assert [np.flatnonzero(row).tolist() for row in index.labels()] == [[10, 33], [23]]
    assert index.categories_of(0) == [10, 33]
    assert index.find('a.jpg') == index.record(1)
    assert 'a.jpg' in index
    assert 'c.jpg' not in index


def test_a_csv_without_a_good_row_has_an_empty_index(tmp_path):
    csv = write_csv(tmp_path, 'a.jpg,1 1,5,4,46', 'b.jpg,,5,4,1')
    index = open_index(csv)
    assert_same(index, csv)
    assert len(index) == 0
    assert index.labels().shape == (0, 46)
    assert dict(index.audit.counts) == {'unknown_category': 1, 'empty_mask': 1, 'image_without_rows': 2}


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        (['a.jpg,1 2,5,4,3', 'a.jpg,1 2,5,x,3'], r"train\.csv:3: Width 'x' is no positive whole number"),
        (['a.jpg,1 2,5,4,3', 'a.jpg,1 2,5,4,3,9'], 'not a CSV with the columns'),
        ([], ':2: no rows after the header'),
    ],
)
def test_a_file_that_is_not_this_csv_leaves_no_index(tmp_path, rows, message):
    csv = write_csv(tmp_path, *rows)
    with pytest.raises(ValueError, match=message):
        open_index(csv)
    assert not list(tmp_path.glob('*.arrow'))


def test_an_error_in_the_middle_ends_the_processes_too(tmp_path, monkeypatch):
    monkeypatch.setattr(index_build, 'BATCH_ROWS', 5)
    csv = write_csv(tmp_path, *random_rows(60, 0), 'a.jpg,1 2,5,0,3')
    with pytest.raises(ValueError, match=":62: Width '0' is no"):
        build_index(csv, tmp_path / 'index', workers=2)
    assert {path.name for path in tmp_path.iterdir()} == {'train.csv'}


def test_a_missing_csv_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'train\.csv: no such file'):
        open_index(tmp_path / 'train.csv')


@pytest.fixture
def builds(monkeypatch) -> list[Path]:
    """Targets of `build_index`, as they come."""
    targets = []

    def build(csv, target):
        targets.append(target)
        build_index(csv, target)

    monkeypatch.setattr(index_store, 'build_index', build)
    return targets


def test_it_is_built_once_whatever_the_csvs_time(tmp_path, builds):
    csv = write_csv(tmp_path, 'a.jpg,1 2,5,4,3')
    for time_ns in (1, 2, 123_456_789):
        os.utime(csv, ns=(time_ns, time_ns))
        open_index(csv)
    assert builds == [tmp_path / 'train.csv.index.arrow']


def test_a_changed_csv_is_parsed_anew(tmp_path, builds):
    """Another size; the same size at another time; the same size at the same time; larger than any small file."""
    csv = write_csv(tmp_path, 'a.jpg,1 2,5,4,3')
    open_index(csv)
    write_csv(tmp_path, 'a.jpg,1 2,5,4,3', 'b.jpg,1 2,5,4,3')
    assert len(open_index(csv)) == 2
    write_csv(tmp_path, 'a.jpg,1 2,5,4,3', 'b.jpg,1 2,5,4,7')
    os.utime(csv, ns=(1, 123_456_789))
    assert open_index(csv).categories.tolist() == [3, 7]
    write_csv(tmp_path, 'a.jpg,1 2,5,4,3', 'b.jpg,1 2,5,4,8')
    os.utime(csv, ns=(1, 123_456_789))
    assert open_index(csv).categories.tolist() == [3, 8]
    assert len(builds) == 4


def test_a_large_csv_of_the_same_size_and_time_but_other_content_is_parsed_anew(tmp_path, builds):
    """17 MB, nearly all of them in a column that nobody reads."""
    csv = tmp_path / 'train.csv'
    for category in (3, 4):
        csv.write_text(f'{HEADER},Note\na.jpg,1 2,5,4,{category},{"x" * (17 << 20)}\n')
        os.utime(csv, ns=(1, 123_456_789))
        assert open_index(csv).categories.tolist() == [category]
        assert read_records(csv)[0][0].instances[0].category == category
    assert len(builds) == 2


@pytest.mark.parametrize('harm', ['cut', 'empty', 'foreign', 'format'])
def test_an_index_that_is_not_whole_or_of_another_format_is_built_anew(tmp_path, builds, monkeypatch, caplog, harm):
    csv = write_csv(tmp_path, 'a.jpg,1 2,5,4,3')
    if harm == 'format':
        monkeypatch.setattr('fashion_mmdet.datasets.index.FORMAT', 0)
    open_index(csv)
    monkeypatch.undo() if harm == 'format' else None
    path = tmp_path / 'train.csv.index.arrow'
    content = path.read_bytes()
    if harm != 'format':
        path.write_bytes(dict(cut=content[:-100], empty=b'', foreign=b'no index')[harm])
    with pytest.raises(ValueError, match=r'index\.arrow: (damaged|not an index of a train\.csv)'):
        read_batch(path)
    caplog.clear()
    assert_same(open_index(csv), csv)
    assert read_batch(path)[0].num_rows == 1
    (record,) = caplog.records
    assert record.getMessage().startswith(f'{path}: ')
    assert record.getMessage().endswith('; built anew')


def test_a_single_flipped_bit_anywhere_is_noticed_and_mended(tmp_path, builds):
    """In a mask's counts it would be another mask without a word."""
    csv = write_csv(tmp_path, 'a.jpg,1 2 9 3,5,4,3', 'b.jpg,2 3,7,9,23')
    open_index(csv)
    path = tmp_path / 'train.csv.index.arrow'
    content = path.read_bytes()
    places = range(0, len(content), 41)
    for place in places:
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
        open_index(csv)
        assert path.read_bytes() == content
    assert len(builds) == 1 + len(places)


def test_a_csv_that_changes_while_it_is_read_gives_no_index(tmp_path, monkeypatch):
    csv = write_csv(tmp_path, 'a.jpg,1 2,5,4,3')
    check = index_build.check_rows

    def append_and_check(*arguments):
        with open(csv, 'a') as file:
            file.write('b.jpg,1 2,5,4,3\n')
        return check(*arguments)

    monkeypatch.setattr(index_build, 'check_rows', append_and_check)
    with pytest.raises(ValueError, match=r'train\.csv: changed while it was read; start again'):
        open_index(csv)
    assert not list(tmp_path.glob('*.arrow'))


def test_a_csv_rewritten_in_place_while_it_is_read_gives_no_index(tmp_path, monkeypatch):
    """The same size, and the time set back."""
    csv = write_csv(tmp_path, 'a.jpg,1 2,5,4,3')
    check, stat = index_build.check_rows, csv.stat()

    def rewrite_and_check(*arguments):
        write_csv(tmp_path, 'a.jpg,1 2,5,4,4')
        os.utime(csv, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        return check(*arguments)

    monkeypatch.setattr(index_build, 'check_rows', rewrite_and_check)
    with pytest.raises(ValueError, match=r'train\.csv: changed while it was read; start again'):
        open_index(csv)


def test_a_worker_trusts_what_its_parent_has_checked(tmp_path):
    """Eight of them would read the whole index eight times. A seal that does not fit tells whether one was checked."""
    index = open_index(write_csv(tmp_path, 'a.jpg,1 2,5,4,3'))
    text = pickle.dumps(index)
    with open(index.path, 'r+b') as file:
        file.seek(SEAL_BYTES - 1)
        file.write(b'x')
    with pytest.raises(ValueError, match='damaged'):
        read_sealed(index.path)
    assert len(pickle.loads(text)) == 1


def test_where_the_folder_cannot_be_written_the_index_goes_to_the_users_cache(tmp_path, monkeypatch, caplog, builds):
    (tmp_path / 'data').mkdir()
    csv = write_csv(tmp_path / 'data', 'a.jpg,1 2,5,4,3')
    access = os.access
    monkeypatch.setattr(os, 'access', lambda path, mode: Path(path) != tmp_path / 'data' and access(path, mode))
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    for _ in range(2):
        assert_same(open_index(csv), csv)
    (target,) = builds
    assert target.is_relative_to(tmp_path / 'cache' / 'fashion_mmdet')
    assert [path.name for path in (tmp_path / 'data').iterdir()] == ['train.csv']
    assert [record.getMessage() for record in caplog.records] == [
        f'{tmp_path}/data: cannot be written; the index goes to {target}'
    ]


def test_the_audit_names_the_csv_where_it_is_now(tmp_path, builds):
    (tmp_path / 'old').mkdir()
    write_csv(tmp_path / 'old', 'a.jpg,1 2,5,4,46', 'a.jpg,1 2,5,4,3')
    open_index(tmp_path / 'old' / 'train.csv')
    (tmp_path / 'old').rename(tmp_path / 'new')
    csv = tmp_path / 'new' / 'train.csv'
    assert open_index(csv).audit.examples == {'unknown_category': [f"{csv}:2: ClassId '46'"]}
    assert len(builds) == 1


def test_it_pickles_small_and_opens_the_same_file(tmp_path):
    csv = write_csv(tmp_path, *random_rows(300, 5))
    index = open_index(csv)
    text = pickle.dumps(index)
    assert len(text.replace(bytes(tmp_path), b'')) < 4000 < index.path.stat().st_size
    assert_same(pickle.loads(text), csv)
    assert copy.deepcopy(index) is index


def test_a_pickled_index_refuses_the_index_of_another_csv(tmp_path):
    csv = write_csv(tmp_path, 'a.jpg,1 2,5,4,3')
    text = pickle.dumps(open_index(csv))
    write_csv(tmp_path, 'a.jpg,1 2,5,4,4')
    open_index(csv)
    with pytest.raises(ValueError, match='rebuilt from another CSV since this process started'):
        pickle.loads(text)


def test_an_open_index_outlives_its_successor(tmp_path):
    """A training run goes on with the pages it has mapped while another process rebuilds the file."""
    csv = write_csv(tmp_path, 'a.jpg,1 2,5,4,3')
    index = open_index(csv)
    before = index.record(0)
    write_csv(tmp_path, 'c.jpg,1 9,50,40,7')
    open_index(csv)
    assert index.record(0) == before


def test_images_without_objects_make_an_index_in_memory():
    index = pickle.loads(pickle.dumps(Index(empty_batch(['a', 'b'], [(5, 4), (7, 9)]), None)))
    assert [
        (record.image_id, record.height, record.width, record.instances) for record in map(index.record, range(2))
    ] == [('a', 5, 4, []), ('b', 7, 9, [])]


OPEN_ONE = """
import sys
from fashion_mmdet.datasets import index_store
plain = index_store.build_index
index_store.build_index = lambda *arguments: (print('built', end=' '), plain(*arguments))
print(len(index_store.open_index(sys.argv[1])))
"""


@pytest.mark.slow
def test_of_two_processes_one_builds_and_both_read(tmp_path):
    csv = write_csv(tmp_path, *random_rows(3000, 7, images=400))
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    processes = [
        subprocess.Popen([sys.executable, '-c', OPEN_ONE, str(csv)], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    outputs = sorted(process.communicate(timeout=600)[0].split() for process in processes)
    images = str(len(read_records(csv)[0]))
    assert outputs == [[images], ['built', images]]


def test_who_waits_for_the_lock_says_so_and_does_not_build(tmp_path, caplog, monkeypatch):
    """A second thread stands for the other process: it builds while this one waits, and once this one has said so."""
    csv, started, targets = write_csv(tmp_path, 'a.jpg,1 2,5,4,3'), threading.Event(), []

    def build(path, target):
        targets.append(target)
        started.set()
        wait_until(lambda: caplog.records, 'a line that says who waits')
        build_index(path, target)

    monkeypatch.setattr(index_store, 'build_index', build)
    other = threading.Thread(target=open_index, args=(csv,))
    other.start()
    started.wait()
    assert len(open_index(csv)) == 1
    other.join()
    assert len(targets) == 1
    assert [record.getMessage() for record in caplog.records] == [
        f'{csv}: another process builds the index; waiting for it'
    ]
