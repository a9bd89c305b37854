"""What a raw prediction tells of each of its detections beyond the score, as numbers.

Everything is taken from the prediction alone, in a few milliseconds per image, so that a rescorer can run wherever
postprocessing does.
"""

import numpy as np

from fashion_mmdet.classes import NUM_CATEGORIES
from fashion_mmdet.evaluation.matching import box_ious
from fashion_mmdet.evaluation.paste_loops import paste_masks
from fashion_mmdet.evaluation.predictions import RawPrediction

FEATURE_VERSION = 1  # raise it with any change of what a column holds: saved rescorers refuse another version
GRID = 96  # cells along a photo's longer side, on which masks are compared
MASK_THR = 0.5
UNCERTAIN = 0.2, 0.8  # a pixel between is neither in nor out
LOOSE, STRICT = 0.3, 0.7  # thresholds between which a sure mask hardly shrinks
SIDE_FLOOR = 1e-3  # of the photo's side: keeps logarithms finite for boxes without width
SEEN = 0.5  # from this score on a detection counts as seen

CATEGORY = 'category'
SCORE = ('score', 'score_to_best', 'score_to_class_best', 'rank', 'rank_in_class')
PLACE = ('log_area', 'log_aspect', 'width', 'height', 'centre_x', 'centre_y', 'border_gap', 'figure_dx', 'figure_dy')
MASK = ('mask_mean', 'mask_uncertain', 'mask_fill', 'mask_stability')
OVERLAPS = tuple(f'{name}_{others}' for name in ('box_iou', 'mask_iou', 'inside') for others in ('class', 'any'))
COUNTS = ('detections', 'detections_of_class', 'seen', 'seen_of_class')
PRESENCE = tuple(f'presence_{category}' for category in range(NUM_CATEGORIES))
FEATURE_NAMES = (CATEGORY, *SCORE, *PLACE, *MASK, *OVERLAPS, 'covering_score', 'followers', *COUNTS, *PRESENCE)


def extract_features(raw: RawPrediction) -> np.ndarray:
    """Describe every detection of an image, columns by `FEATURE_NAMES`; (N, F) float32.

    Better means a higher score, at the same score the earlier one. Lengths are shares of the photo's sides.
    """
    if not len(raw.scores):
        return np.zeros((0, len(FEATURE_NAMES)), np.float32)
    scores = raw.scores.astype(np.float64)
    rank = np.empty(len(scores), np.int64)
    rank[np.argsort(-scores, kind='stable')] = np.arange(len(scores))
    better = rank < rank[:, None]  # (N, N): column's detection is better than the row's
    same = raw.categories == raw.categories[:, None]
    columns = [
        raw.categories[:, None],
        _score_features(scores, rank, better, same),
        _geometry_features(raw, scores),
        _mask_features(raw.mask_probs.astype(np.float32)),
        _overlap_features(raw, scores, better, same),
        _count_features(scores, same),
        _presence(raw.categories, scores),
    ]
    return np.concatenate(columns, axis=1).astype(np.float32)


