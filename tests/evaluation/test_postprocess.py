"""From raw predictions to final masks: every option, by hand and against plain bitmaps."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import plain_evaluation as plainly
import pytest
import torch
from mmdet.models.roi_heads.mask_heads.fcn_mask_head import _do_paste_mask
from pycocotools import mask as coco_mask

from fashion_mmdet.benchmarks.scenes import make_raw
from fashion_mmdet.evaluation.paste_loops import paste_masks
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import Prediction, RawPrediction
from fashion_mmdet.masks import rle

HEIGHT, WIDTH = 10, 20
EVERYTHING = dict(score_thr=0.0, nms_iou=None, overlap='none')


def paste(probs: np.ndarray, box: np.ndarray, height: int, width: int, threshold: float) -> rle.Runs:
    """Paste one (M, M) mask into its box."""
    probs, box = np.asarray(probs, np.float32), np.asarray(box, np.float64)
    edges, _ = paste_masks(probs[None], box[None], height, width, np.float32([threshold]))
    return edges[0::2].copy(), edges[1::2].copy()


def raw_prediction(
    *objects: tuple[int, float, tuple], size: tuple[int, int] = (HEIGHT, WIDTH), probability: float = 1.0
) -> RawPrediction:
    """Solid objects (category, score, box x1 y1 x2 y2); a box of whole pixels up to 28 wide pastes to its block."""
    count = len(objects)
    return RawPrediction(
        image_id='x.jpg',
        height=size[0],
        width=size[1],
        categories=np.array([one[0] for one in objects], np.int64),
        scores=np.array([one[1] for one in objects], np.float32),
        boxes=np.array([one[2] for one in objects], np.float32).reshape(count, 4),
        mask_probs=np.full((count, 28, 28), probability, np.float16),
    )


def areas(prediction: Prediction) -> list[int]:
    return [int(coco_mask.area(mask)) for mask in prediction.masks]


def found(prediction: Prediction) -> list[tuple[int, float, int]]:
    """Category, score and area of every object."""
    scores = [round(float(score), 3) for score in prediction.scores]
    return list(zip(prediction.categories.tolist(), scores, areas(prediction), strict=True))


def block(x1: int, y1: int, x2: int, y2: int, size: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    mask = np.zeros(size, np.uint8)
    mask[y1:y2, x1:x2] = 1
    return mask


# Paste.

ENDLESS = """
import sys
import numpy as np
from fashion_mmdet.evaluation.paste_loops import paste_masks
boxes = np.array(eval(sys.argv[1], {'inf': np.inf, 'nan': np.nan}), np.float64)
probs, thresholds = np.ones((len(boxes), 28, 28), np.float32), np.full(len(boxes), 0.5, np.float32)
edges, bounds = paste_masks(probs, boxes, 10, 20, thresholds)
print([int((edges[a:b][1::2] - edges[a:b][::2]).sum()) for a, b in zip(bounds[:-1], bounds[1:])])
"""


def paste_apart(boxes: str) -> str:
    """Paste masks of ones into boxes of a photo 10 high and 20 wide in a process of its own: the areas as text."""
    return subprocess.run(
        [sys.executable, '-c', ENDLESS, boxes],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    ).stdout.strip()


def test_a_box_without_an_end_gives_no_pixel_and_ends():
    """A loop in machine code could not even be interrupted."""
    assert (
        paste_apart(
            '[[5, 0, inf, 10], [0, 0, 20, inf], [-inf, 0, 20, 10], [-inf, -inf, inf, inf], '
            '[nan, 0, 20, 10], [0, 0, 20, nan], [inf, 0, inf, 10]]'
        )
        == '[0, 0, 0, 0, 0, 0, 0]'
    )


def test_a_gigantic_box_is_sampled_where_the_photo_lies_in_it():
    """In the middle of the first mask all is 1. At the left end of the second the value is half of that, as at the edge
    of every mask, and 0.5 is in. The third begins far to the right of the photo; the fourth is smaller than a pixel.
    """
    assert (
        paste_apart('[[-1e30, -1e30, 1e30, 1e30], [0, 0, 1e30, 10], [1e30, 0, 2e30, 10], [0, 0, 1e-30, 1e-30]]')
        == '[200, 200, 0, 0]'
    )


def random_box(kind: str, height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    """A box x1 y1 x2 y2, float32."""
    reach = np.array([width, height, width, height])
    corners = {
        'anywhere': lambda: generator.uniform(-0.3, 1.3, 4) * reach,
        'inside': lambda: generator.uniform(0, 1, 4) * reach,
        'whole pixels': lambda: np.round(generator.uniform(-0.3, 1.3, 4) * reach),
        'tiny': lambda: (
            np.repeat(generator.uniform(0, 1, (1, 2)) * reach[:2], 2, axis=0).ravel()
            + np.append([0, 0], generator.uniform(0.01, 1.5, 2))
        ),
        'whole height': lambda: generator.uniform(0, 1, 4) * reach * [1, 0, 1, 0] + [0, 0, 0, height],
        'whole image': lambda: reach * [0, 0, 1, 1],
    }[kind]()
    x1, x2 = sorted(corners[[0, 2]])
    y1, y2 = sorted(corners[[1, 3]])
    return np.array([x1, y1, x2, y2], np.float32)


def random_probs(generator: np.random.Generator) -> np.ndarray:
    """Noise, or a slope with an offset; (28, 28) float16."""
    if generator.random() < 0.5:
        return generator.random((28, 28)).astype(np.float16)
    slope = np.add.outer(*generator.uniform(-0.6, 0.6, (2, 1)) * np.linspace(-1, 1, 28))
    return np.clip(slope + generator.normal(0.5, 0.3), 0, 1).astype(np.float16)


@pytest.mark.parametrize('kind', ['anywhere', 'inside', 'whole pixels', 'tiny', 'whole height', 'whole image'])
@pytest.mark.parametrize('threshold', [0.5, 0.45])
def test_paste_equals_mmdets(kind, threshold):
    """250 masks in images of 1 x 1 to 90 x 90. Only where mmdet's value is the threshold to within float32 rounding may
    a pixel differ: not one mask by more than a pixel, not one pixel in a thousand.
    """
    generator = np.random.default_rng(0)
    pixels = different = 0
    for _ in range(250):
        height, width = generator.integers(1, 91, 2).tolist()
        box, probs = random_box(kind, height, width, generator), random_probs(generator)
        if not (box[2] > box[0] and box[3] > box[1]):
            continue
        pasted, _ = _do_paste_mask(
            torch.from_numpy(probs)[None, None].float(), torch.from_numpy(box)[None], height, width, skip_empty=False
        )
        values = pasted[0].numpy()
        unlike = rle.runs_to_mask(paste(probs, box, height, width, threshold), height, width) != (values >= threshold)
        assert unlike.sum() <= 1
        assert (np.abs(values - threshold)[unlike] < 1e-5).all()
        pixels, different = pixels + values.size, different + unlike.sum()
    assert different <= pixels / 1000


def test_paste_equals_mmdets_for_many_masks_at_512():
    """As the metric and the submission use it: 40 boxes partly outside a 512 x 512 image."""
    generator = np.random.default_rng(1)
    boxes = np.stack([random_box('anywhere', 512, 512, generator) for _ in range(40)])
    probs = np.stack([random_probs(generator) for _ in range(40)])
    pasted, _ = _do_paste_mask(
        torch.from_numpy(probs)[:, None].float(), torch.from_numpy(boxes), 512, 512, skip_empty=False
    )
    for values, box, prob in zip(pasted.numpy(), boxes, probs, strict=True):
        unlike = rle.runs_to_mask(paste(prob, box, 512, 512, 0.5), 512, 512) != (values >= 0.5)
        assert unlike.sum() <= 1
        assert (np.abs(values - 0.5)[unlike] < 1e-5).all()


def test_below_a_half_a_large_mask_reaches_a_pixel_beyond_its_box_as_mmdets_does():
    """A solid mask 300 high at rows 50 to 349: half a pixel beyond, the last cell weighs 0.5 - 0.5 * 28 / 300 = 0.453,
    so a threshold of 0.45 takes in rows 49 and 350. Runs of one column must not go on into the next.
    """
    box, probs = np.array([0, 50, 20, 350], np.float32), np.ones((28, 28), np.float16)
    pasted, where = _do_paste_mask(torch.ones(1, 1, 28, 28), torch.from_numpy(box)[None], 400, 20, skip_empty=True)
    expected = np.zeros((400, 20), bool)
    expected[where] = pasted[0].numpy() >= 0.45
    mask = rle.runs_to_mask(paste(probs, box, 400, 20, 0.45), 400, 20)
    np.testing.assert_array_equal(mask, expected)
    np.testing.assert_array_equal(np.flatnonzero(mask[:, 10]), np.arange(49, 351))


def test_a_box_of_whole_pixels_pastes_to_its_block():
    """Solid mask, 4 x 3 pixels at x 2, y 1, in an image that is not square."""
    runs = paste(np.ones((28, 28), np.float16), np.array([2, 1, 6, 4]), HEIGHT, WIDTH, 0.5)
    np.testing.assert_array_equal(rle.runs_to_mask(runs, HEIGHT, WIDTH), block(2, 1, 6, 4))


def test_paste_keeps_rows_and_columns_apart():
    """Upper half of the mask in: the upper half of the box, rows 2 to 4 of 2 to 7."""
    probs = np.zeros((28, 28), np.float16)
    probs[:14] = 1
    runs = paste(probs, np.array([3, 2, 13, 8]), HEIGHT, WIDTH, 0.6)
    np.testing.assert_array_equal(rle.runs_to_mask(runs, HEIGHT, WIDTH), block(3, 2, 13, 5))


def test_a_mask_as_high_as_the_image_makes_one_run():
    """Columns 3 to 7 of 10 pixels touch end to start: pixels 30 to 79."""
    starts, ends = paste(np.ones((28, 28), np.float16), np.array([3, 0, 8, 10]), HEIGHT, WIDTH, 0.5)
    assert (starts.tolist(), ends.tolist()) == ([30], [80])


@pytest.mark.parametrize(
    'box', [(3, 3, 3, 8), (3, 3, 8, 3), (8, 8, 3, 3), (-9, 2, -3, 8), (25, 2, 30, 8), (2, -9, 8, -3), (2, 15, 8, 19)]
)
def test_a_box_without_area_or_outside_gives_no_pixel(box):
    starts, ends = paste(np.ones((28, 28), np.float16), np.array(box), HEIGHT, WIDTH, 0.5)
    assert starts.size == ends.size == 0
    assert found(postprocess(raw_prediction((3, 0.9, box)), Postprocess())) == []


def test_a_pixel_below_the_mask_threshold_is_out():
    """A probability of 0.25 over all of the box's 16 pixels: a threshold of 0.249 keeps them, 0.26 none."""
    raw = raw_prediction((3, 0.9, (2, 2, 6, 6)), probability=0.25)
    assert areas(postprocess(raw, Postprocess(mask_thr=0.249))) == [16]
    assert areas(postprocess(raw, Postprocess(mask_thr=0.26))) == []


