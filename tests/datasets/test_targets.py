"""Target classes: ids, or the file of tools/sensitivity.py."""

from pathlib import Path

import pytest

from fashion_mmdet.datasets.targets import read_targets
from fashion_mmdet.experiments.compare.comparison import read_target_ids


def test_ids_are_taken_as_they_are():
    assert read_targets((3, 0, 45)) == [3, 0, 45]
    assert read_target_ids('0,6, 23') == [0, 6, 23]


def test_a_file_of_sensitivity_is_read(tmp_path: Path):
    file = tmp_path / 'sensitivity.json'
    file.write_text('{"targets": [6, 23], "classes": []}')
    assert read_targets(file) == read_targets(str(file)) == read_target_ids(str(file)) == [6, 23]


def test_targets_that_are_not_there_are_one_line_with_the_command_that_makes_them(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r'python tools/sensitivity\.py .*val\.parquet --out'):
        read_targets(tmp_path / 'sensitivity.json')


@pytest.mark.parametrize('text', ['{"classes": []}', '[1]', '{"targets"', '"text"', ''])
def test_another_file_given_as_targets_is_refused(text: str, tmp_path: Path):
    (tmp_path / 'sensitivity.json').write_text(text)
    with pytest.raises(ValueError, match=r'sensitivity\.json: '):
        read_targets(tmp_path / 'sensitivity.json')


@pytest.mark.parametrize(
    ('text', 'named'),
    [('[46]', '46'), ('[-1]', '-1'), ('["6"]', "'6'"), ('[1.0]', r'1\.0'), ('[true]', 'True'), ('3', '3')],
)
def test_ids_that_do_not_exist_are_named(text: str, named: str, tmp_path: Path):
    file = tmp_path / 'sensitivity.json'
    file.write_text('{"targets": ' + text + '}')
    with pytest.raises(ValueError, match=rf'sensitivity\.json: targets=.*{named}.*: must be a list of whole numbers'):
        read_targets(file)
