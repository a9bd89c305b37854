"""Resampling: factors by hand, shares counted, ranks, epochs, resume."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from fashion_mmdet import register  # noqa: F401
from fashion_mmdet.datasets import sampler as module
from fashion_mmdet.datasets.sampler import ClassBalancedSampler, draw, repeat_factors, target_weights, to_labels


class Dataset:
    """Labels of a few images, as IMaterialistDataset gives them."""

    def __init__(self, labels: list[list[int]]) -> None:
        self.labels = labels
        self.metainfo = {'classes': tuple('abcdef')}

    def __len__(self) -> int:
        return len(self.labels)

    def get_cat_ids(self, index: int) -> list[int]:
        return self.labels[index]


LABELS = [[0, 1], [0], [0, 0], [0], [], [2, 0], [0]]


def test_the_rarest_class_sets_the_repeat_factor():
    """Class 1 is in 1 of 4 images: sqrt(1.0 / 0.25) = 2. Class 0 is in all: 1."""
    np.testing.assert_allclose(repeat_factors([[0, 1], [0], [0], [0]], threshold=1.0), [2, 1, 1, 1])


def test_a_class_counts_once_an_image_and_an_image_without_objects_has_factor_1():
    """Class 0 twice in one image of 4: f = 1/4, sqrt(0.36 / 0.25) = 1.2."""
    np.testing.assert_allclose(repeat_factors([[0, 0], [], [1], [1]], threshold=0.36), [1.2, 1, 1, 1])


def test_images_with_a_target_weigh_the_factor():
    np.testing.assert_array_equal(target_weights([[0, 1], [2], []], targets=[1, 5], factor=3.0), [3, 1, 1])


@pytest.mark.parametrize(
    'options',
    [
        dict(rule='repeat_factor', threshold=0.5),
        dict(rule='sensitivity', targets=[1, 2], factor=4.0),
        dict(rule='sensitivity', targets=[1], factor=3.0, num_images=23),
    ],
    ids=['repeat', 'sensitivity', 'longer'],
)
def test_over_50_epochs_each_image_comes_as_often_as_its_weight_says(options: dict):
    """An image expected e times comes floor(e) or ceil(e) times: variance f (1 - f) with f the fraction of e.

    Over 50 epochs the count lies within 4 standard deviations, 4 sqrt(50 f (1 - f)), of 50 e; one more for rounding the
    epoch's length up.
    """
    sampler = ClassBalancedSampler(Dataset(LABELS), seed=0, **options)
    counts: Counter[int] = Counter()
    for epoch in range(50):
        sampler.set_epoch(epoch)
        counts.update(sampler)
    scale = len(sampler) / sampler.expected.sum()
    for index, expected in enumerate(sampler.expected * scale):
        fraction = expected % 1
        assert abs(counts[index] - 50 * expected) <= 4 * (50 * fraction * (1 - fraction)) ** 0.5 + 1


def test_the_number_of_draws_is_the_sum_rounded_up_whatever_the_seed():
    """0.5 + 1.7 + 3 = 5.2: six draws, always."""
    assert {len(draw(np.array([0.5, 1.7, 3.0]), np.random.default_rng(seed))) for seed in range(20)} == {6}


def test_each_epoch_has_its_own_order_and_the_same_seed_the_same_epoch():
    first = ClassBalancedSampler(Dataset(LABELS), seed=1)
    epochs = []
    for epoch in range(3):
        first.set_epoch(epoch)
        epochs.append(list(first))
    assert epochs[0] != epochs[1] != epochs[2]
    resumed = ClassBalancedSampler(Dataset(LABELS), seed=1)
    resumed.set_epoch(2)
    assert list(resumed) == epochs[2]


@pytest.mark.parametrize('world_size', [2, 3])
def test_ranks_share_one_epoch_in_disjoint_parts_of_equal_length(monkeypatch: pytest.MonkeyPatch, world_size: int):
    """Dealt out in turn, the parts are the single process's epoch, padded from its start to a multiple."""
    whole = list(ClassBalancedSampler(Dataset(LABELS), seed=5))
    parts = []
    for rank in range(world_size):
        monkeypatch.setattr(module, 'get_dist_info', lambda rank=rank: (rank, world_size))
        part = ClassBalancedSampler(Dataset(LABELS), seed=5)
        assert len(list(part)) == len(part)
        parts.append(list(part))
    assert len({len(part) for part in parts}) == 1
    dealt = [index for round_ in zip(*parts, strict=True) for index in round_]
    assert dealt[: len(whole)] == whole
    assert dealt[len(whole) :] == whole[: len(dealt) - len(whole)]


def test_targets_come_from_a_sensitivity_file(tmp_path):
    (tmp_path / 's.json').write_text('{"targets": [2], "classes": []}')
    sampler = ClassBalancedSampler(Dataset(LABELS), rule='sensitivity', targets=tmp_path / 's.json', factor=2.0, seed=0)
    np.testing.assert_allclose(sampler.expected, np.where(np.arange(7) == 5, 2, 1) * 7 / 8)