# Size.


def test_masks_come_at_the_size_asked_for():
    """40 x 20 (H x W) to 10 x 10: x halves, y quarters, (4, 8, 12, 24) becomes (2, 2, 6, 6)."""
    raw = raw_prediction((3, 0.9, (4, 8, 12, 24)), size=(40, 20))
    prediction = postprocess(raw, Postprocess(), size=(10, 10))
    assert prediction.size == (10, 10)
    assert prediction.masks[0]['size'] == [10, 10]
    np.testing.assert_array_equal(coco_mask.decode(prediction.masks[0]), block(2, 2, 6, 6, (10, 10)))


def test_at_512_a_mask_is_pasted_into_the_scaled_box():
    """300 x 100 (H x W) to 512 x 512: x by 5.12, y by 512 / 300."""
    generator = np.random.default_rng(2)
    raw = raw_prediction((3, 0.9, (10.3, 20.7, 70.1, 180.2)), size=(300, 100))
    raw.mask_probs[0] = random_probs(generator)
    box = raw.boxes[0] * np.array([5.12, 512 / 300, 5.12, 512 / 300])
    expected = rle.runs_to_mask(paste(raw.mask_probs[0], box, 512, 512, 0.5), 512, 512)
    np.testing.assert_array_equal(coco_mask.decode(postprocess(raw, Postprocess(), size=(512, 512)).masks[0]), expected)


