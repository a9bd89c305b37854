"""Merging raw predictions of one image: hand-derived boxes, scores and masks."""

import numpy as np
import pytest

from fashion_mmdet.evaluation.matching import box_ious
from fashion_mmdet.evaluation.merge import Merge, merge, resample_masks
from fashion_mmdet.evaluation.paste_loops import paste_masks
from fashion_mmdet.evaluation.predictions import RawPrediction, empty_prediction
from tests.builders import assert_same_raw

EMPTY = empty_prediction('a.jpg', 40, 30)
LEFT, RIGHT = [0.0, 0, 8, 8], [16.0, 4, 28, 20]


def raw(*detections: tuple[int, float, list[float], float], side: int = 28) -> RawPrediction:
    """Make a prediction from (category, score, box, probability all over its mask)."""
    categories, scores, boxes, values = zip(*detections, strict=True)
    masks = np.broadcast_to(np.array(values, np.float16)[:, None, None], (len(values), side, side)).copy()
    return RawPrediction(
        'a.jpg',
        40,
        30,
        np.array(categories, np.int64),
        np.array(scores, np.float32),
        np.array(boxes, np.float32),
        masks,
    )


def random_raw(seed: int, count: int = 12) -> RawPrediction:
    """Boxes in cells of a 4x3 grid, so that none overlaps another; masks at random."""
    rng = np.random.default_rng(seed)
    corners = np.stack([np.arange(count) % 3 * 10, np.arange(count) // 3 * 10], axis=1) + rng.random((count, 2)) * 3
    boxes = np.concatenate([corners, corners + 2 + rng.random((count, 2)) * 4], axis=1)
    scores = np.sort(rng.random(count).astype(np.float32))[::-1]
    return RawPrediction(
        'a.jpg',
        40,
        30,
        rng.integers(0, 46, count),
        scores,
        boxes.astype(np.float32),
        rng.random((count, 28, 28)).astype(np.float16),
    )


@pytest.mark.parametrize('method', ['nms', 'wbf'])
@pytest.mark.parametrize('copies', [1, 2, 3])
def test_identical_predictions_merge_to_themselves(method: str, copies: int):
    """No object overlaps another: boxes, scores and masks stay to the bit, of one model or of several that agree."""
    one = random_raw(0)
    assert_same_raw(merge([one] * copies, Merge(method=method, score_thr=0)), one)


@pytest.mark.parametrize('method', ['nms', 'wbf'])
def test_weights_do_not_matter_where_all_agree(method: str):
    one = random_raw(1)
    got = merge([one] * 3, Merge(method=method, score_thr=0, weights=(0.1, 0.7, 5)))
    np.testing.assert_array_equal(got.mask_probs, one.mask_probs)
    np.testing.assert_array_equal(got.boxes, one.boxes)
    np.testing.assert_allclose(got.scores, one.scores, rtol=1e-6)


@pytest.mark.parametrize('duplicate_iou', [0.5, None])
def test_one_model_by_nms_loses_duplicates_and_keeps_the_rest_as_it_is(duplicate_iou: float | None):
    """The second box, 0 0 8 6, covers 48 of 64: IoU 0.75. Its mask of 0 does not touch the first's of 1."""
    model = raw((3, 0.9, LEFT, 1.0), (3, 0.8, [0.0, 0, 8, 6], 0.0), (3, 0.7, RIGHT, 0.5))
    got = merge([model], Merge(method='nms', duplicate_iou=duplicate_iou))
    assert_same_raw(got, raw((3, 0.9, LEFT, 1.0), (3, 0.7, RIGHT, 0.5)))


def test_an_iou_of_the_threshold_itself_does_not_merge():
    model = raw((3, 0.9, LEFT, 1.0), (3, 0.8, [0.0, 0, 8, 6], 0.0))
    for iou_thr, duplicate_iou in ((0.75, None), (1, 0.75)):
        assert len(merge([model], Merge(method='nms', iou_thr=iou_thr, duplicate_iou=duplicate_iou)).scores) == 2
    for iou_thr, duplicate_iou in ((0.74, None), (1, 0.74)):
        assert len(merge([model], Merge(method='nms', iou_thr=iou_thr, duplicate_iou=duplicate_iou)).scores) == 1


def test_fusion_by_hand_of_two_boxes_of_weights_1_and_3():
    """Both score 0.5, so shares are 1/4 and 3/4. Boxes 0 0 8 8 and 0 0 8 4: y2 = 8/4 + 4 * 3/4 = 5.

    Both are present: the score is the mean, 0.5. In the frame 0 0 8 5 the second mask (1 on rows 0 to 4 of 0 to 8) is
    constant but for its lower end: the frame's last cell of 28, centred at y = 27.5 / 28 * 5 = 4.91, lies beyond 4 by
    more than a cell of 4 / 28, so there only the first (0.5) counts: 1/4 * 0.5 = 0.125. In the middle
    1/4 * 0.5 + 3/4 * 1 = 0.875.
    """
    first, second = raw((3, 0.5, [0.0, 0, 8, 8], 0.5)), raw((3, 0.5, [0.0, 0, 8, 4], 1.0))
    got = merge([first, second], Merge(method='wbf', iou_thr=0.4, weights=(1, 3)))
    np.testing.assert_allclose(got.boxes, [[0, 0, 8, 5]])
    np.testing.assert_allclose(got.scores, [0.5])
    assert got.mask_probs[0, 14, 14] == 0.875
    assert got.mask_probs[0, 27, 14] == 0.125


def test_fusion_weighs_by_score_too():
    """Scores 0.9 and 0.3, equal models: shares 3/4 and 1/4; x2 = 8 * 3/4 + 12 / 4 = 9; the score is 0.6."""
    got = merge([raw((3, 0.9, LEFT, 1.0)), raw((3, 0.3, [0.0, 0, 12, 8], 1.0))], Merge(method='wbf'))
    np.testing.assert_allclose(got.boxes, [[0, 0, 9, 8]], rtol=1e-6)
    np.testing.assert_allclose(got.scores, [0.6], rtol=1e-6)


def test_fusion_lowers_what_one_of_three_models_sees():
    """One of three: 0.9 * 1/3 = 0.3. Two of three with 0.8 and 0.4: 0.6 * 2/3 = 0.4. So their order turns."""
    models = [raw((3, 0.9, LEFT, 1.0), (4, 0.8, RIGHT, 0.5)), raw((4, 0.4, RIGHT, 0.5)), EMPTY]
    got = merge(models, Merge(method='wbf'))
    assert got.categories.tolist() == [4, 3]
    np.testing.assert_allclose(got.scores, [0.4, 0.3], rtol=1e-6)


def test_fusion_counts_no_more_than_there_are_models():
    """Two duplicates of one model: min(2, 1) / 1 = 1, the mean of 0.8 and 0.6 stays."""
    got = merge([raw((3, 0.8, LEFT, 1.0), (3, 0.6, LEFT, 1.0))], Merge(method='wbf', duplicate_iou=None))
    np.testing.assert_allclose(got.scores, [0.7], rtol=1e-6)


def test_fusion_weighs_a_missing_model():
    """Weights 1 and 3, only the first sees it: 0.8 * 1/4 = 0.2; only the second: 0.6."""
    seen = raw((3, 0.8, LEFT, 1.0))
    np.testing.assert_allclose(merge([seen, EMPTY], Merge(weights=(1, 3))).scores, [0.2], rtol=1e-6)
    np.testing.assert_allclose(merge([EMPTY, seen], Merge(weights=(1, 3))).scores, [0.6], rtol=1e-6)


def test_fusion_joins_the_box_as_it_has_become():
    """Boxes on a line, 10 wide, scores all but equal: [0, 10], [4, 14] (IoU 6/14), then [6, 16].

    Against the founder the third has 4/16 = 0.25; against the mean of both, [2, 12], 6/14 = 0.43.
    """
    model = raw((3, 0.8, [0.0, 0, 10, 10], 1.0), (3, 0.8, [4.0, 0, 14, 10], 1.0), (3, 0.8, [6.0, 0, 16, 10], 1.0))
    assert len(merge([model], Merge(method='wbf', iou_thr=0.4, duplicate_iou=None)).scores) == 1
    assert len(merge([model], Merge(method='nms', iou_thr=0.4, duplicate_iou=None)).scores) == 2


def test_a_model_s_duplicates_do_not_pull_its_score_down():
    """0.8 and its duplicate 0.2 of the first, 0.6 of the second: (0.8 + 0.6) / 2; with the duplicate 1.6 / 3."""
    models = [raw((3, 0.8, LEFT, 1.0), (3, 0.2, LEFT, 0.0)), raw((3, 0.6, LEFT, 1.0))]
    got = merge(models, Merge(method='wbf'))
    np.testing.assert_allclose(got.scores, [0.7], rtol=1e-6)
    assert (got.mask_probs == 1).all()
    np.testing.assert_allclose(merge(models, Merge(method='wbf', duplicate_iou=None)).scores, [1.6 / 3], rtol=1e-6)


def test_duplicates_are_of_one_model_and_one_class():
    """Of the same box by two models, or under two classes, both stay for the merge."""
    models = [raw((3, 0.8, LEFT, 1.0), (4, 0.7, LEFT, 1.0)), raw((3, 0.6, LEFT, 1.0))]
    got = merge(models, Merge(method='wbf'))
    assert got.categories.tolist() == [3, 4]
    np.testing.assert_allclose(got.scores, [0.7, 0.35], rtol=1e-6)


def test_nms_keeps_the_best_box_and_averages_one_mask_a_model():
    """The second model's best mask (score 0.6) counts, its duplicate (0.3) not: (0.9 * 1 + 0.6 * 0.5) / 1.5 = 0.8."""
    models = [raw((3, 0.9, LEFT, 1.0)), raw((3, 0.6, LEFT, 0.5), (3, 0.3, LEFT, 0.0))]
    got = merge(models, Merge(method='nms', duplicate_iou=None))
    assert_same_raw(got, raw((3, 0.9, LEFT, 0.8)))


@pytest.mark.parametrize('method', ['nms', 'wbf'])
def test_different_classes_never_merge(method: str):
    got = merge([raw((3, 0.9, LEFT, 1.0)), raw((4, 0.9, LEFT, 0.5))], Merge(method=method))
    assert sorted(got.categories) == [3, 4]
    assert sorted(got.mask_probs[:, 0, 0]) == [0.5, 1.0]


@pytest.mark.parametrize('method', ['nms', 'wbf'])
@pytest.mark.parametrize(
    'models', [[EMPTY], [EMPTY, EMPTY], [raw((3, 0.005, LEFT, 1.0))]], ids=['one', 'two', 'all_below_the_threshold']
)
def test_nothing_merges_to_nothing(method: str, models: list[RawPrediction]):
    assert_same_raw(merge(models, Merge(method=method)), EMPTY)


def test_min_votes_counts_models_not_detections():
    models = [raw((3, 0.9, LEFT, 1.0), (3, 0.8, LEFT, 1.0), (4, 0.5, RIGHT, 1.0)), raw((4, 0.4, RIGHT, 1.0))]
    assert merge(models, Merge(min_votes=2, duplicate_iou=None)).categories.tolist() == [4]
    assert len(merge(models, Merge(min_votes=3)).scores) == 0
    assert merge(models, Merge(min_votes=3)).mask_probs.shape == (0, 28, 28)


def test_the_highest_scores_stay():
    got = merge([random_raw(2)], Merge(max_per_image=5, score_thr=0))
    np.testing.assert_array_equal(got.scores, random_raw(2).scores[:5])


def test_a_box_without_area_stays_by_itself():
    line = raw((3, 0.9, [4.0, 4, 4, 9], 0.5))
    got = merge([line, line], Merge(method='nms', iou_thr=0))
    assert got.boxes.tolist() == [[4, 4, 4, 9]] * 2
    assert (got.mask_probs == 0.5).all()


def test_masks_of_two_sides_take_the_larger():
    """0.9 * 1 and 0.9 * 0.5 give 0.75; the 14-cell mask is constant to within half of its cells from the edge."""
    got = merge([raw((3, 0.9, LEFT, 1.0), side=14), raw((3, 0.9, LEFT, 0.5))], Merge())
    assert got.mask_probs.shape == (1, 28, 28)
    assert (got.mask_probs[0, 1:-1, 1:-1] == 0.75).all()


def test_a_mask_in_a_larger_frame_lies_where_its_box_was():
    """A full 4-cell mask in the box 2 2 6 6, seen at the 8 cells of the frame 0 0 8 8: cell centres 0.5 ... 7.5.

    At centre 1.5 the position is (1.5 - 2) / 4 * 4 - 0.5 = -1: nothing; at 2.5 it is 0: the first cell.
    """
    got = resample_masks(np.ones((1, 4, 4), np.float32), np.array([[2.0, 2, 6, 6]]), np.array([[0.0, 0, 8, 8]]), 8)
    wanted = np.zeros((8, 8))
    wanted[2:6, 2:6] = 1
    np.testing.assert_array_equal(got[0], wanted)


def test_axes_do_not_swap():
    """A mask of rows 0 to 3, columns 0 to 3 in 0 0 4 4, seen in 2 0 6 4: what was column 2 is column 0, row by row."""
    probs = np.arange(16, dtype=np.float32).reshape(1, 4, 4) / 16
    got = resample_masks(probs, np.array([[0.0, 0, 4, 4]]), np.array([[2.0, 0, 6, 4]]), 4)
    wanted = np.zeros((4, 4), np.float32)
    wanted[:, :2] = probs[0, :, 2:]
    np.testing.assert_allclose(got[0], wanted, atol=1e-7)


def test_resampling_samples_as_the_paste_does():
    """Cells of a 28-cell frame that are pixels of the photo: the pasted mask at a threshold is the resampled one's."""
    rng = np.random.default_rng(5)
    probs, box = rng.random((1, 28, 28)).astype(np.float32), np.array([[3.3, -2.1, 21.7, 33.9]])
    got = resample_masks(probs, box, np.array([[0.0, 0, 28, 28]]), 28)[0]
    edges, _ = paste_masks(probs, box, 28, 28, np.full(len(probs), 0.5, np.float32))
    pasted = np.zeros(28 * 28, bool)
    for start, end in edges.reshape(-1, 2):
        pasted[start:end] = True
    clear = np.abs(got - 0.5) > 1e-5
    assert clear.mean() > 0.99
    np.testing.assert_array_equal((got >= 0.5)[clear], pasted.reshape(28, 28).T[clear])


def test_ious_by_hand():
    """8x8 against itself, its lower half, a corner of 4x4 shifted by (4, 4), beside it, a line in it."""
    boxes = np.array([[0.0, 0, 8, 8], [0, 4, 8, 8], [4, 4, 12, 12], [8, 0, 16, 8], [2, 2, 2, 6]])
    np.testing.assert_allclose(box_ious(np.array([[0.0, 0, 8, 8]]), boxes), [[1, 0.5, 16 / 112, 0, 0]])
    assert box_ious(np.zeros((1, 4)), np.zeros((1, 4))).tolist() == [[0]]


def test_what_is_not_the_same_image_is_refused():
    with pytest.raises(ValueError, match=r'a\.jpg \(40x30\) and b\.jpg \(40x30\) are not the same image'):
        merge([EMPTY, empty_prediction('b.jpg', 40, 30)], Merge())
    with pytest.raises(ValueError, match='not the same image'):
        merge([EMPTY, empty_prediction('a.jpg', 40, 31)], Merge())
    with pytest.raises(ValueError, match='no predictions'):
        merge([], Merge())


@pytest.mark.parametrize(
    ('options', 'complaint'),
    [
        (dict(method='soft'), "method='soft': one of nms, wbf"),
        (dict(iou_thr=1.5), 'iou_thr=1.5'),
        (dict(duplicate_iou=-0.1), 'duplicate_iou=-0.1'),
        (dict(score_thr=-1), 'score_thr=-1'),
        (dict(weights=[1, 0]), r'weights=\[1, 0\]: must be a list of finite numbers, above 0'),
        (dict(min_votes=0), 'min_votes=0'),
        (dict(max_per_image=0), 'max_per_image=0'),
        (dict(iou=0.5), 'merge iou: no such option; there are method'),
    ],
)
def test_a_wrong_option_is_named(options: dict, complaint: str):
    with pytest.raises(ValueError, match=complaint):
        Merge.from_config(options)


def test_a_wrong_number_of_weights_is_named():
    with pytest.raises(ValueError, match='2 weights for 3 models'):
        merge([EMPTY] * 3, Merge(weights=(1, 2)))


def test_attributes_are_averaged_by_score_over_the_models_that_have_them():
    """Scores 0.75 and 0.25, probabilities 1 and 0: (0.75 * 1 + 0.25 * 0) / 1 = 0.75; a third has no attribute head."""
    first, second, third = (raw((3, score, LEFT, 1.0)) for score in (0.75, 0.25, 0.5))
    first.attribute_probs, second.attribute_probs = np.ones((1, 92), np.float16), np.zeros((1, 92), np.float16)
    for models in ([first, second], [first, second, third]):
        merged = merge(models, Merge(method='wbf', score_thr=0))
        assert merged.attribute_probs.shape == (1, 92)
        np.testing.assert_allclose(merged.attribute_probs, 0.75, atol=1e-3)


def test_attributes_follow_the_objects_that_stay():
    """The object of the model without an attribute head comes first and has none; the other keeps its own."""
    with_head, without = raw((3, 0.5, LEFT, 1.0)), raw((4, 0.9, RIGHT, 1.0))
    with_head.attribute_probs = np.full((1, 92), 0.5, np.float16)
    merged = merge([with_head, without], Merge(method='nms', score_thr=0))
    assert merged.categories.tolist() == [4, 3]
    np.testing.assert_array_equal(merged.attribute_probs, np.repeat([[0], [0.5]], 92, axis=1))


def test_models_without_attributes_merge_to_none():
    assert merge([raw((3, 0.5, LEFT, 1.0))], Merge(score_thr=0)).attribute_probs is None
