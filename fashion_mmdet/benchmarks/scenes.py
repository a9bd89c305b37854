"""Made-up garments for the benchmarks: raw predictions, true and predicted masks of many images. Seeded."""

import functools
from collections.abc import Sequence

import numpy as np
from pycocotools import mask as coco_mask

from fashion_mmdet.classes import CATEGORIES, NUM_CATEGORIES
from fashion_mmdet.evaluation.paste_loops import paste_masks
from fashion_mmdet.evaluation.predictions import Prediction, RawPrediction, Truth
from fashion_mmdet.masks.rle import edges_to_coco

SIDE = 28  # cells of a mask's side, as Mask R-CNN gives them
COARSE = 5  # cells of the noise that bends an outline
# Photos hold many sleeves, shoes and collars and few umbrellas: the k-th commonest class weighs 1 / (k + 2).
WEIGHTS = 1 / (np.arange(NUM_CATEGORIES) + 2)
NEAR = 0.65  # share of the predictions made from a true object; the others lie anywhere
RENAMED = 0.1  # share of those that get another class


def draw_blobs(count: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw garment-like outlines: a rounded body that touches its box, its edge bent by smooth noise.

    Returns:
        (N, 28, 28) float32 in [0, 1], and the (N, 5, 5) noise they were made from.
    """
    noise = generator.normal(0, 0.35, (count, COARSE, COARSE))
    return blobs_from_noise(noise), noise


def blobs_from_noise(noise: np.ndarray) -> np.ndarray:
    """Convert (N, 5, 5) noise into (N, 28, 28) float32 probabilities; equal noise, equal blob."""
    position = np.linspace(0, COARSE - 1, SIDE)
    weights = np.maximum(0, 1 - np.abs(position[:, None] - np.arange(COARSE)))  # (28, 5)
    radius = np.abs(np.linspace(-1, 1, SIDE)) ** 3
    body = 1.0 - np.add.outer(radius, radius)
    return (1 / (1 + np.exp(-6 * (body + weights @ noise @ weights.T)))).astype(np.float32)


def draw_boxes(count: int, size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Draw boxes with sides of 1/16 to 2/3 of the image, small ones as often as large; (N, 4) float64, x1 y1 x2 y2."""
    reach = np.array([size[1], size[0]])
    extent = reach * np.exp(generator.uniform(np.log(1 / 16), np.log(2 / 3), (count, 1)))
    extent = np.minimum(extent * np.exp(generator.normal(0, 0.3, (count, 2))), reach)
    corner = generator.uniform(0, 1, (count, 2)) * (reach - extent)
    return np.concatenate([corner, corner + extent], axis=1)


def draw_categories(count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw category ids, common ones often; (N,) int64."""
    return generator.choice(NUM_CATEGORIES, count, p=WEIGHTS / WEIGHTS.sum())


def make_raw(image_id: str, size: tuple[int, int], detections: int, generator: np.random.Generator) -> RawPrediction:
    """Make what a model's heads would say of one image of `size` (height, width)."""
    return RawPrediction(
        image_id,
        *size,
        draw_categories(detections, generator),
        np.sort(generator.beta(0.6, 1.2, detections))[::-1].astype(np.float32),
        draw_boxes(detections, size, generator).astype(np.float32),
        draw_blobs(detections, generator)[0].astype(np.float16),
    )


def make_scene(
    image_id: str, true: int, predicted: int, size: tuple[int, int], generator: np.random.Generator
) -> tuple[Truth, Prediction]:
    """Make one image of a size (H, W): most predictions lie near a true object and have its class.

    Some are a second prediction of the same object, some lie astray; they may overlap each other.
    """
    categories, boxes = draw_categories(true, generator), draw_boxes(true, size, generator)
    blobs, noise = draw_blobs(true, generator)
    truth = Truth(image_id, size, categories, _paste(blobs, boxes, size), [()] * true)
    near = round(NEAR * predicted) if true else 0
    source = np.arange(near) % max(true, 1)  # every object once before any twice
    extent = np.tile(boxes[source, 2:] - boxes[source, :2], 2)
    found_boxes = boxes[source] + generator.normal(0, 0.04, (near, 4)) * extent
    found_blobs = blobs_from_noise(noise[source] + generator.normal(0, 0.12, (near, COARSE, COARSE)))
    found = np.where(generator.random(near) < RENAMED, draw_categories(near, generator), categories[source])
    astray = predicted - near
    scores = np.concatenate([generator.uniform(0.3, 1, near), generator.uniform(0.05, 0.7, astray)]).astype(np.float32)
    order = np.argsort(-scores, kind='stable')
    masks = [
        *_paste(found_blobs, found_boxes, size),
        *_paste(draw_blobs(astray, generator)[0], draw_boxes(astray, size, generator), size),
    ]
    return truth, Prediction(
        image_id,
        size,
        np.concatenate([found, draw_categories(astray, generator)])[order].astype(np.int64),
        scores[order],
        [masks[index] for index in order],
    )


@functools.lru_cache(maxsize=1)
def make_scenes(
    images: int, true: int = 7, predicted: int = 15, size: tuple[int, int] = (512, 512), seed: int = 0
) -> tuple[list[Truth], list[Prediction]]:
    """Make many images, see `make_scene`; the first of them are the same however many there are.

    Contenders of one benchmark share them: nobody may change them.
    """
    pairs = [
        make_scene(f'{index:06d}.jpg', true, predicted, size, np.random.default_rng([seed, index]))
        for index in range(images)
    ]
    return [truth for truth, _ in pairs], [prediction for _, prediction in pairs]


def _paste(blobs: np.ndarray, boxes: np.ndarray, size: tuple[int, int]) -> list[dict]:
    return edges_to_coco(*paste_masks(blobs, boxes, *size, np.full(len(blobs), 0.5, np.float32)), *size)


def to_coco(truths: Sequence[Truth], predictions: Sequence[Prediction]) -> tuple[dict, list[dict]]:
    """Write scenes as COCO dicts.

    Returns:
        The data set with its annotations, and the results as `loadRes` takes them: without area or box.
    """
    images, annotations, results = [], [], []
    for number, (truth, prediction) in enumerate(zip(truths, predictions, strict=True), 1):
        images.append(dict(id=number, file_name=truth.image_id, height=truth.size[0], width=truth.size[1]))
        for category, mask in zip(truth.categories.tolist(), truth.masks, strict=True):
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=category,
                    segmentation=mask,
                    iscrowd=0,
                    area=int(coco_mask.area(mask)),
                    bbox=coco_mask.toBbox(mask).tolist(),
                )
            )
        results += [
            dict(image_id=number, category_id=category, segmentation=mask, score=score)
            for category, mask, score in zip(
                prediction.categories.tolist(), prediction.masks, prediction.scores.tolist(), strict=True
            )
        ]
    categories = [dict(id=index, name=name) for index, name in enumerate(CATEGORIES)]
    return dict(images=images, annotations=annotations, categories=categories), results
