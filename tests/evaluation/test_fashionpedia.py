"""Fashionpedia's AP at IoU and F1 on hand-made cases, and against pycocotools where F1 does not matter."""

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from sklearn.metrics import f1_score

from fashion_mmdet.classes import NUM_ATTRIBUTES, to_multi_hot
from fashion_mmdet.evaluation.fashionpedia import (
    FALSE_POSITIVE,
    IGNORE_F1,
    IGNORED,
    TRUE_POSITIVE,
    CategoryMatches,
    attribute_f1,
    match_detections,
    match_image,
    mean_average_precision,
)
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from tests.builders import block, encode

ANY_F1 = np.array([IGNORE_F1])


def test_the_f1_of_two_sets_is_scikit_learns_macro_over_present_and_absent():
    one, other = to_multi_hot([(1, 2, 3), (), (5,)]), to_multi_hot([(2, 3, 4, 60), (5,)])
    wanted = [[f1_score(true, predicted, average='macro') for true in other] for predicted in one]
    np.testing.assert_allclose(attribute_f1(one, other), wanted)
    assert attribute_f1(other, other).diagonal().tolist() == [1, 1]


def test_a_hit_needs_both_iou_and_f1():
    """One object, one detection of IoU 0.7 and F1 0.8: a hit at (0.5, 0.5) and nowhere else."""
    outcomes = match_detections(
        np.array([[0.7]]), np.array([[0.8]]), np.array([True]), np.array([0.5, 0.7]), np.array([0.5, 0.8])
    )
    assert outcomes[:, :, 0].tolist() == [[TRUE_POSITIVE, FALSE_POSITIVE], [FALSE_POSITIVE, FALSE_POSITIVE]]


def test_an_object_is_hit_once_and_a_misfit_leaves_it_free():
    """At F1 0.9 the first detection's attributes do not fit, and the second may take the object."""
    outcomes = match_detections(
        np.array([[0.8], [0.7]]), np.array([[0.6], [1.0]]), np.array([True]), np.array([0.5]), np.array([0.5, 0.9])
    )
    assert outcomes[0].tolist() == [[TRUE_POSITIVE, FALSE_POSITIVE], [FALSE_POSITIVE, TRUE_POSITIVE]]


def test_a_detection_on_an_unlabelled_object_does_not_count():
    """Objects: labelled, unlabelled. Detections: on the second, on none; at IoU 0.9 the first is on none either."""
    outcomes = match_detections(
        np.array([[0.0, 0.8], [0.1, 0.2]]), np.zeros((2, 2)), np.array([True, False]), np.array([0.5, 0.9]), ANY_F1
    )
    assert outcomes[:, 0].tolist() == [[IGNORED, FALSE_POSITIVE], [FALSE_POSITIVE, FALSE_POSITIVE]]


@pytest.mark.parametrize('shape', [(0, 2), (2, 0), (0, 0)])
def test_nothing_predicted_or_nothing_true(shape: tuple[int, int]):
    outcomes = match_detections(np.zeros(shape), np.zeros(shape), np.ones(shape[1], bool), np.array([0.5]), ANY_F1)
    assert outcomes.shape == (1, 1, shape[0])
    assert (outcomes == FALSE_POSITIVE).all()


def test_average_precision_by_hand():
    """Hit, spurious, (ignored,) hit of 2 objects: precision 1 up to recall 0.5 (51 recalls), then 2/3 (50): 0.8350."""
    outcomes = np.array([TRUE_POSITIVE, IGNORED, FALSE_POSITIVE, TRUE_POSITIVE], np.int8)[None, None]
    matches = CategoryMatches(np.array([0.9, 0.8, 0.7, 0.6]), outcomes, 2)
    assert mean_average_precision([{2: matches}]) == pytest.approx((51 + 50 * 2 / 3) / 101)
    nothing = CategoryMatches(np.zeros(0), np.zeros((1, 1, 0), np.int8), 2)
    assert mean_average_precision([{2: nothing}]).tolist() == [[0]]


def random_images(count: int) -> list[tuple[Truth, Prediction]]:
    """Boxes as masks, true ones jittered or invented; all true objects labelled."""
    rng = np.random.default_rng(5)

    def masks(boxes: np.ndarray) -> list[dict]:
        return [encode(block(x, y, x + width, y + height, (40, 30))) for x, y, width, height in boxes]

    images = []
    for index in range(count):
        boxes = np.column_stack([rng.integers(0, 18, 4), rng.integers(0, 25, 4), rng.integers(5, 12, (4, 2))])
        categories = rng.integers(0, 3, 4)
        found = np.concatenate([boxes + rng.integers(0, 3, boxes.shape), boxes[:1] + 3])
        labels = np.concatenate([np.where(rng.random(4) < 0.8, categories, 0), [1]])
        order = np.argsort(scores := rng.random(5).astype(np.float32))[::-1]
        encoded = masks(found)
        images.append(
            (
                Truth(f'{index}', (40, 30), categories, masks(boxes), [(3,)] * 4),
                Prediction(
                    f'{index}',
                    (40, 30),
                    labels[order],
                    scores[order],
                    [encoded[one] for one in order],
                    [(3,)] * 5,
                    np.zeros((5, NUM_ATTRIBUTES), np.float16),
                ),
            )
        )
    return images


def test_without_f1_it_is_coco_ap():
    """pycocotools over 12 random photos at IoU 0.5 and 0.75 (a hair above, since COCO's comparison is not strict)."""
    images = random_images(12)
    thresholds = np.array([0.5, 0.75])
    ours = mean_average_precision([match_image(*pair, thresholds, ANY_F1) for pair in images])[:, 0]
    coco = COCO()
    true = [
        dict(image_id=int(t.image_id), category_id=int(c), segmentation=m, iscrowd=0, area=1, bbox=[0, 0, 1, 1])
        for t, _ in images
        for c, m in zip(t.categories, t.masks, strict=True)
    ]
    true = [dict(id=number, **row) for number, row in enumerate(true, 1)]
    coco.dataset = dict(
        images=[dict(id=n, height=40, width=30) for n in range(12)],
        annotations=true,
        categories=[dict(id=n) for n in range(3)],
    )
    coco.createIndex()
    found = coco.loadRes(
        [
            dict(image_id=int(p.image_id), category_id=int(c), segmentation=m, score=float(s))
            for _, p in images
            for c, m, s in zip(p.categories, p.masks, p.scores, strict=True)
        ]
    )
    evaluation = COCOeval(coco, found, 'segm')
    evaluation.params.iouThrs = thresholds + 1e-9
    evaluation.evaluate()
    evaluation.accumulate()
    wanted = evaluation.eval['precision'][:, :, :, 0, -1].mean(axis=(1, 2))
    assert 0.1 < wanted[0] < 0.95
    np.testing.assert_allclose(ours, wanted, atol=1e-9)


def test_parts_and_photos_without_truth_do_not_count():
    mask = random_images(1)[0][0].masks[0]
    blank = Truth('a', (40, 30), np.array([23, 2]), [mask, mask], [(), ()])
    nothing = Prediction('a', (40, 30), np.zeros(0, np.int64), np.zeros(0, np.float32), [])
    matched = match_image(blank, nothing)
    assert list(matched) == [2]
    assert np.isnan(mean_average_precision([matched])).all()
    assert mean_average_precision([]).shape == (0, 0)