def test_without_a_size_masks_are_the_photos():
    prediction = postprocess(raw_prediction((3, 0.9, (4, 2, 12, 8))), Postprocess())
    assert prediction.size == (HEIGHT, WIDTH)
    np.testing.assert_array_equal(coco_mask.decode(prediction.masks[0]), block(4, 2, 12, 8))


# Scores.


def scored(*scores: float, category: int = 3) -> RawPrediction:
    """Objects of 4 px side by side, so that nothing overlaps."""
    return raw_prediction(*[(category, score, (2 * index, 0, 2 * index + 2, 2)) for index, score in enumerate(scores)])


def test_a_score_at_the_threshold_stays():
    assert found(postprocess(scored(0.25, 0.5, 0.75), Postprocess(score_thr=0.5))) == [(3, 0.75, 4), (3, 0.5, 4)]


def test_a_score_threshold_per_category_with_a_default():
    """6 from 0.25 on, 23 from 0.75 on (a number in a JSON file is a string), all others from 0.5 on."""
    raw = raw_prediction(
        *[
            (category, score, (2 * index, 0, 2 * index + 2, 2))
            for index, (category, score) in enumerate(
                [(6, 0.3), (6, 0.2), (23, 0.8), (23, 0.7), (3, 0.6), (3, 0.4), (45, 0.5), (0, 0.49)]
            )
        ]
    )
    options = Postprocess(score_thr={'default': 0.5, 6: 0.25, '23': 0.75})
    assert found(postprocess(raw, options)) == [(23, 0.8, 4), (3, 0.6, 4), (45, 0.5, 4), (6, 0.3, 4)]


