"""The data set over the index: mmdet's options, pickling, no masks held."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from mmengine.dataset import ClassBalancedDataset, ConcatDataset

from fashion_mmdet.datasets.image_list import ImageList
from fashion_mmdet.datasets.imaterialist import IMaterialistDataset
from tests.builders import write_csv

IMAGES = 12


@pytest.fixture
def root(tmp_path) -> Path:
    """12 photos of 50 x 40, of which photo i has 1 + i % 3 objects of categories i and up; no files."""
    rows = [
        f'{image}.jpg,{1 + 9 * number} {3 + image},50,40,{image + number}'
        for image in range(IMAGES)
        for number in range(1 + image % 3)
    ]
    write_csv(tmp_path, *rows)
    return tmp_path


def dataset(root: Path, **options) -> IMaterialistDataset:
    return IMaterialistDataset(
        data_root=str(root), ann_file='train.csv', data_prefix=dict(img_path='train'), check_images=False, **options
    )


def ids(data: IMaterialistDataset) -> list[str]:
    return [data.get_data_info(index)['img_id'] for index in range(len(data))]


def names(*images: int) -> list[str]:
    return [f'{image}.jpg' for image in images]


def test_the_list_makes_dicts_and_holds_none(root):
    images = dataset(root).load_data_list()
    assert isinstance(images, ImageList)
    assert len(images) == IMAGES
    assert [image['img_id'] for image in images] == names(*range(IMAGES))
    assert images[2]['instances'][1] == dict(
        bbox=[0, 9, 1, 14],
        bbox_label=3,
        attributes=(),
        ignore_flag=0,  # pixels 10 to 14 of the first column
        mask=images[2]['instances'][1]['mask'],
    )
    images[2]['instances'].clear()  # a transform may do as it likes with its dict
    assert len(images[2]['instances']) == 3


def test_indices_from_either_end_count_as_mmdet_counts(root):
    data = dataset(root)
    first, last = data.get_data_info(0), data.get_data_info(-1)
    assert (first['img_id'], first['sample_idx']) == ('0.jpg', 0)
    assert (last['img_id'], last['sample_idx']) == ('11.jpg', 11)
    assert data.get_cat_ids(-1) == [11, 12, 13]
    with pytest.raises(IndexError):
        data.get_data_info(IMAGES)


@pytest.mark.parametrize('serialize', [True, False])
def test_serializing_makes_no_difference(root, serialize):
    data = dataset(root, serialize_data=serialize)
    assert ids(data) == names(*range(IMAGES))
    assert not hasattr(data, 'data_bytes')


@pytest.mark.parametrize(
    ('indices', 'expected'),
    [(3, [0, 1, 2]), (-2, [10, 11]), ([5, 0, 5], [5, 0, 5]), ((11, -1), [11, 11]), ([], []), (0, [])],
)
def test_mmdets_subsets(root, indices, expected):
    whole = dataset(root)
    part = whole.get_subset(indices)
    assert ids(part) == names(*expected)
    assert len(whole) == IMAGES
    if expected:
        assert ids(dataset(root, indices=indices)) == names(*expected)
    whole.get_subset_(indices)
    assert ids(whole) == names(*expected)


def test_a_lazy_data_set_reads_nothing_before_it_is_asked(root):
    data = dataset(root, lazy_init=True)
    assert not list(root.glob('*.arrow'))
    assert data.get_cat_ids(2) == [2, 3, 4]
    assert (len(data), ids(data)[0]) == (IMAGES, '0.jpg')


def test_a_file_of_proposals_is_refused(root):
    with pytest.raises(ValueError, match=r"proposal_file='p\.pkl': this data set takes no proposals"):
        dataset(root, proposal_file='p.pkl')


def test_a_data_set_pickles_without_its_masks(root):
    data = dataset(root, num_images=7)
    text = pickle.dumps(data)
    counts = data.get_data_info(6)['instances'][0]['mask']['counts'].encode()
    assert counts in (root / 'train.csv.index.arrow').read_bytes()
    assert counts not in text
    assert [pickle.loads(text).get_data_info(index) for index in range(7)] == [
        data.get_data_info(index) for index in range(7)
    ]


def test_mmdets_wrappers_read_it(root):
    """Category 11 is in photos 9 (9 to 9), 10 (10, 11) and 11: wrapped twice, 24 photos, labels as they are."""
    data = dataset(root)
    both = ConcatDataset([data, data])
    assert (len(both), both.get_data_info(IMAGES)['img_id']) == (2 * IMAGES, '0.jpg')
    balanced = ClassBalancedDataset(data, oversample_thr=0.5)
    assert len(balanced) > IMAGES


def test_who_has_objects_goes_by_the_chosen_categories(root):
    """Category 3 is in photos 2 (2, 3, 4) and 3 (3); 0 in photo 0 alone."""
    images = dataset(root, categories=[3, 0]).load_data_list()
    assert np.flatnonzero(images.have_objects()).tolist() == [0, 2, 3]
    assert [images.labels(image) for image in (0, 1, 2, 3)] == [[1], [], [0], [0]]