def _score_features(scores: np.ndarray, rank: np.ndarray, better: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Return score, its ratios to the best of the image and of the class there, ranks from 0; (N, 5)."""
    floor = np.finfo(np.float32).tiny
    class_best = np.maximum(np.where(same, scores, 0).max(axis=1), floor)
    ranks = rank, (better & same).sum(axis=1)
    return np.stack([scores, scores / max(scores.max(), floor), scores / class_best, *ranks], axis=1)


def _geometry_features(raw: RawPrediction, scores: np.ndarray) -> np.ndarray:
    """Return size, shape and place of the boxes in the photo and against the other detections; (N, 9)."""
    boxes = raw.boxes.astype(np.float64) / [raw.width, raw.height, raw.width, raw.height]
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], SIDE_FLOOR)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    pixels = sides * [raw.width, raw.height]
    shape = np.log(sides.prod(axis=1)), np.log(pixels[:, 0] / pixels[:, 1])
    border = np.concatenate([boxes[:, :2], 1 - boxes[:, 2:]], axis=1).min(axis=1)
    weights = scores + np.finfo(np.float32).tiny
    figure = weights @ centres / weights.sum()  # where the person is, as far as detections tell
    return np.stack([*shape, *sides.T, *centres.T, border, *(centres - figure).T], axis=1)


def _mask_features(probs: np.ndarray) -> np.ndarray:
    """Return how certain the masks are inside their boxes, from (N, M, M) float32; (N, 4).

    Mean probability of the pixels that are in, share of pixels that are neither in nor out, share of the box that is
    in, and what is left of the mask from a loose to a strict threshold.
    """
    inside = probs >= MASK_THR
    count = inside.sum(axis=(1, 2))
    mean = np.where(inside, probs, 0).sum(axis=(1, 2)) / np.maximum(count, 1)
    uncertain = ((probs > UNCERTAIN[0]) & (probs < UNCERTAIN[1])).mean(axis=(1, 2))
    stability = (probs >= STRICT).sum(axis=(1, 2)) / np.maximum((probs >= LOOSE).sum(axis=(1, 2)), 1)
    return np.stack([mean, uncertain, count / probs[0].size, stability], axis=1)


def _overlap_features(raw: RawPrediction, scores: np.ndarray, better: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Return how much better detections, of the same class and of any, claim of each one; (N, 8).

    Highest IoU of boxes and of masks, highest share of the mask that lies inside the other's, the score of the
    better detection whose mask overlaps most, and how many worse ones of the class lie on the same place.
    """
    boxes = raw.boxes.astype(np.float64)
    of_boxes, (of_masks, inside) = box_ious(boxes, boxes), compare_masks(raw)
    columns = []
    for overlaps in (of_boxes, of_masks, inside):
        columns += [np.where(better & same, overlaps, 0).max(axis=1), np.where(better, overlaps, 0).max(axis=1)]
    rivals = np.where(better, of_masks, 0)
    covering = np.where(rivals.max(axis=1) > 0, scores[rivals.argmax(axis=1)], 0)
    followers = (~better & same & (of_boxes > 0.5)).sum(axis=1) - (np.diagonal(of_boxes) > 0.5)
    return np.stack([*columns, covering, followers], axis=1)


def compare_masks(raw: RawPrediction) -> tuple[np.ndarray, np.ndarray]:
    """Compare masks on a coarse grid over the photo.

    Returns:
        (N, N) float IoU, and (N, N) float share of the row's mask inside the column's; 0 for masks without a cell.
    """
    scale = GRID / max(raw.height, raw.width)
    height, width = max(round(raw.height * scale), 1), max(round(raw.width * scale), 1)
    boxes = raw.boxes.astype(np.float64) * np.array([width / raw.width, height / raw.height] * 2)
    thresholds = np.full(len(boxes), MASK_THR, np.float32)
    edges, bounds = paste_masks(raw.mask_probs.astype(np.float32), boxes, height, width, thresholds)
    steps = np.zeros((len(boxes), height * width + 1), np.int8)
    rows = np.repeat(np.arange(len(boxes)), np.diff(bounds))
    steps[rows[::2], edges[::2]] += 1  # runs of a mask never touch, so no cell comes twice
    steps[rows[1::2], edges[1::2]] -= 1
    cells = steps.cumsum(axis=1, dtype=np.int8)[:, :-1].astype(np.float32)
    shared = (cells @ cells.T).astype(np.float64)  # whole numbers below 2 ** 24: exact
    areas = np.diagonal(shared)
    union = areas[:, None] + areas - shared
    return shared / np.maximum(union, 1), shared / np.maximum(areas[:, None], 1)


def _count_features(scores: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Count detections and those of the class, all and from score `SEEN` on; (N, 4)."""
    seen = scores >= SEEN
    everyone = np.full(len(scores), len(scores))
    return np.stack([everyone, same.sum(axis=1), np.full(len(scores), seen.sum()), (same & seen).sum(axis=1)], axis=1)


def _presence(categories: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return every category's best score among the other detections, 0 where there is none; (N, 46)."""
    best, second = np.zeros(NUM_CATEGORIES), np.zeros(NUM_CATEGORIES)
    first_row = np.full(NUM_CATEGORIES, -1)
    for row in np.argsort(-scores, kind='stable'):
        category = categories[row]
        if first_row[category] < 0:
            first_row[category], best[category] = row, scores[row]
        elif second[category] == 0:
            second[category] = scores[row]
    presence = np.tile(best, (len(scores), 1))
    leaders = first_row[first_row >= 0]
    presence[leaders, categories[leaders]] = second[categories[leaders]]
    return presence
