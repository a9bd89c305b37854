"""Masks as runs against mmdet's bitmaps, OpenCV and a plain loop, to the pixel."""

import pickle

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks, mask_target
from mmengine.config import ConfigDict

from fashion_mmdet.datasets.rle_masks import RLEMasks
from fashion_mmdet.masks import rle
from fashion_mmdet.masks.transform import crop, flip
from tests.builders import encode_all, random_mask, random_side, random_stack


def pair(masks: np.ndarray) -> tuple[RLEMasks, BitmapMasks]:
    size = masks.shape[1:]
    return RLEMasks.from_coco(encode_all(masks), size), BitmapMasks(masks, *size)


def assert_same(ours: BitmapMasks, theirs: BitmapMasks) -> None:
    """As a copy, so that the one under test stays with its runs."""
    assert (len(ours), ours.height, ours.width) == (len(theirs), theirs.height, theirs.width)
    drawn = pickle.loads(pickle.dumps(ours)).masks
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn, theirs.masks)


def resize_both(generator: np.random.Generator, ours: RLEMasks, theirs: BitmapMasks) -> tuple[RLEMasks, BitmapMasks]:
    shape = (random_side(generator, 90), random_side(generator, 90))
    return ours.resize(shape), theirs.resize(shape)


def rescale_both(generator: np.random.Generator, ours: RLEMasks, theirs: BitmapMasks) -> tuple[RLEMasks, BitmapMasks]:
    longest = max(ours.height, ours.width) / min(ours.height, ours.width)
    scale = (int(generator.integers(np.ceil(longest), 120 + np.ceil(longest))),) * 2
    return ours.rescale(scale), theirs.rescale(scale)


def flip_both(generator: np.random.Generator, ours: RLEMasks, theirs: BitmapMasks) -> tuple[RLEMasks, BitmapMasks]:
    direction = ('horizontal', 'vertical', 'diagonal')[generator.integers(3)]
    return ours.flip(direction), theirs.flip(direction)


def crop_both(generator: np.random.Generator, ours: RLEMasks, theirs: BitmapMasks) -> tuple[RLEMasks, BitmapMasks]:
    x1, y1 = generator.integers(ours.width), generator.integers(ours.height)
    x2, y2 = generator.integers(x1, ours.width + 5), generator.integers(y1, ours.height + 5)  # empty, or beyond
    box = np.array([x1, y1, x2, y2])
    return ours.crop(box), theirs.crop(box)


def pad_both(generator: np.random.Generator, ours: RLEMasks, theirs: BitmapMasks) -> tuple[RLEMasks, BitmapMasks]:
    shape = (ours.height + int(generator.integers(4)), ours.width + int(generator.integers(4)))
    return ours.pad(shape), theirs.pad(shape)


def expand_both(generator: np.random.Generator, ours: RLEMasks, theirs: BitmapMasks) -> tuple[RLEMasks, BitmapMasks]:
    top, left = generator.integers(5, size=2)
    args = (ours.height + int(top) + 2, ours.width + int(left) + 1, int(top), int(left))
    return ours.expand(*args), theirs.expand(*args)


def choose_both(generator: np.random.Generator, ours: RLEMasks, theirs: BitmapMasks) -> tuple[RLEMasks, BitmapMasks]:
    index = np.flatnonzero(generator.random(len(ours)) < 0.8)
    generator.shuffle(index)
    return ours[index], theirs[index]


OPERATIONS = [resize_both, rescale_both, flip_both, crop_both, pad_both, expand_both, choose_both]


@pytest.mark.parametrize('operation', OPERATIONS, ids=lambda operation: operation.__name__)
def test_an_operation_on_runs_is_that_on_bitmaps(operation):
    """300 stacks of up to four masks; the runs stay runs, sorted, apart and not empty."""
    generator = np.random.default_rng(OPERATIONS.index(operation))
    for _ in range(300):
        ours, theirs = pair(random_stack(generator, random_side(generator), random_side(generator)))
        ours, theirs = operation(generator, ours, theirs)
        starts, ends = ours._runs
        assert (ends > starts).all()
        assert (starts[1:] > ends[:-1]).all()
        assert_same(ours, theirs)


