"""Which photos a command line names, what they are called, and what is said of them."""

from pathlib import Path

import pytest

from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.inference.listing import find_photos, name_photos, picture_stems
from fashion_mmdet.inference.result import make_result
from fashion_mmdet.inference.wording import count_name, describe_garments
from tests.builders import make_prediction


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ('b.jpg', 'a.PNG', 'deep/c.webp', 'notes.txt', '.hidden/d.jpg', '.e.jpg', 'odd[1].jpg'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ('named', 'wanted'),
    [
        (['.'], ['a.PNG', 'b.jpg', 'deep/c.webp', 'odd[1].jpg']),
        (['deep', 'b.jpg', 'deep/c.webp'], ['deep/c.webp', 'b.jpg']),
        (['*.jpg'], ['b.jpg', 'odd[1].jpg']),
        (['**/c.*'], ['deep/c.webp']),
        (['odd[1].jpg'], ['odd[1].jpg']),
        (['notes.txt'], ['notes.txt']),
    ],
)
def test_files_folders_and_patterns_each_photo_once(folder: Path, monkeypatch, named: list[str], wanted: list[str]):
    monkeypatch.chdir(folder)
    assert [path.as_posix() for path in find_photos(named)] == wanted


def test_the_pictures_of_the_last_time_are_no_photos(folder: Path, monkeypatch):
    """They lie in the folder; where the results go into the folder itself, its photos stay photos."""
    monkeypatch.chdir(folder)
    assert [path.name for path in find_photos(['.'], Path('deep'))] == ['a.PNG', 'b.jpg', 'odd[1].jpg']
    assert len(find_photos(['.'], Path('.'))) == 4
    assert [path.name for path in find_photos(['deep'], Path('deep'))] == ['c.webp']


@pytest.mark.parametrize(
    ('named', 'error', 'said'), [('x.jpg', FileNotFoundError, 'x.jpg'), ('*.gif', ValueError, r'\*\.gif: no photos')]
)
def test_nothing_there_is_an_error(folder: Path, monkeypatch, named: str, error: type, said: str):
    monkeypatch.chdir(folder)
    with pytest.raises(error, match=said):
        find_photos([named])


def test_photos_are_called_by_their_files_and_by_their_folders_only_where_needed():
    assert name_photos([Path('x/1.jpg'), Path('y/2.jpg')]) == ['1.jpg', '2.jpg']
    assert name_photos([Path('s/x/1.jpg'), Path('s/y/1.jpg')]) == ['x/1.jpg', 'y/1.jpg']


def test_pictures_of_photos_that_differ_in_their_suffix_keep_it():
    """Case counts nowhere: on some disks A.jpg would overwrite a.jpg."""
    assert picture_stems(['a.jpg', 'b.jpg', 'B.png']) == ['a', 'b.jpg', 'B.png']


def test_garments_are_counted_the_surest_first():
    """make_prediction scores 0.9, 0.7 and 0.5."""
    found = make_prediction('a.jpg', (23, (0, 0, 2, 2)), (4, (2, 2, 4, 4)), (23, (4, 4, 6, 6)), size=(9, 9))
    assert describe_garments(make_result(found).garments) == '2 shoes (0.90, 0.50), 1 jacket (0.70)'
    many = make_prediction('a.jpg', *[(37, (one, 0, one + 1, 1)) for one in range(5)], size=(9, 9))
    assert describe_garments(make_result(many).garments) == '5 beads (0.90 to 0.50)'
    assert describe_garments([]) == 'nothing found'


def test_names_have_their_plural():
    wanted = dict(watch='watches', dress='dresses', scarf='scarves', pants='pants', glasses='glasses', skirt='skirts')
    for one, many in wanted.items():
        assert count_name(CATEGORIES.index(one), 1) == one
        assert count_name(CATEGORIES.index(one), 2) == many
