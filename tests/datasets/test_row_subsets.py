"""Rows of some images, taken out and put back."""

from pathlib import Path

import pytest

from fashion_mmdet.datasets.row_subsets import replace_rows, select_rows
from tests.builders import write_csv
from tests.conftest import run_here
from tools import merge_labels as tool

HEADER = 'ImageId,EncodedPixels,Height,Width,ClassId\n'
A, B, B2, C = 'a.jpg,1 5,10,10,0', 'b.jpg,1 5,10,10,6_1_2', 'b.jpg,6 5,10,10,9', 'c.jpg,1 5,10,10,0'


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    return write_csv(tmp_path, A, B, C, B2)


def test_rows_come_out_as_they_are(truth: Path):
    assert select_rows(truth, ['b.jpg']) == f'{HEADER}{B}\n{B2}\n'
    assert select_rows(truth, []) == HEADER


def test_what_was_taken_out_goes_back_unchanged_but_for_its_place(truth: Path, tmp_path: Path):
    rows = tmp_path / 'rows.csv'
    rows.write_text(select_rows(truth, ['b.jpg', 'a.jpg']))
    assert replace_rows(truth, rows) == f'{HEADER}{C}\n{A}\n{B}\n{B2}\n'


def test_corrected_rows_replace_all_of_their_image_whatever_the_order_of_columns(truth: Path, tmp_path: Path):
    rows = write_csv(
        tmp_path, '3,b.jpg,2 2,10,10', header='ClassId,ImageId,EncodedPixels,Height,Width', name='rows.csv'
    )
    out = tmp_path / 'new.csv'
    assert run_here(tool.main, truth, rows, '--out', out).returncode == 0
    assert out.read_text() == f'{HEADER}{A}\n{C}\nb.jpg,2 2,10,10,3\n'


@pytest.mark.parametrize(
    ('header', 'row', 'complaint'),
    [
        (HEADER.strip(), 'd.jpg,1 5,10,10,0', "rows.csv:2: {truth} has no image 'd.jpg'"),
        (f'{HEADER.strip()},AttributesIds', f'{A},1', "column 'AttributesIds' is in one alone"),
        ('ImageId', 'a.jpg', "no column 'EncodedPixels'"),
    ],
)
def test_rows_that_do_not_belong_are_one_line(truth: Path, tmp_path: Path, header: str, row: str, complaint: str):
    rows = write_csv(tmp_path, row, header=header, name='rows.csv')
    done = run_here(tool.main, truth, rows, '--out', tmp_path / 'new.csv')
    assert (done.returncode, done.stderr.count('\n')) == (2, 1)
    assert complaint.format(truth=truth) in done.stderr


def test_a_merge_does_not_overwrite_what_it_reads(truth: Path):
    assert run_here(tool.main, truth, truth, '--out', truth).returncode == 2
