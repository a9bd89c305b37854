"""Hits at ten thresholds, against the definition by hand and in plain loops."""

import numpy as np
import plain_evaluation as plain
import pytest

from fashion_mmdet.benchmarks.scenes import make_scenes
from fashion_mmdet.evaluation.match_loops import match_greedily
from fashion_mmdet.evaluation.matching import IMAGES_AT_ONCE, IOU_THRESHOLDS, ImageCounts, count_image, count_images
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from fashion_mmdet.evaluation.scoring import summarize
from fashion_mmdet.masks.rle import mask_to_runs, runs_to_coco

HEIGHT, WIDTH = 10, 20


def coco(x1: int, y1: int, x2: int, y2: int, size: tuple[int, int] = (HEIGHT, WIDTH)) -> dict:
    mask = np.zeros(size, bool)
    mask[y1:y2, x1:x2] = True
    return runs_to_coco(mask_to_runs(mask), *size)


def truth(*objects: tuple, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Truth:
    """Objects: category, box, and attributes where there are any."""
    return Truth(
        'x.jpg',
        size,
        np.array([one[0] for one in objects], np.int64),
        [coco(*one[1], size=size) for one in objects],
        [tuple(one[2:]) for one in objects],
    )


def prediction(*objects: tuple, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Prediction:
    """Objects by descending score: category, box, and attributes where there are any."""
    return Prediction(
        'x.jpg',
        size,
        np.array([one[0] for one in objects], np.int64),
        np.linspace(0.9, 0.5, len(objects), dtype=np.float32),
        [coco(*one[1], size=size) for one in objects],
        [tuple(one[2:]) for one in objects],
    )


def by_class(counts: ImageCounts) -> dict[int, list[list[int]]]:
    return dict(zip(counts.categories.tolist(), counts.counts.tolist(), strict=True))


def match_by_loops(ious: np.ndarray, thresholds: np.ndarray) -> list[list[int]]:
    """The definition: at each threshold, best score first, each to the free true object it overlaps most."""
    result = []
    for threshold in thresholds.tolist():
        taken, row = set(), []
        for overlaps in ious.tolist():
            best = -1
            for candidate, overlap in enumerate(overlaps):
                if candidate not in taken and (best < 0 or overlap > overlaps[best]):
                    best = candidate
            if best >= 0 and overlaps[best] > threshold:
                taken.add(best)
                row.append(best)
            else:
                row.append(-1)
        result.append(row)
    return result


def sweep_counts(ious: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """TP, FP, FN at every threshold; (T, 3)."""
    hits = (match_greedily(ious, thresholds) >= 0).sum(axis=1)
    return np.stack([hits, ious.shape[0] - hits, ious.shape[1] - hits], axis=1)


def test_the_thresholds_are_exactly_the_ten_decimal_numbers():
    """np.arange(0.5, 1, 0.05) has 0.6000000000000001 in place of 0.6."""
    assert IOU_THRESHOLDS.tolist() == [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]


@pytest.mark.parametrize('seed', range(4))
def test_random_matrices_match_as_in_plain_loops(seed):
    """3,000 matrices a seed of 0 to 6 predictions and true objects; a third of them in steps of 0.05, so that IoUs tie
    with each other and with the thresholds; a third sparse, as real masks are.
    """
    generator = np.random.default_rng(seed)
    for number in range(3000):
        ious = generator.random(generator.integers(0, 7, 2))
        if number % 3 == 0:
            ious = np.round(ious * 20) / 20
        elif number % 3 == 1:
            ious *= generator.random(ious.shape) < 0.4
        expected = match_by_loops(ious, IOU_THRESHOLDS)
        assert match_greedily(ious, IOU_THRESHOLDS).tolist() == expected
        hits = [sum(one >= 0 for one in row) for row in expected]
        predicted, true = ious.shape
        assert sweep_counts(ious, IOU_THRESHOLDS).tolist() == [[hit, predicted - hit, true - hit] for hit in hits]


def test_a_hit_needs_more_than_the_threshold():
    """0.75 beats 0.50 to 0.70, five thresholds, and not 0.75 itself."""
    assert sweep_counts(np.array([[0.75]]), IOU_THRESHOLDS).tolist() == [[1, 0, 0]] * 5 + [[0, 1, 1]] * 5


@pytest.mark.parametrize(
    ('iou', 'hits'),
    [
        (0.0, 0),
        (0.5, 0),
        (0.5001, 1),
        (0.55, 1),
        (0.6, 2),
        (0.65, 3),
        (0.7, 4),
        (0.8, 6),
        (0.85, 7),
        (0.9, 8),
        (0.95, 9),
        (0.9501, 10),
        (1.0, 10),
    ],
)
def test_an_iou_hits_at_all_thresholds_below_it(iou, hits):
    assert sweep_counts(np.array([[iou]]), IOU_THRESHOLDS)[:, 0].sum() == hits


def test_a_true_object_is_hit_once():
    """Two predictions on one object: the better-scored hits, the other is spurious."""
    assert match_greedily(np.array([[0.8], [0.99]]), np.array([0.5])).tolist() == [[0, -1]]
    assert sweep_counts(np.array([[0.8], [0.99]]), np.array([0.5])).tolist() == [[1, 1, 0]]


def test_a_prediction_hits_one_object():
    assert sweep_counts(np.array([[0.8, 0.7]]), np.array([0.5])).tolist() == [[1, 0, 1]]


def test_the_best_score_comes_first_even_if_it_overlaps_less():
    """The first takes object 0 (0.7 over 0.6) which the second overlaps by 0.9; the second has nothing else."""
    ious = np.array([[0.7, 0.6], [0.9, 0.1]])
    assert match_greedily(ious, np.array([0.5])).tolist() == [[0, -1]]
    assert sweep_counts(ious, np.array([0.5])).tolist() == [[1, 1, 1]]


def test_a_prediction_takes_its_second_choice_where_the_first_is_taken():
    assert match_greedily(np.array([[0.9, 0.1], [0.8, 0.6]]), np.array([0.5])).tolist() == [[0, 1]]


def test_a_miss_leaves_the_object_free():
    """At 0.8 the first misses with 0.7 and the second hits the same object with 0.9; at 0.5 the first has it."""
    assert match_greedily(np.array([[0.7], [0.9]]), np.array([0.5, 0.8])).tolist() == [[0, -1], [-1, 0]]


def test_equal_overlaps_go_to_the_first_object():
    assert match_greedily(np.array([[0.7, 0.7]]), np.array([0.5])).tolist() == [[0]]


@pytest.mark.parametrize(('shape', 'counts'), [((0, 3), [0, 0, 3]), ((3, 0), [0, 3, 0]), ((0, 0), [0, 0, 0])])
def test_nothing_on_one_side_makes_no_hit(shape, counts):
    assert sweep_counts(np.zeros(shape), IOU_THRESHOLDS).tolist() == [counts] * 10


# Whole images.


def test_an_image_is_counted_class_by_class():
    """Class 3: blocks 10 high. Columns 0-9 against 0-7: IoU 80 / 100 = 0.8, a hit at 0.50 to 0.75, six thresholds.
    Class 7 is true only, class 5 predicted only, class 9 exact.
    """
    true = truth((3, (0, 0, 10, 10)), (7, (0, 0, 5, 5)), (9, (12, 2, 18, 9)))
    predicted = prediction((5, (0, 0, 5, 5)), (3, (0, 0, 8, 10)), (9, (12, 2, 18, 9)))
    counts = count_image(true, predicted)
    assert counts.image_id == 'x.jpg'
    assert by_class(counts) == {
        3: [[1, 0, 0]] * 6 + [[0, 1, 1]] * 4,
        7: [[0, 0, 1]] * 10,
        9: [[1, 0, 0]] * 10,
        5: [[0, 1, 0]] * 10,
    }


def test_an_iou_exactly_at_the_threshold_is_no_hit():
    """Columns 0-9 against 0-4, both 10 high: IoU 50 / 100, exactly 0.5."""
    assert by_class(count_image(truth((3, (0, 0, 10, 10))), prediction((3, (0, 0, 5, 10))))) == {3: [[0, 1, 1]] * 10}


def test_the_right_mask_of_the_wrong_class_is_spurious_and_the_object_missed():
    counts = count_image(truth((3, (0, 0, 10, 10))), prediction((4, (0, 0, 10, 10))))
    assert by_class(counts) == {3: [[0, 0, 1]] * 10, 4: [[0, 1, 0]] * 10}


def test_the_ious_of_hits_at_the_first_threshold_add_up():
    """Class 3: IoU 0.8 and 60 / 100 = 0.6 hit at 0.5, the third (30 / 100) does not. Class 4: none hits."""
    true = truth((3, (0, 0, 5, 10)), (3, (5, 0, 10, 10)), (3, (10, 0, 20, 10)), (4, (0, 0, 4, 4)))
    predicted = prediction((3, (0, 0, 4, 10)), (3, (5, 0, 8, 10)), (3, (10, 0, 13, 10)), (4, (4, 4, 8, 8)))
    counts = count_image(true, predicted)
    assert counts.categories.tolist() == [3, 4]
    np.testing.assert_allclose(counts.tp_ious, [0.8 + 0.6, 0], rtol=1e-12)


def test_the_iou_summed_is_that_of_the_matched_object():
    """The prediction overlaps both objects and hits the second, 90 / 100, not the first, 10 / 110 = 0.09."""
    true = truth((3, (0, 0, 2, 10)), (3, (2, 0, 11, 10)))
    counts = count_image(true, prediction((3, (1, 0, 11, 10))))
    np.testing.assert_allclose(counts.tp_ious, [90 / 100], rtol=1e-12)
    assert counts.counts[0, 0].tolist() == [1, 0, 1]


@pytest.mark.parametrize('match', ['category', 'class_id'])
def test_an_empty_truth_makes_every_prediction_spurious(match):
    counts = count_image(truth(), prediction((3, (0, 0, 5, 5)), (3, (5, 5, 9, 9))), match)
    assert by_class(counts) == {3: [[0, 2, 0]] * 10}
    assert counts.tp_ious.tolist() == [0]


@pytest.mark.parametrize('match', ['category', 'class_id'])
def test_an_empty_prediction_misses_every_object(match):
    counts = count_image(truth((3, (0, 0, 5, 5)), (4, (5, 5, 9, 9))), prediction(), match)
    assert by_class(counts) == {3: [[0, 0, 1]] * 10, 4: [[0, 0, 1]] * 10}


@pytest.mark.parametrize('match', ['category', 'class_id'])
def test_nothing_there_and_nothing_predicted_has_no_rows(match):
    counts = count_image(truth(), prediction(), match)
    assert counts.categories.shape == (0,)
    assert counts.counts.shape == (0, 10, 3)
    assert counts.tp_ious.shape == (0,)


def test_with_class_ids_the_attributes_must_agree():
    """A dress with attributes 3 and 20, found without them: a hit by category; by ClassId the object is missed and the
    prediction spurious, in two rows of category 10.
    """
    true, predicted = truth((10, (0, 0, 10, 10), 3, 20)), prediction((10, (0, 0, 10, 10)))
    assert by_class(count_image(true, predicted)) == {10: [[1, 0, 0]] * 10}
    counts = count_image(true, predicted, 'class_id')
    assert counts.categories.tolist() == [10, 10]
    assert counts.counts[:, 0].tolist() == [[0, 0, 1], [0, 1, 0]]


def test_with_class_ids_equal_attributes_hit_in_any_order():
    true, predicted = truth((10, (0, 0, 10, 10), 3, 20)), prediction((10, (0, 0, 10, 10), 20, 3))
    assert by_class(count_image(true, predicted, 'class_id')) == {10: [[1, 0, 0]] * 10}


def test_with_class_ids_an_object_without_attributes_hits_by_category():
    true, predicted = truth((23, (0, 0, 10, 10))), prediction((23, (0, 0, 10, 10)))
    assert by_class(count_image(true, predicted, 'class_id')) == {23: [[1, 0, 0]] * 10}


def test_other_thresholds_can_be_asked_for():
    counts = count_image(truth((3, (0, 0, 10, 10))), prediction((3, (0, 0, 8, 10))), thresholds=np.array([0.1, 0.9]))
    assert counts.counts.tolist() == [[[1, 0, 0], [0, 1, 1]]]


def test_masks_of_another_size_are_refused_by_image():
    true, predicted = truth((3, (0, 0, 5, 5))), prediction((3, (0, 0, 5, 5)), size=(20, 10))
    with pytest.raises(ValueError, match=r'x\.jpg: true masks are \(10, 20\), predicted \(20, 10\)'):
        count_image(true, predicted)


def test_sizes_are_not_compared_where_one_side_is_empty():
    """Nothing to scale, nothing to mix up."""
    assert by_class(count_image(truth(), prediction((3, (0, 0, 5, 5)), size=(20, 10)))) == {3: [[0, 1, 0]] * 10}
    assert by_class(count_image(truth((3, (0, 0, 5, 5))), prediction(size=(20, 10)))) == {3: [[0, 0, 1]] * 10}


def test_an_unknown_match_is_refused():
    with pytest.raises(ValueError, match="match='label': one of category, class_id"):
        count_image(truth((3, (0, 0, 5, 5))), prediction(), 'label')


# Many images at once.


def random_objects(count: int, generator: np.random.Generator, size: tuple[int, int]) -> list[tuple]:
    """Objects of three classes: boxes of whole pixels, some of one pixel, some drawn twice, some with attributes."""
    objects = []
    for _ in range(count):
        x1, y1 = generator.integers(0, [size[1], size[0]])
        x2, y2 = (
            (x1 + 1, y1 + 1)
            if generator.random() < 0.2
            else (generator.integers(x1 + 1, size[1] + 1), generator.integers(y1 + 1, size[0] + 1))
        )
        attributes = [(), (3,), (3, 20)][generator.integers(3)]
        objects += [(int(generator.integers(3)), (x1, y1, x2, y2), *attributes)] * generator.integers(1, 3)
    return objects


@pytest.mark.parametrize('match', ['category', 'class_id'])
def test_many_images_are_counted_as_one_by_one_in_plain_loops(match):
    """150 images, more than are counted at once, of three sizes down to 1 x 1; up to 12 objects a side, so that a class
    has many, boxes are equal, IoUs tie and lie at thresholds; every seventh side is empty. The sums of IoUs are added
    one by one here, by numpy there, which may differ in the last digit from eight hits on.
    """
    generator, truths, predictions = np.random.default_rng(0), [], []
    for number in range(150):
        size = [(10, 20), (4, 4), (1, 1)][number % 3]
        true, predicted = (random_objects(count, generator, size) for count in generator.integers(0, 7, 2))
        truths.append(truth(*true, size=size))
        predictions.append(prediction(*predicted, *true[: generator.integers(0, 3)], size=size))
    assert len(truths) > 2 * IMAGES_AT_ONCE
    hits = 0
    for counted, true, predicted in zip(count_images(truths, predictions, match), truths, predictions, strict=True):
        expected = plain.count_image(true, predicted, match)
        assert counted.image_id == expected.image_id
        assert counted.categories.tolist() == expected.categories.tolist()
        assert counted.counts.tolist() == expected.counts.tolist()
        np.testing.assert_allclose(counted.tp_ious, expected.tp_ious, rtol=1e-14)
        hits += counted.counts[:, :, 0].sum()
    assert hits > 200


def test_realistic_scenes_score_as_in_plain_loops():
    """12 scenes of 7 true and 15 predicted garments; the score to the last digit, over images and over pairs."""
    truths, predictions = make_scenes(12, size=(200, 150))
    counts = count_images(truths, predictions)
    expected = [plain.count_image(*pair) for pair in zip(truths, predictions, strict=True)]
    for average in ('image', 'image_class'):
        assert summarize(counts, average) == plain.summarize(expected, average)


def test_masks_that_only_share_columns_have_no_iou():
    """One above the other in the same columns: their pixel ranges cross, their pixels do not."""
    counts = count_image(truth((3, (0, 0, 10, 4))), prediction((3, (0, 5, 10, 10))))
    assert by_class(counts) == {3: [[0, 1, 1]] * 10}


def test_no_images_give_no_counts():
    assert count_images([], []) == []
