"""NMS, soft-NMS and nms_match against plain loops, which follow the papers and know nothing of tensors."""

import math
from fractions import Fraction

import mmcv.ops
import numpy as np
import pytest
import torch

from fashion_mmdet import ops

needs_stand_in = pytest.mark.skipif(ops.has_compiled_ops(), reason='mmcv brings compiled operators')


def nms_by_loops(boxes: np.ndarray, scores: np.ndarray, iou_threshold: float, offset: int = 0) -> list[int]:
    """Go through whole-numbered boxes, best first; keep one whose IoU with none kept exceeds the threshold, exactly."""
    threshold = Fraction(str(iou_threshold))
    kept = []
    boxes = boxes.astype(int).tolist()
    for candidate in sorted(range(len(boxes)), key=lambda index: -scores[index]):
        overlaps = []
        for other in kept:
            a, b = boxes[candidate], boxes[other]
            width = max(min(a[2], b[2]) - max(a[0], b[0]) + offset, 0)
            height = max(min(a[3], b[3]) - max(a[1], b[1]) + offset, 0)
            areas = [(box[2] - box[0] + offset) * (box[3] - box[1] + offset) for box in (a, b)]
            union = areas[0] + areas[1] - width * height
            overlaps.append(Fraction(width * height) > threshold * Fraction(union))
        if not any(overlaps):
            kept.append(candidate)
    return kept


def random_boxes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole-numbered boxes, some without width or height, some equal; scores all different."""
    generator = np.random.default_rng(seed)
    corners, sizes = generator.integers(0, 12, (count, 2)), generator.integers(0, 9, (count, 2))
    return np.hstack([corners, corners + sizes]).astype(np.float32), generator.permutation(count).astype(np.float32)


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('iou_threshold', [0.0, 0.3, 0.7, 1.0])
def test_nms_equals_loops(iou_threshold, offset):
    for seed in range(20):
        boxes, scores = random_boxes(40, seed)
        dets, indices = mmcv.ops.nms(torch.tensor(boxes), torch.tensor(scores), iou_threshold, offset)
        wanted = nms_by_loops(boxes, scores, iou_threshold, offset)
        assert indices.tolist() == wanted
        np.testing.assert_array_equal(dets, np.hstack([boxes, scores[:, None]])[wanted])


@pytest.mark.parametrize('tenths', range(1, 10))
def test_nms_keeps_a_box_that_overlaps_by_just_the_threshold(tenths):
    """A 10x1 box and its left part: IoU tenths / 10, equal to the threshold as mmcv compares it; only more goes."""
    boxes, scores = torch.tensor([[0.0, 0, 10, 1], [0, 0, tenths, 1]]), torch.tensor([0.9, 0.8])
    assert mmcv.ops.nms(boxes, scores, tenths / 10)[1].tolist() == [0, 1]
    assert mmcv.ops.nms(boxes, scores, tenths / 10 - 0.001)[1].tolist() == [0]


def test_offset_counts_the_last_pixel():
    """Corners 0..1 and 1..2: with inclusive edges 2x2 boxes that share a pixel, 1 / 7; without, they only touch."""
    boxes, scores = torch.tensor([[0.0, 0, 1, 1], [1, 1, 2, 2]]), torch.tensor([0.9, 0.8])
    assert mmcv.ops.nms(boxes, scores, 0.1, offset=0)[1].tolist() == [0, 1]
    assert mmcv.ops.nms(boxes, scores, 0.1, offset=1)[1].tolist() == [0]


def test_score_threshold_and_max_num_apply_to_nms():
    """Three boxes apart; scores 0.2 < 0.5 < 0.9. Above 0.3: indices 2, 1; at most one: 2."""
    boxes, scores = torch.tensor([[0.0, 0, 1, 1], [5, 5, 6, 6], [9, 9, 10, 10]]), torch.tensor([0.2, 0.5, 0.9])
    assert mmcv.ops.nms(boxes, scores, 0.5, score_threshold=0.3)[1].tolist() == [2, 1]
    assert mmcv.ops.nms(boxes, scores, 0.5, score_threshold=0.3, max_num=1)[1].tolist() == [2]


@pytest.mark.parametrize('split_thr', [10_000, 10])
def test_batched_nms_equals_loops_over_the_classes(split_thr):
    """`split_thr` 10 sends 40 boxes through mmcv's class-by-class branch, 10,000 through its shifted boxes."""
    for seed in range(10):
        boxes, scores = random_boxes(40, seed)
        classes = np.random.default_rng(seed).integers(0, 4, 40)
        wanted = []
        for label in range(4):
            members = np.flatnonzero(classes == label)
            wanted += [int(members[index]) for index in nms_by_loops(boxes[members], scores[members], 0.3)]
        wanted.sort(key=lambda index: -scores[index])
        dets, indices = mmcv.ops.batched_nms(
            torch.tensor(boxes),
            torch.tensor(scores),
            torch.tensor(classes),
            dict(type='nms', iou_threshold=0.3, split_thr=split_thr),
        )
        assert indices.tolist() == wanted
        np.testing.assert_array_equal(dets, np.hstack([boxes, scores[:, None]])[wanted])