def test_chains_of_operations_equal_those_on_bitmaps():
    """500 chains of six; areas and boxes after each."""
    generator = np.random.default_rng(7)
    for _ in range(500):
        ours, theirs = pair(random_stack(generator, random_side(generator), random_side(generator)))
        for choice in generator.integers(len(OPERATIONS), size=6):
            ours, theirs = OPERATIONS[choice](generator, ours, theirs)
            np.testing.assert_array_equal(ours.areas, theirs.areas)
            np.testing.assert_array_equal(ours.get_bboxes('hbox').tensor, theirs.get_bboxes('hbox').tensor)
        assert isinstance(ours, RLEMasks)
        assert_same(ours, theirs)


def test_a_photos_masks_scaled_on_the_way_in_equal_opencvs():
    """Large to small as in training, and some growing: 150 stacks of up to 300 x 300."""
    generator = np.random.default_rng(8)
    for _ in range(150):
        height, width = generator.integers(1, 300, 2).tolist()
        masks = random_stack(generator, height, width)
        new_size = tuple(generator.integers(1, 128, 2).tolist())
        ours = RLEMasks.from_coco(encode_all(masks), (height, width), new_size)
        assert_same(ours, BitmapMasks(masks, height, width).resize(new_size))


def overlaps(source: int, target: int) -> np.ndarray:
    """Count, times source * target, how much of each old pixel a new one covers; (target, source) int64."""
    return np.array(
        [
            [
                max(0, min((new + 1) * source, (old + 1) * target) - max(new * source, old * target))
                for old in range(source)
            ]
            for new in range(target)
        ]
    )


def test_area_takes_a_pixel_where_at_least_half_is_covered_in_whole_numbers():
    """200 stacks; cover in whole units of 1 / (H h) by 1 / (W w), so that exactly half is exactly half."""
    generator = np.random.default_rng(9)
    for _ in range(200):
        height, width = random_side(generator), random_side(generator)
        masks = random_stack(generator, height, width)
        new_size = (int(generator.integers(1, height + 1)), int(generator.integers(1, width + 1)))
        cover = overlaps(height, new_size[0]) @ masks.astype(np.int64) @ overlaps(width, new_size[1]).T
        expected = (2 * cover >= height * width).astype(np.uint8)
        assert_same(
            RLEMasks.from_coco(encode_all(masks), (height, width), new_size, 'area'),
            BitmapMasks(expected.reshape(len(masks), *new_size), *new_size),
        )


def test_area_is_opencvs_area_but_for_half_covered_pixels():
    mask = np.zeros((90, 70), np.uint8)
    cv2.ellipse(mask, (30, 50), (25, 33), 20.0, 0, 360, 1, -1)
    cover = cv2.resize(mask.astype(np.float32), (31, 40), interpolation=cv2.INTER_AREA)
    ours = RLEMasks.from_coco(encode_all(mask[None]), (90, 70), (40, 31), 'area').masks[0]
    clear = np.abs(cover - 0.5) > 1e-4
    assert clear.mean() > 0.8
    np.testing.assert_array_equal(ours[clear], (cover >= 0.5)[clear])


def test_half_covered_belongs_to_the_mask_and_less_does_not():
    """4 x 4 into 2 x 2: two of four pixels, one of four, four, none."""
    mask = np.array([[1, 1, 1, 0], [0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]], np.uint8)
    assert RLEMasks.from_bitmaps(mask[None]).resize((2, 2), 'area').masks[0].tolist() == [[1, 0], [1, 0]]


def test_growing_by_area_is_bilinear_cut_at_a_half():
    mask = random_stack(np.random.default_rng(13), 12, 9)
    grown = RLEMasks.from_coco(encode_all(mask), (12, 9), (30, 20), 'area')
    expected = [cv2.resize(one.astype(np.float32), (20, 30), interpolation=cv2.INTER_LINEAR) >= 0.5 for one in mask]
    np.testing.assert_array_equal(grown.masks, np.array(expected, np.uint8).reshape(-1, 30, 20))


