"""From counts to the score, by hand and in plain loops."""

import dataclasses

import numpy as np
import pytest

from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.evaluation.matching import ImageCounts
from fashion_mmdet.evaluation.scoring import format_classes, summarize


def image(**classes: tuple[list[int], list[int]]) -> ImageCounts:
    """An image's classes as c3=(counts at 0.50 to 0.75, counts at 0.80 to 0.95): six thresholds, then four.

    The IoUs of the hits at 0.5 are taken as 0.8 each.
    """
    counts = [[low] * 6 + [high] * 4 for low, high in classes.values()]
    return ImageCounts(
        image_id='x.jpg',
        categories=np.array([int(name[1:]) for name in classes], np.int64),
        counts=np.array(counts, np.int64).reshape(len(classes), 10, 3),
        tp_ious=np.array([0.8 * low[0] for low, _ in classes.values()]),
    )


def random_images(count: int, seed: int) -> list[ImageCounts]:
    """Up to five classes an image, hits falling with the threshold; some images empty."""
    generator = np.random.default_rng(seed)
    images = []
    for index in range(count):
        classes = generator.choice(46, generator.integers(0, 6), replace=False)
        true, predicted = generator.integers(0, 5, (2, len(classes)))
        predicted += (true + predicted) == 0
        hits = np.minimum(true, predicted)[:, None] * (generator.random((len(classes), 10)) < 0.7)
        hits = -np.sort(-hits, axis=1)
        counts = np.stack([hits, predicted[:, None] - hits, true[:, None] - hits], axis=-1)
        images.append(ImageCounts(f'{index}.jpg', classes, counts, hits[:, 0] * generator.random(len(classes))))
    return images


def score_by_loops(images: list[ImageCounts], average: str) -> float:
    """Mean over images (or pairs) of the mean over thresholds of TP / (TP + FP + FN)."""
    values = []
    for one in images:
        rows = one.counts.tolist()
        if average == 'image':
            rows = [[[sum(row[t][kind] for row in rows) for kind in range(3)] for t in range(10)]]
        if not rows:
            rows = [[[0, 0, 0]] * 10]
        for row in rows:
            ratios = [
                hit / (hit + spurious + missed) if hit + spurious + missed else 1.0 for hit, spurious, missed in row
            ]
            values.append(sum(ratios) / 10)
    return sum(values) / len(values)


TWO_CLASSES = image(c3=([2, 0, 0], [1, 1, 1]), c23=([0, 1, 1], [0, 1, 1]))


def test_an_images_classes_are_pooled():
    """Low: TP 2, FP 1, FN 1: 2 / 4. High: TP 1, FP 2, FN 2: 1 / 5. (6 * 0.5 + 4 * 0.2) / 10 = 0.38."""
    scores = summarize([TWO_CLASSES])
    assert scores.score == pytest.approx(0.38, abs=1e-15)
    assert (scores.score_50, scores.score_75, scores.images) == (0.5, 0.5, 1)


def test_the_winners_average_is_over_pairs_of_image_and_class():
    """Class 3: (6 * 1 + 4 * 1 / 3) / 10 = 22 / 30; class 23: 0. Mean 11 / 30; at 0.5 and 0.75: (1 + 0) / 2."""
    scores = summarize([TWO_CLASSES], 'image_class')
    assert scores.score == pytest.approx(11 / 30, abs=1e-15)
    assert (scores.score_50, scores.score_75, scores.images) == (0.5, 0.5, 1)


def test_images_count_alike_however_many_objects_they_have():
    """Image scores 0.38, 1 (one object found at all thresholds) and 0 (nine missed): 1.38 / 3 = 0.46."""
    images = [TWO_CLASSES, image(c0=([1, 0, 0], [1, 0, 0])), image(c1=([0, 0, 9], [0, 0, 9]))]
    assert summarize(images).score == pytest.approx(0.46, abs=1e-15)


def test_with_the_winners_average_pairs_count_alike():
    """Pairs 22 / 30, 0, 1, 0: 52 / 30 / 4 = 13 / 30."""
    images = [TWO_CLASSES, image(c0=([1, 0, 0], [1, 0, 0])), image(c1=([0, 0, 9], [0, 0, 9]))]
    assert summarize(images, 'image_class').score == pytest.approx(13 / 30, abs=1e-15)


def test_the_scores_at_50_and_75_are_those_thresholds_alone():
    """A hit at 0.50 to 0.75 only: both 1, and 6 of 10 in all. One at 0.50 to 0.70: 0.75 is lost."""
    scores = summarize([image(c3=([1, 0, 0], [0, 1, 1]))])
    assert (scores.score, scores.score_50, scores.score_75) == (pytest.approx(0.6), 1.0, 1.0)
    fewer = image(c3=([1, 0, 0], [0, 1, 1]))
    fewer.counts[0, 5] = [0, 1, 1]
    scores = summarize([fewer])
    assert (scores.score, scores.score_50, scores.score_75) == (pytest.approx(0.5), 1.0, 0.0)


