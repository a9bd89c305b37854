"""The gallery of a dump; truth and predictions as in test_compare: a box of width w has an IoU of w / 5.

Widths 5, 3.8 and none give the images a, b, c scores of 1, 0.6 and 0.
"""

import re
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fashion_mmdet.evaluation.error_types import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE
from fashion_mmdet.evaluation.overlay import ERROR_LOOKS
from fashion_mmdet.evaluation.postprocess import Postprocess
from fashion_mmdet.experiments.gallery.entries import PREDICTED, collect_entries, find_photos, rank, read_categories
from fashion_mmdet.experiments.gallery.page import draw_entry
from tests.builders import EVIL, write_shirt_dump, write_shirts
from tools import visualize as tool

WIDTHS = [5, 3.8, None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Truth, photos and `val.parquet` of the images a, b, c."""
    write_shirt_dump(tmp_path / 'val.parquet', WIDTHS)
    return write_shirts(tmp_path / 'data')


def run(root: Path, *options: str) -> tuple[str, list[str]]:
    """Run the tool; return the page and the names of its photos in order."""
    out = root.parent / 'gallery'
    assert tool.main([str(root.parent / 'val.parquet'), '--out', str(out), *options]) == 0
    text = (out / 'index.html').read_text()
    for source in re.findall(r'<img src="([^"]+)"', text):
        with Image.open(out / unescape(source)) as picture:
            assert picture.format == 'JPEG'
    return text, re.findall(r'data-name="([^"]+)"', text)


def filtered(root: Path, name: str) -> str:
    """Run the tool with the truth and give the objects of a photo as the page's filter sees them."""
    text, _ = run(root, '--truth', str(root / 'train.csv'))
    return re.search(rf'data-name="{name}" data-score="([\d.]+)" data-objects="([^"]*)"', text).groups()


def test_the_worst_photo_comes_first_and_the_counts_are_those_of_the_metric(root: Path):
    text, names = run(root, '--truth', str(root / 'train.csv'))
    assert names == ['c.jpg', 'b.jpg', 'a.jpg']
    assert re.findall(r'<b data-count="(\w+)">(\d+)</b>', text) == [
        (TRUE_POSITIVE, '2'),
        (FALSE_NEGATIVE, '1'),
        (FALSE_POSITIVE, '0'),
    ]
    assert '3 photos score 0.533' in text  # (1 + 0.6 + 0) / 3
    assert text.count('loading="lazy"') == 3
    assert filtered(root, 'c.jpg') == ('0.0', '0:missed:1')
    assert filtered(root, 'b.jpg') == ('0.6', '0:hit:1')


def test_the_best_come_first_and_no_more_than_asked_for(root: Path):
    assert run(root, '--truth', str(root / 'train.csv'), '--best', '--limit', '2')[1] == ['a.jpg', 'b.jpg']


def test_a_stricter_iou_turns_a_hit_into_a_miss_and_a_spurious_object(root: Path):
    """b overlaps by 0.76."""
    entries = collect_entries(root.parent / 'val.parquet', root / 'train.csv', Postprocess(), iou=0.8)
    assert entries[1].tally() == {(0, FALSE_NEGATIVE): 1, (0, FALSE_POSITIVE): 1}
    assert [entry.score for entry in rank(entries)] == pytest.approx([0, 0.6, 1])


def test_only_photos_with_the_classes_asked_for_are_shown(root: Path):
    assert run(root, '--truth', str(root / 'train.csv'), '--classes', 'blouse', '6')[1] == ['c.jpg', 'b.jpg', 'a.jpg']
    text, names = run(root, '--truth', str(root / 'train.csv'), '--classes', 'skirt')
    assert names == []
    assert 'Only skirt.' in text


def test_without_a_truth_the_dump_is_shown_in_its_order(root: Path):
    text, names = run(root, '--images', str(root / 'train'))
    assert names == ['a.jpg', 'b.jpg', 'c.jpg']
    assert re.findall(r'<b data-count="(\w+)">(\d+)</b>', text) == [(PREDICTED, '2')]
    assert 'data-order' not in text.split('<script>')[0]


def test_a_photo_that_is_missing_is_left_out_and_said(root: Path):
    (root / 'train' / 'c.jpg').unlink()
    text, names = run(root, '--truth', str(root / 'train.csv'))
    assert names == ['b.jpg', 'a.jpg']
    assert '1 photo is missing' in text


def test_a_dump_does_not_reach_photos_outside_the_folder(tmp_path: Path):
    (tmp_path / 'train').mkdir()
    Image.new('RGB', (4, 4)).save(tmp_path / 'stolen.jpg')
    entry = SimpleNamespace(image_id='../stolen.jpg')
    for look in (lambda: find_photos([entry], tmp_path / 'train'), lambda: draw_entry(entry, tmp_path / 'train')):
        with pytest.raises(ValueError, match=r"ImageId '\.\./stolen\.jpg' does not name a photo inside"):
            look()


def test_the_picture_marks_what_was_missed_left_and_what_was_hit_right(root: Path):
    """The photo is grey 128; the shirt covers the left half; 0.34 of the type's colour, 0.66 of the grey."""
    entries = collect_entries(root.parent / 'val.parquet', root / 'train.csv', Postprocess())
    for entry, error_type in ((entries[2], FALSE_NEGATIVE), (entries[0], TRUE_POSITIVE)):
        picture = np.asarray(draw_entry(entry, root / 'train'))
        np.testing.assert_allclose(
            picture[90, 90], [0.66 * 128 + 0.34 * value for value in ERROR_LOOKS[error_type].colour], atol=1.5
        )
        assert picture[90, 600].tolist() == [128] * 3
    right = np.asarray(draw_entry(entries[2], root / 'train'))[90, 728 + 90]
    assert right.tolist() == [128] * 3, 'nothing predicted: the bare photo'


def test_the_page_fetches_nothing_from_elsewhere_and_runs_no_foreign_text(tmp_path: Path):
    name = EVIL.replace('/', '')
    write_shirts(tmp_path / 'data', names=['a'])
    (tmp_path / 'data' / 'train' / 'a.jpg').rename(tmp_path / 'data' / 'train' / f'{name}.jpg')
    write_shirt_dump(tmp_path / 'val.parquet', [5], names=[name])
    text, _ = run(tmp_path / 'data', '--images', str(tmp_path / 'data' / 'train'))
    assert not re.search(r'url\(|@import|https?://', text)
    assert text.count('<script') == 1
    assert name not in text


def test_photos_of_one_stem_get_a_picture_each(tmp_path: Path):
    """x/1.jpg and x_1.jpg were both drawn into x_1.jpg."""
    names = ['x_1', 'x/1']
    root = write_shirts(tmp_path / 'data', names=['x_1', 'y'])
    (root / 'train' / 'x').mkdir()
    (root / 'train' / 'y.jpg').rename(root / 'train' / 'x' / '1.jpg')
    write_shirt_dump(tmp_path / 'val.parquet', [5, None], names=names)
    text, _ = run(root, '--images', str(root / 'train'))
    sources = re.findall(r'<img src="([^"]+)"', text)
    assert len(set(sources)) == len(list((tmp_path / 'gallery' / 'pictures').iterdir())) == 2


def test_classes_are_ids_or_names():
    assert read_categories(['8', 'Blouse', 'top, t-shirt, sweatshirt', '8']) == [0, 1, 8]


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        (['--truth', '{root}/train.csv', '--classes', 'kilt'], '--classes kilt: no such category'),
        (['--truth', '{root}/train.csv', '--classes', '46'], '--classes 46: no such category'),
        (['--truth', '{root}/none.csv'], 'none.csv'),
        (['--truth', '{root}/train.csv', '--images', '{root}/none'], 'none: no such folder of photos'),
        (['--images', '{root}'], 'has none of the 3 photos, such as a.jpg'),
        (['--images', '{root}/train', '--options', 'blur=1'], 'postprocess.blur: no such option'),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_wrong_input_is_one_line(root: Path, capsys: pytest.CaptureFixture, options: list[str], said: str):
    with pytest.raises(SystemExit) as exit_:
        run(root, *(option.format(root=root) for option in options))
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count('\n') == 1
