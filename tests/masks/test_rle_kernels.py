"""Many masks' runs at once, against pycocotools and one mask at a time."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from fashion_mmdet.masks import rle, rle_kernels
from fashion_mmdet.masks.rle import coco_to_edges, edges_to_coco

SIZE = (17, 23)


def random_masks(count: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Noise of any density, among it empty, full and one-pixel masks; (17, 23) bool."""
    masks = [generator.random(SIZE) < generator.random() ** 2 for _ in range(count)]
    masks[1], masks[3] = np.zeros(SIZE, bool), np.ones(SIZE, bool)
    masks[5] = np.arange(np.prod(SIZE)).reshape(SIZE) == 40
    return masks


def encode(mask: np.ndarray) -> dict:
    written = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {'size': written['size'], 'counts': written['counts'].decode()}


def draw(edges: np.ndarray, bounds: np.ndarray) -> list[np.ndarray]:
    return [
        rle.runs_to_mask((edges[start:stop:2], edges[start + 1 : stop : 2]), *SIZE)
        for start, stop in itertools.pairwise(bounds)
    ]


@pytest.fixture
def masks() -> list[np.ndarray]:
    return random_masks(40, np.random.default_rng(0))


def test_pycocotools_masks_are_read_and_written_byte_for_byte(masks):
    written = [encode(mask) for mask in masks]
    edges, bounds = coco_to_edges(written)
    np.testing.assert_array_equal(draw(edges, bounds), masks)
    assert edges_to_coco(edges, bounds, *SIZE) == written
    assert rle_kernels.measure_areas(edges, bounds).tolist() == [mask.sum() for mask in masks]