@pytest.mark.parametrize('average', ['image', 'image_class'])
def test_nothing_there_and_nothing_predicted_counts_one(average):
    assert summarize([image()], average).score == 1.0
    assert summarize([image(), image(c1=([0, 0, 1], [0, 0, 1]))], average).score == 0.5
    assert summarize([image()], average).classes == []


@pytest.mark.parametrize('average', ['image', 'image_class'])
@pytest.mark.parametrize('seed', range(5))
def test_random_images_score_as_in_plain_loops(average, seed):
    images = random_images(60, seed)
    scores = summarize(images, average)
    assert scores.score == pytest.approx(score_by_loops(images, average), abs=1e-12)
    for name, index in (('score_50', 0), ('score_75', 5)):
        alone = [dataclasses.replace(one, counts=one.counts[:, [index] * 10]) for one in images]
        assert getattr(scores, name) == pytest.approx(score_by_loops(alone, average), abs=1e-12)


@pytest.mark.parametrize('average', ['image', 'image_class'])
def test_the_order_of_images_changes_no_digit(average):
    """Every figure, the class table's too, compared with ==. Plain sums of these 400 differ in the last digits."""
    images = random_images(400, 0)
    expected = summarize(images, average)
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(len(images))
        assert summarize([images[index] for index in order], average) == expected


def test_the_class_table_is_at_iou_50():
    """Class 3 in two images: TP 2 + 1, FP 0 + 1, FN 0 + 2: objects 5, predicted 4, sensitivity 3 / 5, precision 3 / 4;
    mean IoU 0.8 as all hits have it. Ascending by id.
    """
    scores = summarize([TWO_CLASSES, image(c3=([1, 1, 2], [0, 2, 3]), c1=([1, 0, 0], [1, 0, 0]))])
    assert [row.category for row in scores.classes] == [1, 3, 23]
    row = scores.classes[1]
    assert (row.name, row.objects, row.predicted) == ('cardigan', 5, 4)
    assert (row.sensitivity, row.precision) == (0.6, 0.75)
    assert row.mean_iou == pytest.approx(0.8)


def test_a_share_of_nothing_is_none():
    """Class 1 is only predicted, class 2 only true, class 3 both but never hit."""
    table = summarize([image(c1=([0, 2, 0], [0, 2, 0]), c2=([0, 0, 3], [0, 0, 3]), c3=([0, 1, 1], [0, 1, 1]))]).classes
    assert [(row.objects, row.predicted, row.sensitivity, row.precision, row.mean_iou) for row in table] == [
        (0, 2, None, 0.0, None),
        (3, 0, 0.0, None, None),
        (1, 1, 0.0, 0.0, None),
    ]


def test_rows_of_one_category_with_several_class_ids_add_up():
    """With match='class_id' a category has a row for each ClassId: TP 1 + 0, FP 0 + 1, FN 0 + 1."""
    both = ImageCounts('x.jpg', np.array([10, 10]), np.array([[[1, 0, 0]] * 10, [[0, 1, 1]] * 10]), np.array([0.9, 0]))
    (row,) = summarize([both]).classes
    assert (row.objects, row.predicted, row.sensitivity, row.precision, row.mean_iou) == (2, 2, 0.5, 0.5, 0.9)


def test_the_class_table_of_random_images_is_as_in_plain_loops():
    images = random_images(80, 7)
    rows = {row.category: row for row in summarize(images).classes}
    for category in range(46):
        pairs = [
            (one.counts[k, 0], one.tp_ious[k]) for one in images for k in np.flatnonzero(one.categories == category)
        ]
        hits, spurious, missed = (sum(int(counts[kind]) for counts, _ in pairs) for kind in range(3))
        if hits + spurious + missed == 0:
            assert category not in rows
            continue
        row = rows[category]
        assert (row.name, row.objects, row.predicted) == (CATEGORIES[category], hits + missed, hits + spurious)
        assert row.sensitivity == (hits / (hits + missed) if hits + missed else None)
        assert row.precision == (hits / (hits + spurious) if hits + spurious else None)
        assert row.mean_iou == (pytest.approx(sum(iou for _, iou in pairs) / hits) if hits else None)


def test_the_table_has_a_line_a_class_and_dashes_for_nothing():
    scores = summarize([image(c2=([0, 0, 3], [0, 0, 3]), c23=([1, 0, 0], [1, 0, 0]))])
    lines = format_classes(scores.classes).split('\n')
    assert lines[0].split() == ['id', 'class', 'objects', 'predicted', 'sensitivity', 'precision', 'mean', 'IoU']
    assert lines[1].split() == ['2', 'sweater', '3', '0', '0.000', '-', '-']
    assert lines[2].split() == ['23', 'shoe', '1', '1', '1.000', '1.000', '0.800']
    assert len({len(line) for line in lines}) == 1


def test_no_images_have_no_score():
    with pytest.raises(ValueError, match='no images to score'):
        summarize([])


def test_an_unknown_average_is_refused():
    with pytest.raises(ValueError, match="average='class': one of image, image_class"):
        summarize([TWO_CLASSES], 'class')