def test_without_a_default_the_other_categories_threshold_is_a_half():
    thresholds = Postprocess(score_thr={6: 0.25}).score_thresholds()
    assert thresholds.shape == (46,)
    assert thresholds[6] == 0.25
    assert (np.delete(thresholds, 6) == 0.5).all()


def test_objects_come_by_descending_score_and_ties_keep_the_models_order():
    """Areas 4, 6, 8 and 10 tell the objects apart: 0.9, then the three at 0.75 in their order."""
    raw = raw_prediction(
        (3, 0.75, (0, 0, 2, 2)), (3, 0.75, (2, 0, 4, 3)), (3, 0.9, (4, 0, 6, 4)), (3, 0.75, (6, 0, 8, 5))
    )
    assert areas(postprocess(raw, Postprocess())) == [8, 4, 6, 10]


def test_many_ties_keep_the_models_order():
    """100 objects, every third at 0.75, the others at 0.5, each with its own box: an unstable sort shuffles them."""
    boxes = [(0, index % 10, 1 + index // 10, 1 + index % 10) for index in range(100)]
    raw = raw_prediction(*[(3, 0.5 if index % 3 else 0.75, box) for index, box in enumerate(boxes)])
    masks = postprocess(raw, Postprocess(nms_iou=None, overlap='none')).masks
    order = sorted(range(100), key=lambda index: index % 3 > 0)
    assert [coco_mask.decode(mask).tobytes() for mask in masks] == [block(*boxes[index]).tobytes() for index in order]


def test_of_equal_scores_the_first_keeps_the_pixels():
    """Both 0.75, overlapping in columns 6 to 9: 40 px stay with the first."""
    raw = raw_prediction((3, 0.75, (6, 0, 16, 10)), (3, 0.75, (0, 0, 10, 10)))
    prediction = postprocess(raw, Postprocess(nms_iou=None))
    np.testing.assert_array_equal(coco_mask.decode(prediction.masks[0]), block(6, 0, 16, 10))
    np.testing.assert_array_equal(coco_mask.decode(prediction.masks[1]), block(0, 0, 6, 10))


@pytest.mark.parametrize(('limit', 'scores'), [(None, [0.9, 0.8, 0.7]), (2, [0.9, 0.8]), (5, [0.9, 0.8, 0.7]), (0, [])])
def test_at_most_so_many_objects_an_image(limit, scores):
    prediction = postprocess(scored(0.7, 0.9, 0.8), Postprocess(max_per_image=limit))
    np.testing.assert_allclose(prediction.scores, scores, rtol=1e-6)


def test_the_limit_counts_detections_before_nms_and_area():
    """Of 0.9 at columns 0 to 9, 0.8 on the same pixels and 0.7 beside them, a limit of two takes 0.9 and 0.8; NMS drops
    0.8 (IoU 1), and 0.7 does not move up. After NMS it would be the second. Likewise a mask of 16 px keeps its place.
    """
    raw = raw_prediction((3, 0.9, (0, 0, 10, 10)), (3, 0.8, (0, 0, 10, 10)), (3, 0.7, (12, 0, 20, 10)))
    assert found(postprocess(raw, Postprocess(max_per_image=2))) == [(3, 0.9, 100)]
    assert found(postprocess(raw, Postprocess())) == [(3, 0.9, 100), (3, 0.7, 80)]
    small_first = raw_prediction((3, 0.9, (0, 0, 4, 4)), (3, 0.8, (6, 0, 16, 10)))
    assert found(postprocess(small_first, Postprocess(max_per_image=1, min_area=17))) == []


def test_dropped_categories_are_not_predicted_and_take_no_ones_place():
    """The dropped 0.9 neither counts for the limit of one nor claims the pixels of the other."""
    raw = raw_prediction((12, 0.9, (0, 0, 10, 10)), (3, 0.8, (0, 0, 10, 10)), (0, 0.7, (0, 0, 10, 10)))
    options = Postprocess(drop_categories=range(13), overlap='all')
    assert found(postprocess(raw, options)) == []
    options = Postprocess(drop_categories=[12, 0], overlap='all', max_per_image=1)
    assert found(postprocess(raw, options)) == [(3, 0.8, 100)]


# Non-maximum suppression.


@pytest.mark.parametrize(
    ('nms_iou', 'expected'),
    [
        (0.3, [(3, 0.9, 100), (4, 0.7, 50)]),
        (0.49, [(3, 0.9, 100), (4, 0.7, 50)]),
        (0.5, [(3, 0.9, 100), (3, 0.8, 50), (4, 0.7, 50)]),
        (None, [(3, 0.9, 100), (3, 0.8, 50), (4, 0.7, 50)]),
    ],
)
def test_suppression_is_within_a_class_and_above_the_iou(nms_iou, expected):
    """The upper half of a block of 10 x 10 has IoU 50 / 100 with it: gone below 0.5, for another class never."""
    raw = raw_prediction((3, 0.9, (0, 0, 10, 10)), (3, 0.8, (0, 0, 10, 5)), (4, 0.7, (0, 0, 10, 5)))
    assert found(postprocess(raw, Postprocess(nms_iou=nms_iou, overlap='none'))) == expected


def test_what_is_suppressed_suppresses_nothing():
    """Blocks of 10 x 10 at x 0, 4 and 8. Neighbours: IoU 60 / 140 = 0.43; first and third: 20 / 180 = 0.11."""
    raw = raw_prediction((3, 0.9, (0, 0, 10, 10)), (3, 0.8, (4, 0, 14, 10)), (3, 0.7, (8, 0, 18, 10)))
    assert found(postprocess(raw, Postprocess(nms_iou=0.3, overlap='none'))) == [(3, 0.9, 100), (3, 0.7, 100)]


def test_what_is_suppressed_claims_no_pixels():
    """As above with overlap: the third loses its 20 px to the first only, not the 60 of the second."""
    raw = raw_prediction((3, 0.9, (0, 0, 10, 10)), (3, 0.8, (4, 0, 14, 10)), (3, 0.7, (8, 0, 18, 10)))
    assert found(postprocess(raw, Postprocess(nms_iou=0.3))) == [(3, 0.9, 100), (3, 0.7, 80)]


# Overlap and area.


@pytest.mark.parametrize(
    ('overlap', 'expected'),
    [
        ('none', [(3, 0.9, 100), (3, 0.8, 100), (4, 0.7, 100)]),
        ('class', [(3, 0.9, 100), (3, 0.8, 60), (4, 0.7, 100)]),
        ('all', [(3, 0.9, 100), (3, 0.8, 60), (4, 0.7, 20)]),
    ],
)
def test_a_pixel_claimed_twice_stays_with_the_higher_score(overlap, expected):
    """Blocks 10 high: columns 0-9 and 6-15 of class 3, 8-17 of class 4. Within the class the second loses columns 6-9:
    60 px. Over all classes the third keeps what neither has, columns 16 and 17: 20 px.
    """
    raw = raw_prediction((3, 0.9, (0, 0, 10, 10)), (3, 0.8, (6, 0, 16, 10)), (4, 0.7, (8, 0, 18, 10)))
    assert found(postprocess(raw, Postprocess(nms_iou=None, overlap=overlap))) == expected


def test_an_object_left_without_pixels_goes():
    """The third block, columns 2-11, lies in the first two (0-9 and 6-15)."""
    raw = raw_prediction((3, 0.9, (0, 0, 10, 10)), (3, 0.8, (6, 0, 16, 10)), (4, 0.7, (2, 0, 12, 10)))
    options = Postprocess(nms_iou=None, overlap='all', min_area=0)
    assert found(postprocess(raw, options)) == [(3, 0.9, 100), (3, 0.8, 60)]


@pytest.mark.parametrize(('min_area', 'expected'), [(60, [100, 60]), (61, [100]), (100, [100]), (101, [])])
def test_small_masks_go_after_the_overlap_is_settled(min_area, expected):
    """The second block has 100 px of its own but 60 after losing columns 6-9."""
    raw = raw_prediction((3, 0.9, (0, 0, 10, 10)), (3, 0.8, (6, 0, 16, 10)))
    assert areas(postprocess(raw, Postprocess(nms_iou=None, min_area=min_area))) == expected


def test_areas_are_measured_at_the_size_asked_for():
    """100 px in the photo are 25 at half its height and width."""
    raw = raw_prediction((3, 0.9, (0, 0, 10, 10)))
    assert areas(postprocess(raw, Postprocess(min_area=26))) == [100]
    assert areas(postprocess(raw, Postprocess(min_area=26), size=(5, 10))) == []
    assert areas(postprocess(raw, Postprocess(min_area=25), size=(5, 10))) == [25]


# All of it.


def plain(raw: RawPrediction, options: Postprocess) -> list[tuple[int, float, bytes]]:
    """The same by bitmaps and loops, step by step as the options' documentation has it."""
    thresholds = options.score_thresholds()
    objects = [
        (
            int(category),
            float(score),
            rle.runs_to_mask(paste(probs, box, raw.height, raw.width, options.mask_thr), raw.height, raw.width),
        )
        for category, score, box, probs in sorted(
            zip(raw.categories, raw.scores, raw.boxes, raw.mask_probs, strict=True), key=lambda one: -one[1]
        )
        if score >= thresholds[category] and category not in options.drop_categories
    ]
    alive = []
    for category, score, mask in objects[: options.max_per_image]:
        better = [other for kind, _, other in alive if kind == category]
        if mask.any() and (
            options.nms_iou is None
            or all((mask & other).sum() / (mask | other).sum() <= options.nms_iou for other in better)
        ):
            alive.append((category, score, mask))
    final, claimed = [], {}
    for category, score, mask in alive:
        group = None if options.overlap == 'all' else category
        if options.overlap != 'none':
            mask = mask & ~claimed.get(group, np.zeros_like(mask))
            claimed[group] = claimed.get(group, mask) | mask
        if mask.sum() >= max(options.min_area, 1):
            final.append((category, score, mask.tobytes()))
    return final


@pytest.mark.parametrize(
    'options',
    [
        dict(score_thr=0.3, nms_iou=0.3),
        dict(score_thr=0.0, nms_iou=None, overlap='all', min_area=20),
        dict(score_thr={'default': 0.2, 1: 0.6}, nms_iou=0.5, overlap='none', max_per_image=8),
        dict(score_thr=0.1, nms_iou=0.1, overlap='class', min_area=5, drop_categories=[2], mask_thr=0.4),
    ],
)
def test_random_predictions_come_out_as_by_plain_bitmaps(options):
    """25 images of 33 x 47 with 0 to 14 objects of four classes."""
    options, generator = Postprocess(**options), np.random.default_rng(3)
    objects = 0
    for count in np.arange(25) % 15:
        boxes = [random_box('anywhere', 33, 47, generator) for _ in range(count)]
        raw = raw_prediction(*[(int(generator.integers(4)), generator.random(), box) for box in boxes], size=(33, 47))
        raw.mask_probs[:] = np.array([random_probs(generator) for _ in range(count)]).reshape(-1, 28, 28)
        prediction = postprocess(raw, options)
        masks = [coco_mask.decode(mask).astype(bool).tobytes() for mask in prediction.masks]
        assert list(zip(prediction.categories.tolist(), prediction.scores.tolist(), masks, strict=True)) == plain(
            raw, options
        )
        objects += len(masks)
    assert objects > 50


def test_masks_are_runs_as_str_of_the_size():
    prediction = postprocess(raw_prediction((3, 0.9, (0, 0, 10, 10)), (4, 0.8, (3, 3, 9, 9))), Postprocess())
    for mask in prediction.masks:
        assert isinstance(mask['counts'], str)
        assert coco_mask.decode(mask).shape == (HEIGHT, WIDTH)
    assert prediction.image_id == 'x.jpg'
    assert prediction.attributes == [(), ()]
    assert prediction.categories.dtype == np.int64


@pytest.mark.parametrize('options', [{}, EVERYTHING, dict(overlap='all', max_per_image=3)])
def test_nothing_gives_nothing(options):
    prediction = postprocess(raw_prediction(), Postprocess(**options), size=(512, 512))
    assert (prediction.size, found(prediction), prediction.attributes) == ((512, 512), [], [])


def test_nothing_above_the_threshold_gives_nothing():
    assert found(postprocess(scored(0.1, 0.2), Postprocess())) == []


def test_the_raw_prediction_stays_as_it_was():
    raw = raw_prediction((3, 0.7, (0, 0, 10, 10)), (3, 0.9, (6, 0, 16, 10)))
    before = [array.copy() for array in (raw.categories, raw.scores, raw.boxes, raw.mask_probs)]
    postprocess(raw, Postprocess(), size=(512, 512))
    for array, copy in zip((raw.categories, raw.scores, raw.boxes, raw.mask_probs), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(overlap='union'), "overlap='union': one of class, all, none"),
        (dict(mask_thr=1.5), 'mask_thr=1.5: must be a finite number, at least 0 and at most 1'),
        (dict(mask_thr=-0.1), 'mask_thr=-0.1: must be a finite number, at least 0'),
        (dict(nms_iou=30), 'nms_iou=30: must be a finite number, at least 0 and at most 1, or None'),
        (dict(score_thr={46: 0.5}), 'score_thr: 46 is no id from 0 to 45'),
        (dict(score_thr={'-1': 0.5}), "score_thr: '-1' is no id"),
        (dict(score_thr={'shoe': 0.5}), "score_thr: 'shoe' is no id"),
        (dict(max_per_image=-1), 'max_per_image=-1: must be a whole number, at least 0, or None'),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Postprocess(**options)


def test_no_garment_has_two_names_where_cross_class_iou_forbids_it():
    """A coat (0.9) and a jacket (0.8) on the same 6 columns: IoU 1. A sleeve (0.7) on two of them: IoU 2/6.

    Above 0.5 the jacket goes, the sleeve stays; without the option all three do.
    """
    boxes = np.array([[0, 0, 6, 10], [0, 0, 6, 10], [0, 0, 2, 10]], np.float32)
    raw = RawPrediction(
        'a',
        10,
        10,
        np.array([9, 4, 31]),
        np.array([0.9, 0.8, 0.7], np.float32),
        boxes,
        np.ones((3, 28, 28), np.float16),
    )
    assert postprocess(raw, Postprocess(cross_class_iou=0.5)).categories.tolist() == [9, 31]
    assert postprocess(raw, Postprocess()).categories.tolist() == [9, 4, 31]


@pytest.mark.parametrize(
    'options',
    [
        dict(score_thr=0.0),
        dict(score_thr=0.3, overlap='all', mask_thr=0.45, cross_class_iou=0.4),
        dict(EVERYTHING, mask_thr=0.3),
        dict(score_thr=0.1, nms_iou=None, min_area=50),
    ],
)
def test_garments_come_out_as_mask_by_mask_with_numpy(options):
    """8 images of 40 detections, at their own size and at 512 x 512: the same masks to the pixel."""
    options, generator, masks = Postprocess(**options), np.random.default_rng(0), 0
    for number in range(8):
        raw = make_raw('x.jpg', tuple(generator.integers(50, 700, 2).tolist()), 40, generator)
        size = (512, 512) if number % 2 else None
        expected, found_now = plainly.postprocess(raw, options, size), postprocess(raw, options, size)
        assert found_now.masks == expected.masks
        assert found_now.categories.tolist() == expected.categories.tolist()
        assert found_now.scores.tolist() == expected.scores.tolist()
        masks += len(expected.masks)
    assert masks > 60


@pytest.mark.parametrize('threshold', [0.0, 0.3, 1.0])
def test_flat_and_noisy_masks_paste_as_two_matrix_products(threshold):
    """Values at the threshold over whole stretches, noise that makes many runs a column, thresholds at both ends."""
    generator = np.random.default_rng(0)
    for number in range(60):
        height, width = generator.integers(1, 200, 2).tolist()
        probs = [
            np.full((28, 28), 0.3, np.float16),
            generator.integers(0, 2, (28, 28)).astype(np.float16),
            random_probs(generator),
        ][number % 3]
        box = random_box(['anywhere', 'whole pixels', 'whole image'][number // 3 % 3], height, width, generator)
        starts, ends = paste(probs, box, height, width, threshold)
        expected = plainly.paste(probs, box, height, width, threshold)
        if number % 3 or threshold != 0.3:
            assert (starts.tolist(), ends.tolist()) == (expected[0].tolist(), expected[1].tolist())
        else:  # every value is the threshold to within float32 rounding: any pixel of the box may be in or out
            drawn = rle.runs_to_mask(plainly.paste(probs, box, height, width, 0.29), height, width)
            assert not (rle.runs_to_mask((starts, ends), height, width) & ~drawn).any()


def test_more_runs_than_room_was_made_for():
    """Stripes over a tall image: 14 runs in each of 300 columns are more than the first 1024 numbers hold."""
    stripes = np.repeat(np.tile([1, 0], 14)[:, None], 28, axis=1).astype(np.float32)
    edges, bounds = paste_masks(stripes[None], np.array([[0.0, 0, 300, 2800]]), 2800, 300, np.float32([0.5]))
    starts, ends = plainly.paste(stripes, np.array([0, 0, 300, 2800]), 2800, 300, 0.5)
    assert bounds.tolist() == [0, 8400]
    assert (edges[0::2].tolist(), edges[1::2].tolist()) == (starts.tolist(), ends.tolist())


@pytest.mark.parametrize('options', [{}, dict(overlap='all', cross_class_iou=0.4), dict(overlap='none', nms_iou=None)])
def test_a_lower_threshold_adds_objects_and_changes_none(options: dict):
    """Who is surer wins a pixel and keeps its mask: so a viewer may hide what is below a threshold of its own.

    40 random boxes of 3 classes, at thresholds between which some lie: those of the lowest at or above another are,
    to the mask, those of the other. Ties of scores are among them.
    """
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 60, (40, 2, 2))
    objects = [
        (int(rng.integers(3)), round(float(rng.random()), 1), (*pair.min(axis=0), *(pair.max(axis=0) + 1)))
        for pair in corners
    ]
    raw = raw_prediction(*objects, size=(64, 64))
    lowest = postprocess(raw, Postprocess(score_thr=0.05, **options))
    for threshold in (0.3, 0.5, 0.75):
        kept = np.flatnonzero(lowest.scores >= threshold)
        asked = postprocess(raw, Postprocess(score_thr=threshold, **options))
        assert 0 < len(kept) < len(lowest.scores)
        assert [lowest.masks[index] for index in kept] == asked.masks
        np.testing.assert_array_equal(lowest.scores[kept], asked.scores)