def test_class_agnostic_batched_nms_equals_loops():
    boxes, scores = random_boxes(40, 7)
    _, indices = mmcv.ops.batched_nms(
        torch.tensor(boxes),
        torch.tensor(scores),
        torch.arange(40) % 4,
        dict(type='nms', iou_threshold=0.3, class_agnostic=True),
    )
    assert indices.tolist() == nms_by_loops(boxes, scores, 0.3)


def test_no_boxes_give_no_indices():
    none, no_scores = torch.zeros(0, 4), torch.zeros(0)
    dets, indices = mmcv.ops.nms(none, no_scores, 0.5)
    assert (dets.shape, indices.shape, indices.dtype) == ((0, 5), (0,), torch.int64)
    config = dict(type='nms', iou_threshold=0.5, class_agnostic=True)
    dets, indices = mmcv.ops.batched_nms(none, no_scores, torch.zeros(0, dtype=torch.int64), config)
    assert (dets.shape, indices.shape) == ((0, 5), (0,))


@needs_stand_in
@pytest.mark.parametrize(
    'dtypes',
    [
        (torch.float32, torch.bfloat16),
        (torch.bfloat16, torch.float32),
        (torch.bfloat16, torch.bfloat16),
        (torch.float16, torch.float16),
        (torch.float64, torch.float32),
    ],
)
def test_nms_takes_the_types_that_heads_give_under_mixed_precision(dtypes):
    """Boxes up to 20 and scores up to 39 in whole numbers: exact in 8 bits, so the answer is float32's."""
    boxes, scores = random_boxes(40, 11)
    wanted = nms_by_loops(boxes, scores, 0.3, 1)
    got = mmcv.ops.nms(torch.tensor(boxes).to(dtypes[0]), torch.tensor(scores).to(dtypes[1]), 0.3, 1)[1]
    assert got.tolist() == wanted


BOXES = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5], [20, 20, 30, 30]])  # the second is half of the first: IoU 0.5
SCORES = torch.tensor([0.9, 0.8, 0.5])


@pytest.mark.parametrize(('method', 'second'), [('linear', 0.8 * 0.5), ('gaussian', 0.8 * math.exp(-(0.5**2) / 0.5))])
def test_soft_nms_lowers_the_score_of_an_overlapping_box(method: str, second: float):
    """Linear: 0.8 * (1 - 0.5) = 0.4, below the third box's 0.5. Gaussian: 0.8 * exp(-0.25 / 0.5) = 0.485, below too."""
    dets, indices = mmcv.ops.soft_nms(BOXES, SCORES, iou_threshold=0.3, sigma=0.5, method=method)
    assert indices.tolist() == [0, 2, 1]
    np.testing.assert_array_equal(dets[:, :4], BOXES[[0, 2, 1]])
    np.testing.assert_allclose(dets[:, 4], [0.9, 0.5, second], rtol=1e-6)


@pytest.mark.parametrize(
    ('method', 'min_score', 'kept'),
    [('naive', 0.01, [0, 2]), ('linear', 0.45, [0, 2]), ('linear', 0.001, [0, 2, 1]), ('linear', 0.6, [0])],
)
def test_soft_nms_drops_what_falls_below_the_least_score(method: str, min_score: float, kept: list[int]):
    """Naive decay ends at 0; linear at 0.4 (see above); the third box has 0.5 all along."""
    assert mmcv.ops.soft_nms(BOXES, SCORES, method=method, min_score=min_score)[1].tolist() == kept


