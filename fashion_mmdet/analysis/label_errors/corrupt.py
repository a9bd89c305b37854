"""Labels made wrong on purpose, to measure how many of them are found again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fashion_mmdet.evaluation.predictions import Truth
from fashion_mmdet.masks import rle
from fashion_mmdet.masks.transform import crop, place
from fashion_mmdet.utils.checks import OPEN_SHARE, check_number

WRONG_CLASS, SHIFTED_MASK, MISSING_OBJECT = 'wrong class', 'shifted mask', 'missing object'
CORRUPTIONS = (WRONG_CLASS, SHIFTED_MASK, MISSING_OBJECT)
SHIFT = (0.2, 0.4)  # of the box's sides, down or up and to a side: a full box then keeps an IoU of 0.22 to 0.47


@dataclass(frozen=True)
class Corruption:
    """One label made wrong.

    Attributes:
        image_id: its image.
        kind: one of CORRUPTIONS.
        index: its place among the image's corrupted labels; None for a missing one.
        mask: COCO RLE of the true object.
    """

    image_id: str
    kind: str
    index: int | None
    mask: dict


def corrupt(truths: Sequence[Truth], share: float, seed: int) -> tuple[list[Truth], list[Corruption]]:
    """Make a share of all labels wrong: a third each gets another class, a shifted mask, or is deleted.

    A new class is drawn by its frequency among all labels. A mask that a shift would drive out of the frame whole is
    deleted instead.

    Args:
        truths: true labels.
        share: part of all labels, above 0 and below 1; at least one label.
        seed: of the draw.

    Returns:
        The labels of every image, and what was done to them.

    Raises:
        ValueError: a share out of range, or no labels.
    """
    check_number('share', share, OPEN_SHARE)
    generator = np.random.default_rng(seed)
    places = [(image, index) for image, truth in enumerate(truths) for index in range(len(truth.masks))]
    if not places:
        raise ValueError('no labels to corrupt')
    pool = np.concatenate([truth.categories for truth in truths])
    drawn = generator.permutation(len(places))[: max(1, round(share * len(places)))]
    kinds: dict[int, dict[int, str]] = {}
    for turn, place_number in enumerate(drawn.tolist()):
        image, index = places[place_number]
        kinds.setdefault(image, {})[index] = CORRUPTIONS[turn % len(CORRUPTIONS)]
    corrupted, done = list(truths), []
    for image, wanted in sorted(kinds.items()):
        corrupted[image], changes = _corrupt_image(truths[image], wanted, pool, generator)
        done += changes
    return corrupted, done


def _corrupt_image(
    truth: Truth, kinds: dict[int, str], pool: np.ndarray, generator: np.random.Generator
) -> tuple[Truth, list[Corruption]]:
    categories, masks, kept, done = truth.categories.copy(), list(truth.masks), [], []
    for index, mask in enumerate(truth.masks):
        kind, shifted = kinds.get(index), None
        if kind == SHIFTED_MASK:
            shifted = shift_mask(mask, generator)
            kind = kind if shifted else MISSING_OBJECT
        if kind == WRONG_CLASS:
            others = pool[pool != truth.categories[index]]
            categories[index] = generator.choice(others) if len(others) else (truth.categories[index] + 1) % 46
        masks[index] = shifted or mask
        if kind is not None:
            done.append(Corruption(truth.image_id, kind, None if kind == MISSING_OBJECT else len(kept), mask))
        if kind != MISSING_OBJECT:
            kept.append(index)
    changed = replace(
        truth,
        categories=categories[kept],
        masks=[masks[index] for index in kept],
        attributes=[truth.attributes[index] for index in kept],
    )
    return changed, done


def shift_mask(mask: dict, generator: np.random.Generator) -> dict | None:
    """Move a mask by `SHIFT` of its box's width and height, away from the frame's edge where one is near.

    Args:
        mask: COCO RLE, not empty.
        generator: draws distance and direction.

    Returns:
        COCO RLE of the same size, cut off at the frame; None where nothing of it is left.
    """
    height, width = mask['size']
    runs = rle.coco_to_runs(mask)
    x1, y1, x2, y2 = rle.bounding_box(runs, height)
    right, down = (_draw_shift(low, high, side, generator) for low, high, side in ((x1, x2, width), (y1, y2, height)))
    window = max(0, -right), max(0, -down), min(width, width - right), min(height, height - down)
    if window[0] >= window[2] or window[1] >= window[3]:
        return None
    part = crop(runs, (height, width), window)
    if part[0].size == 0:
        return None
    size = window[3] - window[1], window[2] - window[0]
    return rle.runs_to_coco(place(part, size, (height, width), max(0, down), max(0, right)), height, width)


def _draw_shift(low: int, high: int, side: int, generator: np.random.Generator) -> int:
    """Draw by how many pixels to move the interval from low to high, at least one, in a frame of that side."""
    distance = max(1, round(generator.uniform(*SHIFT) * (high - low)))
    distance *= generator.choice((-1, 1))
    stays, stays_back = (low + step >= 0 and high + step <= side for step in (distance, -distance))
    return int(distance if stays or not stays_back else -distance)