def test_masks_that_touch_across_the_stack_stay_apart():
    """Two full 2 x 3 masks are one run of the stack: 6 pixels each, and each can be chosen, cropped, padded alone."""
    ours = RLEMasks.from_bitmaps(np.ones((2, 2, 3), np.uint8))
    assert len(ours._runs[0]) == 1
    assert ours.areas.tolist() == [6, 6]
    assert ours[1].areas.tolist() == [6]
    assert ours.get_bboxes('hbox').tensor.tolist() == [[0, 0, 3, 2]] * 2
    padded = ours.pad((3, 4)).masks
    np.testing.assert_array_equal(padded[:, :2, :3], 1)
    assert padded.sum() == 12


@pytest.mark.parametrize(
    'index',
    [
        0,
        -1,
        slice(1, None),
        [2, 0, 0],
        np.array([True, False, True]),
        torch.tensor([1]),
        (np.array([0, 2]),),
        np.array([], int),
    ],
    ids=str,
)
def test_indexing_is_that_of_the_bitmap(index):
    ours, theirs = pair((np.random.default_rng(0).random((3, 7, 5)) < 0.5).astype(np.uint8))
    assert_same(ours[index], theirs[index])


def test_what_is_written_into_the_bitmap_counts():
    """mmdet's RandomErasing writes into `masks`; from then on all follows the bitmap."""
    ours = RLEMasks.from_bitmaps(np.ones((2, 4, 5), np.uint8))
    ours.masks[:, 1:3, 2:] = 0
    assert ours.areas.tolist() == [14, 14]
    assert ours.flip().areas.tolist() == [14, 14]
    assert ours.pad((6, 6)).masks.sum() == 28
    assert ours[0].masks.sum() == 14
    assert len(ours) == 2
    ours.masks = np.zeros((3, 4, 5), np.uint8)
    assert len(ours) == 3
    assert ours.get_bboxes('hbox').tensor.tolist() == [[0, 0, 0, 0]] * 3


@pytest.mark.parametrize(
    ('name', 'args'),
    [
        ('rotate', ((20, 30), 17.0)),
        ('shear', ((20, 30), 0.2)),
        ('translate', ((20, 30), 4)),
        ('translate', ((24, 36), 3, 'vertical')),
        ('resize', ((11, 13), 'bilinear')),
        ('rescale', ((40, 40), 'bilinear')),
        ('pad', ((22, 33), 1)),
    ],
)
def test_what_has_no_form_on_runs_is_the_bitmaps(name: str, args: tuple):
    ours, theirs = pair((np.random.default_rng(1).random((3, 20, 30)) < 0.5).astype(np.uint8))
    assert_same(getattr(ours, name)(*args), getattr(theirs, name)(*args))


def test_no_masks_go_through_everything():
    ours, theirs = pair(np.zeros((0, 6, 4), np.uint8))
    for name, args in (('resize', ((3, 2),)), ('flip', ()), ('rotate', ((6, 4), 5.0)), ('pad', ((9, 9),))):
        assert_same(getattr(ours, name)(*args), getattr(theirs, name)(*args))
    assert ours.to_tensor(torch.float32, 'cpu').shape == (0, 6, 4)
    assert ours.get_bboxes('hbox').tensor.shape == (0, 4)
    assert RLEMasks.from_coco([], (6, 4), (3, 2), 'area').masks.shape == (0, 3, 2)


def test_training_targets_are_those_of_the_bitmap():
    """mmdet's mask_target on boxes in and beyond the mask; both heads of the same numbers, soft targets too."""
    generator = np.random.default_rng(2)
    for soft in (False, True):
        ours, theirs = pair((generator.random((3, 40, 30)) < 0.5).astype(np.uint8))
        corner = generator.random((12, 2)) * 30 - 2
        boxes = torch.from_numpy(np.concatenate([corner, corner + generator.random((12, 2)) * 25], 1)).float()
        chosen = torch.from_numpy(generator.integers(0, 3, 12))
        config = ConfigDict(mask_size=7, soft_mask_target=soft)
        targets = [mask_target([boxes.clone()], [chosen], [masks], config) for masks in (ours, theirs)]
        torch.testing.assert_close(*targets, rtol=0, atol=0)
        assert 0 < targets[0].mean() < 1


