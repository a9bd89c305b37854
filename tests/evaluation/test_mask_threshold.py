"""The threshold by expected IoU: by hand, and against every mask and every outcome of a tiny object."""

import itertools

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from fashion_mmdet.evaluation.mask_threshold import expected_iou_thresholds
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import RawPrediction


def thresholds(*masks: list[list[float]], temperature: float = 1.0) -> list[float]:
    return expected_iou_thresholds(np.array(masks, np.float32), temperature).astype(float).round(4).tolist()


def test_pixels_below_a_half_are_in_where_that_raises_the_expected_iou():
    """0.9 / 2.0 = 0.45, 1.5 / 2.5 = 0.6, 1.9 / 3.1 = 0.613, 2.0 / 4 = 0.5: three pixels, halfway from 0.4 to 0.1."""
    assert thresholds([[0.9, 0.1], [0.4, 0.6]]) == [0.25]


def test_a_certain_mask_is_cut_between_its_values():
    """2 / 2 = 1 for the two sure pixels."""
    assert thresholds([[1.0, 0.0], [0.0, 1.0]]) == [0.5]


def test_pixels_of_one_probability_stay_together():
    """All at 0.3: 0.3 / 2.1 of one pixel, and 1.2 / 4 of all four, whose next lower value is 0: 0.15."""
    assert thresholds([[0.3, 0.3], [0.3, 0.3]]) == [0.15]


def test_a_mask_without_probability_is_empty_at_its_threshold():
    assert thresholds([[0.0, 0.0], [0.0, 0.0]]) == [0.5]


def test_no_masks_have_no_thresholds():
    assert expected_iou_thresholds(np.zeros((0, 28, 28), np.float32)).shape == (0,)


def test_temperature_changes_the_choice_not_the_scale():
    """Temperature 2 takes roots of the odds: 0.9 is 9:1, then 3:1, 0.75; 0.2 is 1:4, then 1:2, 0.33; 0 stays.

    At 1: 0.9 / 1.2 = 0.75 against 1.1 / 2 = 0.55 and, with 0.2 twice, 1.3 / 3: one pixel, halfway from 0.9 to 0.2.
    At 2: 0.75 / (1 + 0.667) = 0.45, then 1.417 / 3 = 0.47 for three: halfway from 0.2 to 0.
    """
    mask = [[0.9, 0.2], [0.2, 0.0]]
    assert thresholds(mask) == [0.55]
    assert thresholds(mask, temperature=2) == [0.1]


def exact_iou(chosen: np.ndarray, probs: np.ndarray) -> float:
    """Sum the IoU over every outcome of independent pixels, weighted by its probability."""
    total = 0.0
    for outcome in itertools.product((False, True), repeat=len(probs)):
        truth = np.array(outcome)
        weight = np.where(truth, probs, 1 - probs).prod()
        union = (chosen | truth).sum()
        total += weight * ((chosen & truth).sum() / union if union else 0)
    return total


@pytest.mark.parametrize('seed', range(6))
def test_the_choice_is_within_a_hundredth_of_the_best_of_all_masks(seed):
    """Nine pixels: 512 masks by 512 outcomes. The first-order formula may take one pixel more or less."""
    probs = np.random.default_rng(seed).beta(0.5, 0.5, 9).astype(np.float32)
    every = [np.array(mask) for mask in itertools.product((False, True), repeat=9)]
    best = max(exact_iou(mask, probs) for mask in every)
    ours = probs >= expected_iou_thresholds(probs.reshape(1, 3, 3))[0]
    assert exact_iou(ours, probs) > best - 0.01


def test_postprocess_gives_each_mask_its_own_threshold():
    """28 x 28 cells on 28 x 28 pixels: columns of 1 and of 0.4 beside each other. At 0.5 the object is 10 columns wide.

    By expected IoU: 10 columns 280 / (280 + 0.4 * 84) = 0.89, with the three columns of 0.4 (280 + 33.6) / 364 = 0.86:
    they stay out. Nine columns of 0.4 beside one of 1: 28 / (28 + 100.8) = 0.22, with them 128.8 / 280 = 0.46: in.
    """
    probs = np.zeros((2, 28, 28), np.float16)
    probs[0, :, :10], probs[0, :, 10:13] = 1, 0.4
    probs[1, :, 14:15], probs[1, :, 15:24] = 1, 0.4
    raw = RawPrediction(
        'x.jpg', 28, 28, np.array([0, 1]), np.float32([0.9, 0.8]), np.float32([[0, 0, 28, 28]] * 2), probs
    )

    def widths(**options: object) -> list[float]:
        found = postprocess(raw, Postprocess(**options))
        return [int(area) / 28 for area in coco_mask.area(found.masks)]

    assert widths() == [10, 1]
    assert widths(mask_temperature=1.0) == [10, 10]
