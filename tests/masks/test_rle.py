"""Run-length masks against pycocotools, OpenCV and plain bitmaps."""

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco

from fashion_mmdet.masks import rle
from fashion_mmdet.masks.transform import nearest_source
from tests.builders import random_mask, random_side
from tests.plain_evaluation import subtract_runs

LARGEST = (6824, 10717)  # H, W of the competition's largest photo


def random_masks(count: int, seed: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [random_mask(generator, random_side(generator), random_side(generator)) for _ in range(count)]


def encode(mask: np.ndarray) -> dict:
    """pycocotools' RLE, counts as bytes."""
    return coco.encode(np.asfortranarray(mask, np.uint8))


def as_lists(runs: rle.Runs) -> list[list[int]]:
    return [runs[0].tolist(), runs[1].tolist()]


def pairs(*runs: tuple[int, int]) -> rle.Runs:
    """Runs from (start, end) pairs."""
    array = np.array(runs, np.int64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


# Kaggle text


def test_runs_go_down_the_columns():
    """2 high, 3 wide:  . # #   down the columns: . # | # # | # .
    # # .   pixels 2 to 5, counted from 1: start 2, length 4. Along the rows it would be 2 2 4 2.
    """
    mask = np.array([[0, 1, 1], [1, 1, 0]], bool)
    assert rle.runs_to_kaggle(rle.mask_to_runs(mask)) == '2 4'
    np.testing.assert_array_equal(rle.runs_to_mask(rle.kaggle_to_runs('2 4'), 2, 3), mask)


def test_a_gap_makes_two_runs():
    """4 high, 2 wide:  # .   down the columns: # # . # | . . # #
    # .   pixels 1 and 2; 4; 7 and 8
    . #
    # #
    """
    mask = np.array([[1, 0], [1, 0], [0, 1], [1, 1]], bool)
    assert rle.runs_to_kaggle(rle.mask_to_runs(mask)) == '1 2 4 1 7 2'
    np.testing.assert_array_equal(rle.runs_to_mask(rle.kaggle_to_runs('1 2 4 1 7 2'), 4, 2), mask)


def test_kaggle_text_survives_a_round_trip():
    for mask in random_masks(300, seed=1):
        text = rle.runs_to_kaggle(rle.mask_to_runs(mask))
        np.testing.assert_array_equal(rle.runs_to_mask(rle.kaggle_to_runs(text), *mask.shape), mask)
        assert rle.runs_to_kaggle(rle.kaggle_to_runs(text)) == text


def test_kaggle_text_equals_the_definition_pixel_by_pixel():
    for mask in random_masks(50, seed=2):
        height = mask.shape[0]
        drawn = np.zeros_like(mask)
        numbers = list(map(int, rle.runs_to_kaggle(rle.mask_to_runs(mask)).split()))
        for start, length in zip(numbers[0::2], numbers[1::2], strict=True):
            for pixel in range(start, start + length):
                drawn[(pixel - 1) % height, (pixel - 1) // height] = True
        np.testing.assert_array_equal(drawn, mask)


def test_an_empty_mask_is_an_empty_text():
    assert rle.runs_to_kaggle(rle.mask_to_runs(np.zeros((3, 4), bool))) == ''
    assert as_lists(rle.kaggle_to_runs('')) == [[], []]
    assert as_lists(rle.kaggle_to_runs(' \n')) == [[], []]


def test_a_full_mask_is_one_run():
    assert rle.runs_to_kaggle(rle.mask_to_runs(np.ones((3, 4), bool))) == '1 12'


def test_parsing_leaves_runs_as_they_stand():
    """Unsorted, overlapping, outside of anything: the audit has to see them. Starts become 0-based."""
    starts, lengths = rle.parse_kaggle(' 9 3\t1 5\n4 0 0 -2 ')
    assert (starts.tolist(), lengths.tolist()) == ([8, 0, 3, -1], [3, 5, 0, -2])
    assert starts.dtype == lengths.dtype == np.int64


@pytest.mark.parametrize('text', ['1', '1 2 3', '5 5 5 5 5'])
def test_an_odd_count_of_numbers_is_refused(text):
    with pytest.raises(ValueError, match=f'^{len(text.split())} numbers, but runs are pairs of start and length$'):
        rle.parse_kaggle(text)


@pytest.mark.parametrize('text', ['1 a', '1.5 2', '1e3 2', 'nan 1', '1,2', '1 99999999999999999999', '0x10 1', '- 1'])
def test_what_is_no_whole_number_is_refused_and_shown(text):
    with pytest.raises(ValueError, match='no whole number') as caught:
        rle.parse_kaggle(text)
    assert repr(text) in str(caught.value)


def test_only_the_head_of_a_long_text_is_shown():
    with pytest.raises(ValueError, match='no whole number') as caught:
        rle.parse_kaggle('x' + '1 2 ' * 10_000)
    assert len(str(caught.value)) < 100


# Merging


@pytest.mark.parametrize(
    ('runs', 'merged'),
    [
        ([(0, 2), (2, 5)], [(0, 5)]),  # touch
        ([(0, 3), (2, 5)], [(0, 5)]),  # overlap
        ([(0, 9), (2, 5)], [(0, 9)]),  # one inside the other
        ([(0, 9), (2, 5), (6, 12)], [(0, 12)]),  # the first reaches past the second to the third
        ([(0, 9), (2, 5), (9, 12)], [(0, 12)]),  # and touches it
        ([(0, 9), (2, 5), (10, 12)], [(0, 9), (10, 12)]),  # and does not
        ([(7, 9), (0, 2), (4, 5)], [(0, 2), (4, 5), (7, 9)]),  # unsorted
        ([(4, 8), (0, 4), (8, 9)], [(0, 9)]),  # unsorted and touching
        ([(3, 4), (3, 6), (3, 5)], [(3, 6)]),  # the same start
        ([(3, 4)], [(3, 4)]),
        ([], []),
    ],
)
def test_runs_are_sorted_and_united(runs, merged):
    assert as_lists(rle.merge_runs(*pairs(*runs))) == as_lists(pairs(*merged))


def test_merging_equals_drawing():
    """1 to 8 runs of 1 to 9 pixels in 40, as a bitmap and as merged runs."""
    generator = np.random.default_rng(3)
    for _ in range(500):
        starts = generator.integers(0, 31, generator.integers(1, 9))
        ends = starts + generator.integers(1, 10, starts.size)
        drawn = np.zeros((40, 1), bool)
        for start, end in zip(starts, ends, strict=True):
            drawn[start:end] = True
        assert as_lists(rle.merge_runs(starts, ends)) == as_lists(rle.mask_to_runs(drawn))


def test_kaggle_runs_that_touch_become_one():
    """1 2 and 3 1: pixels 1, 2 and 3; 0-based 0 to 3."""
    assert as_lists(rle.kaggle_to_runs('3 1 1 2')) == [[0], [3]]


# COCO RLE


def test_coco_rle_equals_pycocotools_byte_for_byte():
    for mask in random_masks(1000, seed=4):
        ours = rle.runs_to_coco(rle.mask_to_runs(mask), *mask.shape)
        theirs = encode(mask)
        assert ours == {'size': theirs['size'], 'counts': theirs['counts'].decode()}


def test_coco_rle_is_read_as_pycocotools_wrote_it():
    for mask in random_masks(500, seed=5):
        written, wanted = encode(mask), as_lists(rle.mask_to_runs(mask))
        assert as_lists(rle.coco_to_runs(written)) == wanted
        assert as_lists(rle.coco_to_runs({**written, 'counts': written['counts'].decode()})) == wanted


def test_pycocotools_decodes_our_rle():
    for mask in random_masks(300, seed=6):
        np.testing.assert_array_equal(coco.decode(rle.runs_to_coco(rle.mask_to_runs(mask), *mask.shape)), mask)


def test_uncompressed_counts_are_read_and_zero_counts_skipped():
    """3 off, 2 on, 0 off, 1 on, 4 off, 0 on, 2 off: pixels 3 to 6 of 12, in one run."""
    assert as_lists(rle.coco_to_runs({'size': [4, 3], 'counts': [3, 2, 0, 1, 4, 0, 2]})) == [[3], [6]]


@pytest.mark.parametrize(('fill', 'counts'), [(0, [12]), (1, [0, 12])])
def test_empty_and_full_masks_have_the_shortest_counts(fill, counts):
    """pycocotools reads [12] as 12 off, [0, 12] as 0 off and 12 on; it writes no trailing zero."""
    ours = rle.runs_to_coco(rle.mask_to_runs(np.full((3, 4), fill)), 3, 4)
    assert ours['counts'] == coco.frPyObjects({'size': [3, 4], 'counts': counts}, 3, 4)['counts'].decode()
    assert as_lists(rle.coco_to_runs(ours)) == [[0] * fill, [12] * fill]


def test_size_and_counts_are_plain_python_for_json():
    ours = rle.runs_to_coco(pairs((0, 1)), np.int64(3), np.int64(4))
    assert [type(side) for side in ours['size']] == [int, int]
    assert type(ours['counts']) is str


def few_large_runs(total: int) -> list[rle.Runs]:
    """Up to 20 runs anywhere in `total` pixels, and the extremes."""
    generator = np.random.default_rng(7)
    cases = [
        pairs(),
        pairs((0, total)),
        pairs((total - 1, total)),
        pairs((0, 1)),
        pairs((0, 1), (total - 1, total)),
        pairs((1, total - 1)),
    ]
    for _ in range(200):
        edges = np.unique(generator.integers(0, total + 1, 2 * generator.integers(1, 20)))
        cases.append((edges[: edges.size // 2 * 2 : 2], edges[1::2]))
    return cases


@pytest.mark.parametrize('size', [LARGEST, (23_170, 23_170)])
def test_large_counts_equal_pycocotools(size):
    """Counts up to 73 million (28 bits with the sign) and 537 million (30 bits): 6 characters. No bitmap is drawn.

    pycocotools reserves 6 characters a count and writes past its memory where one needs 7, from 2^29 on.
    """
    total = size[0] * size[1]
    for runs in few_large_runs(total):
        edges = [0, *np.stack(runs, axis=1).ravel().tolist(), total]
        counts = np.diff(edges).tolist()
        if len(counts) > 1 and counts[-1] == 0:
            counts.pop()
        ours = rle.runs_to_coco(runs, *size)
        theirs = coco.frPyObjects({'size': list(size), 'counts': counts}, *size)
        assert ours['counts'] == theirs['counts'].decode()
        assert as_lists(rle.coco_to_runs(ours)) == as_lists(runs)


def test_counts_of_7_characters_survive_a_round_trip():
    """65,535 squared: 4.3 thousand million, 33 bits with the sign; 7 characters of 5 bits."""
    for runs in few_large_runs(65_535**2):
        assert as_lists(rle.coco_to_runs(rle.runs_to_coco(runs, 65_535, 65_535))) == as_lists(runs)


@pytest.fixture(scope='module')
def large_mask() -> np.ndarray:
    """The largest photo's bitmap with a disc, a frame and a corner pixel."""
    height, width = LARGEST
    mask = np.zeros(LARGEST, np.uint8)
    cv2.circle(mask, (width // 3, height // 2), 2500, 1, -1)
    cv2.rectangle(mask, (5, 7), (width - 3, height - 9), 1, 11)
    mask[-1, -1] = 1
    return mask


def test_the_largest_photo_is_encoded_decoded_and_scaled(large_mask):
    runs = rle.mask_to_runs(large_mask)
    ours, theirs = rle.runs_to_coco(runs, *LARGEST), encode(large_mask)
    assert ours['counts'] == theirs['counts'].decode()
    assert as_lists(rle.coco_to_runs(theirs)) == as_lists(runs)
    assert rle.area(runs) == coco.area(theirs)
    np.testing.assert_array_equal(rle.runs_to_mask(runs, *LARGEST), large_mask)
    for height, width in ((512, 512), (1, 1), (333, 1024)):
        scaled = rle.runs_to_mask(rle.resize(runs, LARGEST, (height, width)), height, width)
        np.testing.assert_array_equal(scaled, cv2.resize(large_mask, (width, height), interpolation=cv2.INTER_NEAREST))


# Area and box


def test_area_counts_pixels():
    for mask in random_masks(200, seed=8):
        assert rle.area(rle.mask_to_runs(mask)) == mask.sum() == coco.area(encode(mask))


def test_the_box_is_tight():
    """4 high, 3 wide, pixels (row 1, column 1) and (row 3, column 2): x 1 to 3, y 1 to 4."""
    mask = np.zeros((4, 3), bool)
    mask[1, 1] = mask[3, 2] = True
    assert rle.bounding_box(rle.mask_to_runs(mask), 4) == (1, 1, 3, 4)


@pytest.mark.parametrize(
    ('runs', 'box'),
    [
        ([], (0, 0, 0, 0)),
        ([(0, 12)], (0, 0, 3, 4)),  # full
        ([(4, 8)], (1, 0, 2, 4)),  # a whole column, to its very bottom, is no run into the next
        ([(6, 9)], (1, 0, 3, 4)),  # rows 2, 3 of column 1 and row 0 of column 2: bottom and top are touched
        ([(11, 12)], (2, 3, 3, 4)),
    ],
)  # the last pixel
def test_boxes_of_a_mask_4_high_and_3_wide(runs, box):
    found = rle.bounding_box(pairs(*runs), 4)
    assert found == box
    assert [type(value) for value in found] == [int] * 4


def test_boxes_equal_pycocotools_and_the_bitmap():
    for mask in random_masks(1000, seed=9):
        x1, y1, x2, y2 = rle.bounding_box(rle.mask_to_runs(mask), mask.shape[0])
        assert [x1, y1, x2 - x1, y2 - y1] == coco.toBbox(encode(mask)).tolist()
        if mask.any():
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            assert (x1, y1, x2, y2) == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)


# Scaling


def test_nearest_source_equals_opencv():
    """A row whose pixels hold their own index shows which OpenCV takes; float32 holds them exactly."""
    generator = np.random.default_rng(10)
    sizes = [
        *generator.integers(1, 200, (1500, 2)),
        *generator.integers(1, 11_000, (500, 2)),
        *((side, 512) for side in (1, 511, 512, 513, *LARGEST, *generator.integers(400, 11_000, 500))),
        (1, 10_717),
        (10_717, 1),
        (3000, 1000),
        (1000, 3000),
    ]
    for size, new_size in sizes:
        row = np.arange(size, dtype=np.float32)[None]
        wanted = cv2.resize(row, (int(new_size), 1), interpolation=cv2.INTER_NEAREST)[0]
        np.testing.assert_array_equal(nearest_source(int(size), int(new_size)), wanted, f'{size} to {new_size}')


def test_scaling_equals_opencv_to_the_pixel():
    """3,000 masks, sides 1 to 60 to sides 1 to 60, each runs against bitmap; the runs come out in canonical form."""
    generator = np.random.default_rng(11)
    for mask in random_masks(3000, seed=12):
        height, width = random_side(generator), random_side(generator)
        scaled = rle.resize(rle.mask_to_runs(mask), mask.shape, (height, width))
        wanted = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        assert as_lists(scaled) == as_lists(rle.mask_to_runs(wanted)), f'{mask.shape} to {(height, width)}'


@pytest.mark.parametrize('size', [(1, 1), (1, 700), (700, 1), (6824, 3), (3, 10_717), (1000, 1500)])
@pytest.mark.parametrize('new_size', [(512, 512), (1, 512), (512, 1), (1, 1)])
def test_scaling_to_the_submission_and_to_lines_equals_opencv(size, new_size):
    mask = (np.random.default_rng(13).random(size) < 0.5).astype(np.uint8)
    scaled = rle.runs_to_mask(rle.resize(rle.mask_to_runs(mask), size, new_size), *new_size)
    wanted = cv2.resize(mask, new_size[::-1], interpolation=cv2.INTER_NEAREST)
    np.testing.assert_array_equal(scaled, wanted)


def test_half_size_keeps_every_second_pixel():
    """4x4 with one pixel in row 2, column 2 survives at (1, 1); one in row 1, column 1 is passed over."""
    mask = np.zeros((4, 4), bool)
    mask[2, 2] = True
    assert as_lists(rle.resize(rle.mask_to_runs(mask), (4, 4), (2, 2))) == [[3], [4]]
    mask = np.zeros((4, 4), bool)
    mask[1, 1] = True
    assert as_lists(rle.resize(rle.mask_to_runs(mask), (4, 4), (2, 2))) == [[], []]


def test_scaling_to_the_same_size_changes_nothing():
    runs = pairs((1, 3), (5, 6))
    assert as_lists(rle.resize(runs, (2, 3), (2, 3))) == as_lists(runs)


def test_coco_rle_is_scaled_as_runs_are():
    for mask in random_masks(100, seed=14):
        written = {'size': list(mask.shape), 'counts': encode(mask)['counts'].decode()}
        wanted = cv2.resize(mask.astype(np.uint8), (37, 23), interpolation=cv2.INTER_NEAREST)
        scaled = rle.resize_coco(written, (23, 37))
        assert scaled == {'size': [23, 37], 'counts': encode(wanted)['counts'].decode()}
        assert rle.resize_coco(scaled, (23, 37)) == scaled


# Set logic


def pairs_of_masks(count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(seed)
    sizes = [(random_side(generator, 20), random_side(generator, 20)) for _ in range(count)]
    return [(random_mask(generator, *size), random_mask(generator, *size)) for size in sizes]


def test_subtracting_equals_bitmap_logic():
    for mask, other in pairs_of_masks(1000, seed=15):
        left = subtract_runs(rle.mask_to_runs(mask), rle.mask_to_runs(other))
        assert as_lists(left) == as_lists(rle.mask_to_runs(mask & ~other))


def test_uniting_equals_bitmap_logic():
    for mask, other in pairs_of_masks(1000, seed=16):
        both = rle.unite(rle.mask_to_runs(mask), rle.mask_to_runs(other))
        assert as_lists(both) == as_lists(rle.mask_to_runs(mask | other))


@pytest.mark.parametrize(
    ('runs', 'other', 'left'),
    [
        ([(0, 9)], [(3, 5)], [(0, 3), (5, 9)]),  # a hole
        ([(0, 9)], [(0, 9)], []),
        ([(0, 9)], [(9, 12)], [(0, 9)]),  # only touch
        ([(0, 3), (5, 9)], [(2, 6)], [(0, 2), (6, 9)]),  # over a gap
        ([(4, 6)], [(0, 9)], []),
        ([], [(0, 9)], []),
        ([(0, 9)], [], [(0, 9)]),
    ],
)
def test_subtracting_by_hand(runs, other, left):
    assert as_lists(subtract_runs(pairs(*runs), pairs(*other))) == as_lists(pairs(*left))
