"""The generated sample: same seed same bytes, honest labels, the Kaggle layout."""

import csv
import json
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fashion_mmdet.classes import ATTRIBUTES, CATEGORIES, NUM_MAIN_CATEGORIES
from fashion_mmdet.masks.rle import parse_kaggle
from fashion_mmdet.synthetic import draw_person, make_sample
from fashion_mmdet.synthetic.figure import sample_figure
from fashion_mmdet.synthetic.outfit import LENGTHS
from fashion_mmdet.synthetic.person import min_area_px, paint_person
from fashion_mmdet.synthetic.sizes import imaterialist_size
from fashion_mmdet.synthetic.textures import PATTERNS

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools'))
import make_sample as tool

NAMED = {'sleeve', 'collar', 'pocket', 'belt', 'bag, wallet', 'shoe', 'hat', 'glasses'}
FIRST_PART = 27
LENGTH_IDS, FIT_IDS, OPENING_IDS = range(0, 10), (40, 41, 42, 43), range(10, 19)


def read_rows(path):
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def files_of(root):
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob('*')) if path.is_file()}


@pytest.fixture(scope='module')
def sample(tmp_path_factory):
    """60 training and 6 test images of 192 x 128."""
    root = tmp_path_factory.mktemp('sample')
    make_sample(root, 60, 6, height=192, width=128, seed=3, workers=1)
    return root


def test_two_processes_write_the_same_bytes_as_one(sample, tmp_path):
    make_sample(tmp_path, 60, 6, height=192, width=128, seed=3, workers=2)
    assert files_of(tmp_path) == files_of(sample)


def test_a_larger_sample_begins_with_the_smaller_one(sample, tmp_path):
    make_sample(tmp_path, 3, height=192, width=128, seed=3, workers=1)
    small = files_of(tmp_path)
    large = files_of(sample)
    assert len(list((tmp_path / 'train').iterdir())) == 3
    for name in (tmp_path / 'train').iterdir():
        assert small[name.relative_to(tmp_path)] == large[name.relative_to(tmp_path)]
    assert large[Path('train.csv')].startswith(small[Path('train.csv')])


def test_another_seed_draws_other_people(sample, tmp_path):
    make_sample(tmp_path, 2, height=192, width=128, seed=4, workers=1)
    for image in (tmp_path / 'train').iterdir():
        assert image.read_bytes() != (sample / 'train' / image.name).read_bytes()


def test_sixty_images_show_at_least_twenty_categories(sample):
    seen = {CATEGORIES[int(row['ClassId'].split('_')[0])] for row in read_rows(sample / 'train.csv')}
    assert len(seen) >= 20
    assert seen >= NAMED


def test_attributes_are_legal_ascending_and_on_main_garments_only(sample):
    """At most one length, one fit and one opening; exactly one pattern on every main garment."""
    patterns = {row[0] for row in PATTERNS.values()}
    for row in read_rows(sample / 'train.csv'):
        category, *attributes = map(int, row['ClassId'].split('_'))
        assert attributes == sorted(set(attributes))
        if category >= NUM_MAIN_CATEGORIES:
            assert not attributes
            continue
        assert all(0 <= attribute < len(ATTRIBUTES) for attribute in attributes)
        assert len(patterns.intersection(attributes)) == 1
        for group in (LENGTH_IDS, FIT_IDS, OPENING_IDS):
            assert sum(attribute in group for attribute in attributes) <= 1


def test_the_names_of_lengths_and_patterns_are_those_of_the_classes():
    for name, (index, _) in LENGTHS.items():
        assert ATTRIBUTES[index].removesuffix(' (length)') == name
    for name, (index, *_) in PATTERNS.items():
        if index != 61:  # plain cloth: smooth, ribbed, quilted, twill
            assert name in ATTRIBUTES[index]


def test_runs_are_sorted_and_lie_inside_the_image(sample):
    for row in read_rows(sample / 'train.csv'):
        height, width = int(row['Height']), int(row['Width'])
        starts, lengths = parse_kaggle(row['EncodedPixels'])
        assert cv2.imread(str(sample / 'train' / row['ImageId'])).shape == (height, width, 3)
        assert starts[0] >= 0
        assert starts[-1] + lengths[-1] <= height * width
        assert (lengths > 0).all()
        assert (starts[1:] > (starts + lengths)[:-1]).all()
        assert lengths.sum() >= min_area_px(height, width)


@pytest.mark.parametrize('size', [(384, 256), (333, 127), (127, 333), (32, 32)])
def test_garments_do_not_overlap_and_parts_lie_on_them(size):
    for index in range(6):
        image, objects = draw_person(*size, np.random.default_rng([7, index]))
        assert image.shape == (*size, 3)
        assert image.dtype == np.uint8
        garments = np.zeros(size, int)
        for item in objects:
            assert item.mask.shape == size
            assert item.mask.dtype == bool
            garments += item.mask & (item.category < FIRST_PART)
        assert garments.max() <= 1
        for item in objects:
            if item.category >= FIRST_PART:
                assert (garments[item.mask] == 1).mean() > 0.99


def test_csv_masks_are_the_drawn_ones(sample):
    """Image 5 of seed 3: drawn again, its masks are the rows of train.csv, pixel by pixel."""
    _, objects = draw_person(192, 128, np.random.default_rng([3, 0, 5]))
    rows = [row for row in read_rows(sample / 'train.csv') if row['ImageId'] == 'sample_000005.jpg']
    assert [row['ClassId'] for row in rows] == ['_'.join(map(str, (o.category, *o.attributes))) for o in objects]
    for row, item in zip(rows, objects, strict=True):
        pixels = np.zeros(192 * 128, bool)
        for start, length in zip(*parse_kaggle(row['EncodedPixels']), strict=True):
            pixels[start : start + length] = True
        np.testing.assert_array_equal(pixels.reshape(128, 192).T, item.mask)