def test_counts_as_bytes_and_as_a_list_are_read():
    """Off 3, on 2, off 0, on 1, off 4, on 0, off 2: one run from 3 to 6."""
    text = encode(np.arange(12).reshape(3, 4, order='F') // 3 == 1)
    masks = [{'size': [4, 3], 'counts': [3, 2, 0, 1, 4, 0, 2]}, text, {**text, 'counts': text['counts'].encode()}]
    edges, bounds = coco_to_edges(masks)
    assert (edges.tolist(), bounds.tolist()) == ([3, 6] * 3, [0, 2, 4, 6])


def test_a_mask_not_wanted_has_no_runs(masks):
    wanted = np.arange(len(masks)) % 2 == 0
    drawn = draw(*coco_to_edges([encode(mask) for mask in masks], wanted))
    np.testing.assert_array_equal(drawn, [mask & wish for mask, wish in zip(masks, wanted, strict=True)])


def test_no_masks_are_no_runs():
    edges, bounds = coco_to_edges([])
    assert (edges.size, bounds.tolist(), edges_to_coco(edges, bounds, 4, 4)) == (0, [0], [])


def test_counts_of_seven_characters_are_written_and_read():
    """2^31 pixels before the run."""
    edges, bounds = np.array([2**31, 2**31 + 5]), np.array([0, 2])
    again, _ = coco_to_edges(edges_to_coco(edges, bounds, 65_535, 65_535))
    assert again.tolist() == edges.tolist()


def test_intersections_equal_bitmap_logic(masks):
    edges, bounds = coco_to_edges([encode(mask) for mask in masks])
    for index, mask in enumerate(masks):
        for other in range(0, len(masks), 3):
            assert rle_kernels.intersect(edges, bounds, index, other) == (mask & masks[other]).sum()


def test_kaggle_text_equals_one_mask_at_a_time(masks):
    edges, bounds = coco_to_edges([encode(mask) for mask in masks])
    text, offsets = rle_kernels.write_kaggle(edges, bounds)
    for index, mask in enumerate(masks):
        written = text[offsets[index] : offsets[index + 1]].tobytes().decode()
        assert written == rle.runs_to_kaggle(rle.mask_to_runs(mask))


@pytest.mark.parametrize(('start', 'end'), [(8, 9), (9, 10), (98, 99), (99, 100), (0, 1), (999, 10_099)])
def test_numbers_at_a_power_of_ten_have_their_room(start, end):
    text, _ = rle_kernels.write_kaggle(np.array([start, end]), np.array([0, 2]))
    assert text.tobytes().decode() == f'{start + 1} {end - start}'


def test_overlap_is_settled_as_with_bitmaps(masks):
    """Groups 0 to 2 and -1, which stays out; the masks from 20 on are another image."""
    groups = np.random.default_rng(1).integers(-1, 3, len(masks))
    first_of_image = np.where(np.arange(len(masks)) < 20, 0, 20)
    expected, claimed = [], {}
    for mask, group, first in zip(masks, groups.tolist(), first_of_image.tolist(), strict=True):
        key = (group, first)
        expected.append(mask & ~claimed.get(key, np.zeros(SIZE, bool)) if group >= 0 else mask)
        claimed[key] = claimed.get(key, mask) | mask
    edges, bounds = coco_to_edges([encode(mask) for mask in masks])
    settled, new_bounds = rle_kernels.resolve_overlaps(edges, bounds, groups, first_of_image)
    np.testing.assert_array_equal(draw(settled, new_bounds), expected)
    # Runs stay sorted and apart: what is left is written as pycocotools writes it.
    assert edges_to_coco(settled, new_bounds, *SIZE) == [encode(mask) for mask in expected]


def test_more_runs_after_settling_than_before():
    """The first mask's 8 pixels cut the second's one run into 9; a third, empty, follows."""
    edges, bounds = np.array([*range(2, 18), 0, 20]), np.array([0, 16, 18, 18])  # 8 runs of one pixel, 2 to 16
    settled, new_bounds = rle_kernels.resolve_overlaps(edges, bounds, np.zeros(3, np.int64), np.zeros(3, np.int64))
    assert new_bounds.tolist() == [0, 16, 34, 34]
    assert settled[16:].tolist() == [0, *range(2, 18), 20]


LONG_COUNTS = """
import numpy as np
from fashion_mmdet.masks.rle import coco_to_edges, edges_to_coco
edges = np.unique(np.random.default_rng(0).integers(1, 2 ** 60, 200_000))[:199_000]
masks = edges_to_coco(edges, np.array([0, 100_000, 199_000]), 2 ** 30, 2 ** 30)
np.testing.assert_array_equal(coco_to_edges(masks)[0], edges)
"""


def test_counts_of_any_length_have_their_room():
    """Differences of counts near 2 ** 60 / 200,000 take 9 characters; a process, since what is overrun is its heap."""
    subprocess.run([sys.executable, '-c', LONG_COUNTS], cwd=Path(__file__).parents[2], check=True)


def test_counts_of_more_than_32_bits_are_written_as_pycocotools_writes_shorter_ones():
    """2 ** 35: seven groups of 5 zero bits that go on, each 48 + 32 = 'P', and 1 = '1'. The last count, 2 ** 35 - 1,
    has seven groups of ones, 48 + 32 + 31 = 'o', and a zero, since a group that ends with a one would be negative.
    """
    (mask,) = edges_to_coco(np.array([2**35, 2**35 + 1]), np.array([0, 2]), 2**18, 2**18)
    assert mask['counts'] == 'PPPPPPP11ooooooo0'


def test_numbers_of_19_digits_have_their_room():
    start, end = 10**18, 2 * 10**18
    text, _ = rle_kernels.write_kaggle(np.array([start, end] * 2), np.array([0, 2, 4]))
    assert text.tobytes().decode() == f'{start + 1} {end - start}' * 2


@pytest.mark.parametrize('counts', [[2**62] * 4, [2**70], [3, -1, 4], [[1, 2]], ['x']])
def test_a_list_of_counts_that_cannot_be_is_refused(counts):
    """Four times 2**62 would add up to 0 in 64 bits."""
    with pytest.raises(ValueError, match='mask'):
        coco_to_edges([{'size': [2, 3], 'counts': counts}])


@pytest.mark.parametrize(
    'counts',
    [
        '1n',  # 1 and -2
        'PPPPPPPPPPPP4' * 2,  # twice 2 ** 62 is past 63 bits
        'P' * 13 + '1',  # 2 ** 65
    ],
)
def test_negative_and_endless_counts_are_refused(counts):
    """Their runs would not ascend, and every loop relies on that."""
    good = {'size': [4, 5], 'counts': 'd0'}
    with pytest.raises(ValueError, match=f"^a mask of 4x5 with negative or endless runs: '{counts}'$"):
        coco_to_edges([good, {'size': [4, 5], 'counts': counts}, good])
    coco_to_edges([good, {'size': [4, 5], 'counts': counts}], np.array([True, False]))