def soft_nms_by_loops(
    boxes: np.ndarray, scores: np.ndarray, method: str, threshold: float, least: float, offset: int
) -> list[tuple[int, float]]:
    """Take the best box left, lower the others, again and again; (index, final score). No two scores may be equal."""
    left, kept = dict(enumerate(scores.astype(float))), []
    while left:
        best = max(left, key=left.get)
        kept.append((best, left.pop(best)))
        for other in list(left):
            a, b = boxes[best].astype(float), boxes[other].astype(float)
            width, height = (max(min(a[2 + i], b[2 + i]) - max(a[i], b[i]) + offset, 0) for i in (0, 1))
            union = sum((c[2] - c[0] + offset) * (c[3] - c[1] + offset) for c in (a, b)) - width * height
            iou = width * height / union if union else 0
            if method == 'gaussian':
                left[other] *= math.exp(-iou * iou / 0.5)
            elif iou >= threshold:
                left[other] *= 1 - iou if method == 'linear' else 0
            if left[other] < least:
                del left[other]
    return kept


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
def test_soft_nms_equals_loops(method: str, offset: int):
    """Some boxes have no area. No IoU of these boxes is near 0.34; scores are far from equal and from the least."""
    for seed in range(20):
        boxes, order = random_boxes(30, seed)
        scores = (0.3 + order / 30 + np.random.default_rng(seed).uniform(0, 0.03, 30)).astype(np.float32)
        wanted = soft_nms_by_loops(boxes, scores, method, 0.3401, 0.0512, offset)
        dets, indices = mmcv.ops.soft_nms(
            torch.tensor(boxes), torch.tensor(scores), 0.3401, 0.5, 0.0512, method, offset
        )
        assert indices.tolist() == [index for index, _ in wanted]
        np.testing.assert_allclose(dets[:, 4], [score for _, score in wanted], rtol=1e-5)


def test_batched_soft_nms_leaves_other_classes_alone():
    """The first two boxes are of two classes, so that nothing is lowered."""
    config = dict(type='soft_nms', iou_threshold=0.3)
    dets, indices = mmcv.ops.batched_nms(BOXES, SCORES, torch.tensor([0, 1, 0]), config)
    assert indices.tolist() == [0, 1, 2]
    np.testing.assert_allclose(dets[:, 4], SCORES)


@pytest.mark.parametrize('dtype', [torch.float64, torch.float16, torch.bfloat16])
@needs_stand_in
def test_soft_nms_takes_other_floats(dtype: torch.dtype):
    dets, indices = mmcv.ops.soft_nms(BOXES.to(dtype), SCORES.to(dtype), iou_threshold=0.3)
    assert dets.dtype == dtype
    assert indices.tolist() == [0, 2, 1]
    np.testing.assert_allclose(dets[:, 4].float(), [0.9, 0.5, 0.4], rtol=2**-7)


def test_soft_nms_of_nothing_is_nothing():
    dets, indices = mmcv.ops.soft_nms(torch.zeros(0, 4), torch.zeros(0))
    assert (dets.shape, indices.shape, indices.dtype) == ((0, 5), (0,), torch.int64)


def test_nms_match_groups_boxes_under_the_best_they_overlap():
    """Half of the first box joins it at 0.5 and not above; the third stands alone."""
    dets = torch.hstack([BOXES, SCORES[:, None]])
    assert [group.tolist() for group in mmcv.ops.nms_match(dets, 0.5)] == [[0, 1], [2]]
    assert [group.tolist() for group in mmcv.ops.nms_match(dets, 0.51)] == [[0], [1], [2]]


def test_the_groups_of_nms_match_are_led_by_what_nms_keeps():
    """All boxes once, each with its leader's IoU at the threshold or above; 0.3401 is no IoU of these boxes."""
    for seed in range(20):
        boxes, scores = random_boxes(40, seed)
        groups = mmcv.ops.nms_match(np.hstack([boxes, scores[:, None]]), 0.3401)
        assert [group[0] for group in groups] == nms_by_loops(boxes, scores, 0.3401)
        assert sorted(np.concatenate(groups)) == list(range(40))
        for group in groups:
            assert (np.diff(scores[group]) < 0).all()
            assert all(
                nms_by_loops(boxes[[group[0], other]], scores[[group[0], other]], 0.3401) == [0] for other in group[1:]
            )