def test_truth_and_submission_cover_the_test_images(sample):
    names = {path.name for path in (sample / 'test').iterdir()}
    assert len(names) == 6
    assert {row['ImageId'] for row in read_rows(sample / 'test_truth.csv')} == names
    submission = read_rows(sample / 'sample_submission.csv')
    assert sorted(row['ImageId'] for row in submission) == sorted(names)
    assert {(row['EncodedPixels'], row['ClassId']) for row in submission} == {('1 1', '0')}
    assert not names & {path.name for path in (sample / 'train').iterdir()}


def test_label_descriptions_name_every_class(sample):
    content = json.loads((sample / 'label_descriptions.json').read_text())
    assert [item['name'] for item in content['categories']] == list(CATEGORIES)
    assert [item['id'] for item in content['attributes']] == list(range(92))


def test_a_person_is_as_tall_as_three_quarters_of_the_picture():
    """A wide picture leaves room at the sides, so the height decides: 0.75 to 0.95 of 400."""
    for index in range(50):
        figure = sample_figure(400, 600, np.random.default_rng(index), (200, 160, 120), umbrella=index % 5 == 0)
        assert 300 <= figure.scale_px <= 380


def test_mixed_sizes_are_upright_large_and_often_3000_by_2000():
    sizes = np.array([imaterialist_size(np.random.default_rng(index)) for index in range(2000)])
    assert 0.18 < (sizes == (3000, 2000)).all(axis=1).mean() < 0.27
    assert (sizes[:, 0] > sizes[:, 1]).mean() > 0.7
    assert 5e6 < np.median(sizes.prod(axis=1)) < 7e6


def test_a_new_sample_replaces_the_old_one(tmp_path):
    make_sample(tmp_path, 4, 2, height=48, width=32, workers=1)
    make_sample(tmp_path, 2, 0, height=48, width=32, workers=1)
    assert sorted(path.name for path in tmp_path.rglob('*.jpg')) == ['sample_000000.jpg', 'sample_000001.jpg']
    assert read_rows(tmp_path / 'test_truth.csv') == []


@pytest.mark.parametrize(
    'argv',
    [
        ['--images', '-1'],
        ['--test-images', '-2'],
        ['--height', '31'],
        ['--width', '0'],
        ['--width', '99999'],
        ['--seed', '-1'],
        ['--workers', '0'],
    ],
)
def test_nonsense_is_refused_in_one_line(argv, tmp_path, capsys):
    with pytest.raises(SystemExit, match=r'^2$'):
        tool.main([str(tmp_path / 'new'), *argv])
    error = capsys.readouterr().err
    assert re.fullmatch(r'make_sample: [^\n]+\n', error)
    assert argv[1] in error
    assert not (tmp_path / 'new').exists()


@pytest.mark.parametrize('name', ['train.csv', 'train/0a1b.jpg'])
def test_a_folder_with_real_photos_is_refused_and_left_alone(name, tmp_path, capsys):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text('ImageId,EncodedPixels,Height,Width,ClassId\n0a1b.jpg,1 1,9,9,6\n')
    before = files_of(tmp_path)
    with pytest.raises(SystemExit, match=r'^2$'):
        tool.main([str(tmp_path), '--images', '1'])
    assert name in capsys.readouterr().err
    assert files_of(tmp_path) == before


def test_the_tool_writes_a_sample(tmp_path, capsys):
    assert tool.main([str(tmp_path), '--images', '2', '--test-images', '1', '--height', '64', '--width', '48']) == 0
    assert '2 training and 1 test images' in capsys.readouterr().out
    assert len(list(tmp_path.rglob('*.jpg'))) == 3


def test_views_show_the_same_clothes_on_other_people(tmp_path):
    """Images 2 k and 2 k + 1 share an outfit: same category, attributes and number make the same identity."""
    make_sample(tmp_path, 12, height=192, width=128, seed=5, workers=1, views=2)
    rows, same = read_rows(tmp_path / 'train.csv'), read_rows(tmp_path / 'train_identities.csv')
    assert [(row['ImageId'], row['ClassId']) for row in rows] == [(row['ImageId'], row['ClassId']) for row in same]
    worn = {}
    for row in same:
        image = int(row['ImageId'][7:13])
        assert row['Identity'].startswith(f'outfit_{image // 2:06d}_')
        worn.setdefault(row['Identity'], {})[image] = row['ClassId']
    assert all(len(set(images.values())) == 1 for images in worn.values())
    assert sum(len(images) == 2 for images in worn.values()) > len(worn) / 2  # a part may be hidden in one pose
    photos = [cv2.imread(str(tmp_path / 'train' / f'sample_{index:06d}.jpg')) for index in (0, 1)]
    assert np.abs(photos[0].astype(int) - photos[1]).mean() > 10


def test_the_same_clothes_add_the_same_objects_in_the_same_order():
    for outfit in range(30):
        one, other = (
            paint_person(96, 64, np.random.default_rng(seed), np.random.default_rng(outfit)) for seed in (1, 2)
        )
        assert one.kinds == other.kinds


def test_without_views_there_are_no_identities_and_an_older_list_goes(tmp_path):
    make_sample(tmp_path, 2, height=96, width=64, workers=1, views=2)
    make_sample(tmp_path, 2, height=96, width=64, workers=1)
    assert not (tmp_path / 'train_identities.csv').exists()