def test_tensors_arrays_and_iteration_are_the_bitmaps():
    ours, theirs = pair((np.random.default_rng(3).random((2, 5, 4)) < 0.5).astype(np.uint8))
    assert ours.to_ndarray().dtype == np.uint8
    np.testing.assert_array_equal(ours.to_ndarray(), theirs.to_ndarray())
    torch.testing.assert_close(ours.to_tensor(torch.bool, 'cpu'), theirs.to_tensor(torch.bool, 'cpu'))
    np.testing.assert_array_equal(list(ours), list(theirs))
    assert repr(ours) == 'RLEMasks(num_masks=2, height=5, width=4)'


def test_stacks_go_together_also_with_bitmaps():
    bitmaps = (np.random.default_rng(4).random((4, 5, 3)) < 0.5).astype(np.uint8)
    bitmaps[1:3] = 1
    first, second = RLEMasks.from_bitmaps(bitmaps[:2]), RLEMasks.from_bitmaps(bitmaps[2:])
    assert isinstance(RLEMasks.cat([first, second]), RLEMasks)
    np.testing.assert_array_equal(RLEMasks.cat([first, second]).masks, bitmaps)
    np.testing.assert_array_equal(first.cat([first, BitmapMasks(bitmaps[2:], 5, 3)]).masks, bitmaps)
    np.testing.assert_array_equal(BitmapMasks.cat([BitmapMasks(bitmaps[:2], 5, 3), second]).masks, bitmaps)
    with pytest.raises(ValueError, match='several sizes'):
        RLEMasks.cat([RLEMasks.from_bitmaps(bitmaps), RLEMasks.from_bitmaps(bitmaps.transpose(0, 2, 1))])
    with pytest.raises(ValueError, match='empty list'):
        RLEMasks.cat([])


def test_random_masks_are_mmdets():
    ours, theirs = (kind.random(3, 9, 7, rng=np.random.RandomState(0)) for kind in (RLEMasks, BitmapMasks))
    assert_same(ours, theirs)


def test_boxes_take_the_class_that_a_transform_hands_over():
    ours = RLEMasks.from_bitmaps(np.ones((1, 2, 3), np.uint8))
    assert isinstance(ours.get_bboxes(HorizontalBoxes), HorizontalBoxes)


@pytest.mark.parametrize(
    ('masks', 'message'),
    [
        ([dict(size=[3, 2], counts=[0, 6])], 'a mask of 3x2 for a photo of 2x3'),
        ([dict(size=[2, 3], counts=[0, 6]), dict(size=[2, 3], counts=[0, 5])], 'do not add up to its 2x3 pixels'),
        ([dict(size=[2, 3], counts=[7, -2, 1])], 'a mask with negative or endless runs'),
    ],
)
def test_masks_that_do_not_fit_are_refused(masks: list[dict], message: str):
    with pytest.raises(ValueError, match=message):
        RLEMasks.from_coco(masks, (2, 3))


def test_what_cannot_be_cropped_placed_or_flipped_is_refused():
    runs = rle.mask_to_runs(np.ones((2, 3), bool))
    with pytest.raises(ValueError, match='the box must lie inside and hold a pixel'):
        crop(runs, (2, 3), (1, 0, 1, 2))
    with pytest.raises(ValueError, match='does not fit into 1 x 9'):
        RLEMasks.from_bitmaps(np.ones((1, 2, 3))).expand(1, 9, 0, 0)
    with pytest.raises(ValueError, match="flip direction 'up'"):
        flip(runs, (2, 3), 'up')


def test_counts_of_many_masks_are_read_at_once_as_each_alone():
    """300 groups of one to six masks of one size, some with counts as bytes or as a list."""
    generator = np.random.default_rng(5)
    for _ in range(300):
        height, width = random_side(generator), random_side(generator)
        masks = [
            encode_all(random_mask(generator, height, width)[None].astype(np.uint8))[0]
            for _ in range(generator.integers(1, 7))
        ]
        if generator.random() < 0.3:
            masks[0] = dict(masks[0], counts=masks[0]['counts'].encode())
        if generator.random() < 0.2:
            runs = rle.coco_to_runs(masks[-1])
            masks[-1] = dict(
                masks[-1], counts=np.diff(np.concatenate([[0], np.stack(runs, 1).ravel(), [height * width]])).tolist()
            )
        ours = RLEMasks.from_coco(masks, (height, width)).masks
        np.testing.assert_array_equal(ours, [rle.runs_to_mask(rle.coco_to_runs(mask), height, width) for mask in masks])