def test_contradictions_are_refused():
    with pytest.raises(ValueError, match='rule='):
        ClassBalancedSampler(Dataset(LABELS), rule='random', seed=0)
    with pytest.raises(ValueError, match='targets go with'):
        ClassBalancedSampler(Dataset(LABELS), rule='repeat_factor', targets=[1], seed=0)
    with pytest.raises(ValueError, match='targets go with'):
        ClassBalancedSampler(Dataset(LABELS), rule='sensitivity', seed=0)


@pytest.mark.parametrize(
    'options',
    [
        dict(threshold=0.0),
        dict(threshold=1.5),
        dict(num_images=0),
        dict(threshold=float('nan')),
        dict(factor='x'),
        dict(num_images=1.5),
        dict(rule='sensitivity', targets=[1], factor=0.0),
    ],
)
def test_numbers_out_of_range_are_refused(options: dict):
    with pytest.raises(ValueError, match=rf'^{list(options)[-1]}='):
        ClassBalancedSampler(Dataset(LABELS), seed=0, **options)


def test_the_log_says_what_happens_to_the_classes():
    """Class 1 in 1 of 2 images, drawn twice as often: 1/2 before, 2/3 after."""
    text = module.describe_shift([[0, 1], [0]], np.array([2.0, 1.0]), ['a', 'b', 'c'])
    assert [line.split() for line in text.splitlines()[1:]] == [['a', '1.000', '1.000'], ['b', '0.500', '0.667']]


def test_it_is_registered_where_configs_look_for_samplers():
    from mmdet.registry import DATA_SAMPLERS

    assert DATA_SAMPLERS.get('ClassBalancedSampler') is ClassBalancedSampler


def test_targets_become_the_labels_of_a_data_set_that_keeps_some_categories():
    dataset = SimpleNamespace(category_ids=(3, 23, 7))
    assert to_labels([7, 3], dataset) == [2, 0]
    assert to_labels([7, 3], SimpleNamespace()) == [7, 3]
    with pytest.raises(ValueError, match='leaves out category 4'):
        to_labels([3, 4], dataset)


@pytest.fixture(scope='module')
def photos(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The config of a data set of 4 photos: category 6 in each, 23 in the first too; labels 1 and 0."""
    root = tmp_path_factory.mktemp('wrapped')
    rows = ['0.jpg,1 4,4,4,23', *(f'{index}.jpg,1 4,4,4,6' for index in range(4))]
    (root / 'train.csv').write_text('\n'.join(['ImageId,EncodedPixels,Height,Width,ClassId', *rows]) + '\n')
    return dict(
        type='mmdet.IMaterialistDataset',
        data_root=str(root),
        ann_file='train.csv',
        check_images=False,
        categories=[23, 6],
    )


@pytest.mark.parametrize('scope', ['mmdet', 'mmengine'])
def test_factors_count_over_the_whole_of_nested_wrappers(photos: dict, scope: str):
    """The four photos twice and once more: 23 is in 3 of 12, and sqrt(1 / (3 / 12)) = 2."""
    from mmdet.registry import DATASETS

    twice = dict(type='RepeatDataset', times=2, dataset=photos)
    dataset = DATASETS.build(
        dict(type=f'{scope}.ConcatDataset', datasets=[dict(type=f'{scope}.ConcatDataset', datasets=[twice]), photos])
    )
    sampler = ClassBalancedSampler(dataset, threshold=1.0, seed=0)
    np.testing.assert_allclose(sampler.expected, [2, 1, 1, 1] * 3)
    targeted = ClassBalancedSampler(dataset, rule='sensitivity', targets=[23], factor=3.0, seed=0)
    np.testing.assert_allclose(targeted.expected, np.array([3, 1, 1, 1] * 3) * 12 / 18)


def test_mmengines_class_balance_sees_through_wrappers_and_the_sampler_through_it(photos: dict):
    """Two times four photos, 23 in 2 of 8: ceil(sqrt(1 / (2 / 8))) = 2, so the first photos are there twice: 10.

    Of these 10 images 4 hold 23: sqrt(1 / (4 / 10)).
    """
    from mmdet.registry import DATASETS

    dataset = DATASETS.build(
        dict(
            type='ClassBalancedDataset',
            oversample_thr=1.0,
            dataset=dict(type='ConcatDataset', datasets=[photos, photos]),
        )
    )
    sampler = ClassBalancedSampler(dataset, threshold=1.0, seed=0)
    rare = 2.5**0.5
    np.testing.assert_allclose(sampler.expected, [rare, rare, 1, 1, 1] * 2)


def test_data_sets_with_other_classes_under_the_same_labels_are_refused(photos: dict):
    from mmdet.registry import DATASETS

    dataset = DATASETS.build(dict(type='ConcatDataset', datasets=[photos, {**photos, 'categories': [6, 23]}]))
    with pytest.raises(ValueError, match=r'train_dataloader\.dataset: data set 2 has other classes'):
        ClassBalancedSampler(dataset, seed=0)
