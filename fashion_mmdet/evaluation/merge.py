"""Merge several raw predictions of one image into one: views of a photo, checkpoints of a training, models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fashion_mmdet.evaluation.matching import box_ious
from fashion_mmdet.evaluation.predictions import RawPrediction, empty_prediction
from fashion_mmdet.utils.checks import COUNT, POSITIVE, SHARE, check_choice, check_known, check_number, check_numbers

METHODS = ('nms', 'wbf')


@dataclass(frozen=True)
class Merge:
    """How to merge detections of the same object.

    Attributes:
        method: 'nms' keeps box and score of the highest-scored detection. 'wbf' is weighted box fusion (Solovyev, Wang,
            Gabruseva 2019, arXiv 1910.13302): the box is the mean weighted by score; the score is the mean score times
            min(number of detections, number of models) / number of models, which lowers objects that few models see.
            With `weights`, means and numbers are weighted by them.
        iou_thr: detections of a class whose boxes have a larger IoU are the same object.
        duplicate_iou: of two detections of a class by one model whose boxes have a larger IoU, the lower-scored is
            dropped first; None keeps both. Fusion assumes that each model finds an object once: the low-scored
            duplicates that the test step's loose NMS leaves would pull the mean down.
        weights: one per model, positive; None for equal ones. They weigh masks, and with 'wbf' boxes and scores; with
            'nms' they do not choose whose box stays.
        score_thr: detections below are dropped before anything else.
        min_votes: objects that fewer models see are dropped.
        max_per_image: keep this many of the highest scores; None for all.

    Raises:
        ValueError: an option out of its range.
    """

    method: str = 'wbf'
    iou_thr: float = 0.55
    duplicate_iou: float | None = 0.5
    weights: Sequence[float] | None = None
    score_thr: float = 0.01
    min_votes: int = 1
    max_per_image: int | None = 100

    def __post_init__(self) -> None:
        check_choice('merge method', self.method, METHODS)
        check_number('merge iou_thr', self.iou_thr, SHARE)
        check_number('merge duplicate_iou', self.duplicate_iou, SHARE, optional=True)
        check_number('merge score_thr', self.score_thr, SHARE)
        check_number('merge min_votes', self.min_votes, COUNT)
        check_number('merge max_per_image', self.max_per_image, COUNT, optional=True)
        if self.weights is not None:
            check_numbers('merge weights', self.weights, POSITIVE)

    @classmethod
    def from_config(cls, options: Mapping | None) -> 'Merge':
        """Build from the options of a config; ValueError names one that does not exist."""
        check_known('merge ', options or {}, cls)
        return cls(**(options or {}))

    def model_weights(self, models: int) -> np.ndarray:
        """Return each model's weight, (models,) float; ValueError for another number of models than of weights."""
        if self.weights is not None and len(self.weights) != models:
            raise ValueError(f'merge weights={list(self.weights)}: {len(self.weights)} weights for {models} models')
        return np.ones(models) if self.weights is None else np.asarray(self.weights, np.float64)


@dataclass(slots=True)
class _Detections:
    """The detections of all models in one list, N by descending score; ties by model, then row."""

    models: np.ndarray  # (N,) int
    rows: np.ndarray  # (N,) int, in the model's own prediction
    categories: np.ndarray  # (N,) int64
    scores: np.ndarray  # (N,) float64
    boxes: np.ndarray  # (N, 4) float64
    weights: np.ndarray  # (N,) float64, the model's


def merge(raws: Sequence[RawPrediction], options: Merge) -> RawPrediction:
    """Merge the raw predictions of several models, or views, of one image.

    Objects of different classes never merge. Mask probabilities are resampled from each detection's box into the merged
    one (`resample_masks`) and averaged by weight times score: with 'wbf' those of all detections of an object, with
    'nms' of each model's highest-scored, so that one model by itself keeps its masks as they are.

    Args:
        raws: one per model, boxes in pixels of the same photo; masks may differ in side, the largest counts.
        options: thresholds and method.

    Returns:
        Objects by descending score; `image_id` and size of the first.

    Raises:
        ValueError: no prediction, different images or sizes, or another number of weights.
    """
    _check_same_image(raws)
    image = dict(image_id=raws[0].image_id, height=raws[0].height, width=raws[0].width)
    weights = options.model_weights(len(raws))
    detections = _gather(raws, weights, options)
    if not len(detections.scores):
        return empty_prediction(**image)
    fuse = options.method == 'wbf'
    # 1. Group detections into objects, best score first. Say model A's 0.9, model B's 0.8 and model A's 0.4 are one
    #    object: groups [0, 0, 0], models [A, B, A].
    least = np.finfo(np.float32).tiny  # a detection of score 0 still has a mask
    vote_weight = detections.weights * np.maximum(detections.scores, least)
    groups, boxes = group_boxes(detections.boxes, detections.categories, vote_weight, options.iou_thr, fuse)
    # 2. Count the models that see each object, here 2. With 'nms' only each model's best lends its mask, not A's 0.4.
    leaders = _leaders(groups, detections.models)  # [0, 1]
    votes = np.bincount(groups[leaders], minlength=len(boxes))  # [2]
    mask_weight = vote_weight if fuse else np.where(np.isin(np.arange(len(groups)), leaders), vote_weight, 0)
    # 3. Score and choose the objects; only then are masks resampled, the expensive part.
    first = np.unique(groups, return_index=True)[1]  # the detection that founded each object
    scores = _fuse_scores(detections, groups, weights.sum()) if fuse else detections.scores[first]
    kept = np.flatnonzero(votes >= options.min_votes)
    kept = kept[np.argsort(-scores[kept], kind='stable')][: options.max_per_image]
    shares = mask_weight / np.bincount(groups, mask_weight)[groups]  # of one object they add up to 1
    return RawPrediction(
        **image,
        categories=detections.categories[first][kept],
        scores=scores[kept].astype(np.float32),
        boxes=boxes[kept].astype(np.float32),
        mask_probs=_average_masks(raws, detections, shares, groups, boxes, kept),
        attribute_probs=_average_attributes(raws, detections, shares, groups, kept),
    )


def _check_same_image(raws: Sequence[RawPrediction]) -> None:
    if not raws:
        raise ValueError('merge: no predictions')
    for raw in raws[1:]:
        if (raw.image_id, raw.height, raw.width) != (raws[0].image_id, raws[0].height, raws[0].width):
            raise ValueError(
                f'merge: {raws[0].image_id} ({raws[0].height}x{raws[0].width}) and {raw.image_id} '
                f'({raw.height}x{raw.width}) are not the same image'
            )


def _gather(raws: Sequence[RawPrediction], weights: np.ndarray, options: Merge) -> _Detections:
    """Put all models' detections into one list, without those of low score and without duplicates."""
    counts = [len(raw.scores) for raw in raws]
    scores = np.concatenate([raw.scores for raw in raws]).astype(np.float64)
    order = np.argsort(-scores, kind='stable')
    order = order[scores[order] >= options.score_thr]
    models = np.repeat(np.arange(len(raws)), counts)
    rows = np.concatenate([np.arange(count) for count in counts])
    categories = np.concatenate([raw.categories for raw in raws])
    boxes = np.concatenate([raw.boxes for raw in raws]).astype(np.float64)
    if options.duplicate_iou is not None:
        # One number per (category, model), so that only detections of the same model and class meet.
        kinds = categories * len(raws) + models
        objects, _ = group_boxes(boxes[order], kinds[order], scores[order], options.duplicate_iou, fuse=False)
        order = order[np.unique(objects, return_index=True)[1]]
    return _Detections(
        models[order], rows[order], categories[order], scores[order], boxes[order], weights[models[order]]
    )


def group_boxes(
    boxes: np.ndarray, categories: np.ndarray, vote_weight: np.ndarray, iou_thr: float, fuse: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Group detections into objects: each joins the one of its class that it overlaps most, or founds a new one.

    Args:
        boxes: (N, 4) float, x1 y1 x2 y2, by descending score.
        categories: (N,) int.
        vote_weight: (N,) float, positive, the weight of a box in its object's mean.
        iou_thr: joining needs a larger IoU.
        fuse: an object's box is the mean of those that joined so far; else it stays the founder's.

    Returns:
        (N,) int64, each detection's object, numbered as founded; (K, 4) float64, the objects' boxes.
    """
    groups = np.zeros(len(boxes), np.int64)
    # Of the `count` objects founded so far: box, class and sum of weights.
    merged, classes, totals = np.zeros((len(boxes), 4)), np.zeros(len(boxes), np.int64), np.zeros(len(boxes))
    count = 0
    for index, box in enumerate(boxes):
        rivals = np.flatnonzero(classes[:count] == categories[index])
        overlaps = box_ious(box[None], merged[rivals])[0]
        best = int(overlaps.argmax()) if len(rivals) else -1
        if best >= 0 and overlaps[best] > iou_thr:
            group = groups[index] = rivals[best]
            totals[group] += vote_weight[index]
            if fuse:  # running mean: weights 3 and 1 at x = 8 and 12 give 8 + (12 - 8) * 1 / 4 = 9
                merged[group] += (box - merged[group]) * (vote_weight[index] / totals[group])
        else:
            groups[index] = count
            merged[count], classes[count], totals[count] = box, categories[index], vote_weight[index]
            count += 1
    return groups, merged[:count]


def _leaders(groups: np.ndarray, models: np.ndarray) -> np.ndarray:
    """Find the first, thus best, detection of each object by each model; positions by object, then model.

    One object seen by the models 0, 1 and 0 again, best score first (groups [0, 0, 0]): the leaders are 0 and 1.
    """
    _, leaders = np.unique(np.stack([groups, models]), axis=1, return_index=True)
    return leaders


def _fuse_scores(detections: _Detections, groups: np.ndarray, total: float) -> np.ndarray:
    """Average the scores of each object and lower those that few models see; (K,) float64."""
    present = np.bincount(groups, detections.weights)
    means = np.bincount(groups, detections.weights * detections.scores) / present
    return means * np.minimum(present, total) / total


def resample_masks(probs: np.ndarray, boxes: np.ndarray, target_boxes: np.ndarray, out_size: int) -> np.ndarray:
    """Resample masks from their own boxes into others, bilinear between pixel centres, 0 outside their own.

    Args:
        probs: (N, M, M) float32 in [0, 1].
        boxes: (N, 4) float, the masks' own.
        target_boxes: (N, 4) float, the new ones. A mask whose box does not change keeps its values to the bit.
        out_size: side of the new masks, in cells.

    Returns:
        (N, out_size, out_size) float32 in [0, 1].
    """
    cells = probs.shape[-1]
    moved = (boxes != target_boxes).any(axis=1) if cells == out_size else np.ones(len(boxes), bool)
    resampled = np.empty((len(probs), out_size, out_size), np.float32)
    if cells == out_size:
        resampled[~moved] = probs[~moved]
    boxes, target_boxes = boxes[moved], target_boxes[moved]
    # Bilinear sampling is linear in the rows and in the columns, hence two matrix products a mask.
    across = bilinear_weights(boxes[:, 0::2], target_boxes[:, 0::2], cells, out_size)
    down = bilinear_weights(boxes[:, 1::2], target_boxes[:, 1::2], cells, out_size)
    resampled[moved] = down @ probs[moved] @ across.transpose(0, 2, 1)
    return resampled


def bilinear_weights(intervals: np.ndarray, target_intervals: np.ndarray, cells: int, out_size: int) -> np.ndarray:
    """Return the weights of the `cells` of (N, 2) intervals at the `out_size` cell centres of (N, 2) target intervals.

    Two cells over an interval 0 to 8 have their centres at 2 and 6. A target 0 to 4 of size 1 has its centre at 2:
    weights [1, 0]; a target 0 to 6 at 3, a quarter of the way from 2 to 6: [0.75, 0.25].

    Returns:
        (N, out_size, cells) float32.
    """
    low, high = target_intervals[:, :1], target_intervals[:, 1:]
    centres = low + (np.arange(out_size) + 0.5) / out_size * (high - low)
    length = intervals[:, 1:] - intervals[:, :1]
    length = np.where(length > 0, length, 1)  # an empty box has no length to divide by
    positions = (centres - intervals[:, :1]) / length * cells - 0.5  # in cells, 0 at the first's centre
    return np.maximum(1 - np.abs(positions[:, :, None] - np.arange(cells)), 0).astype(np.float32)


def _average_masks(
    raws: Sequence[RawPrediction],
    detections: _Detections,
    shares: np.ndarray,
    groups: np.ndarray,
    boxes: np.ndarray,
    kept: np.ndarray,
) -> np.ndarray:
    """Average the masks of the objects `kept`, each detection by its share; (len(kept), M, M) float16."""
    out_size = max(raw.mask_probs.shape[-1] for raw in raws if len(raw.scores))
    places = np.full(len(boxes), -1)  # of each object in the result: with kept [2, 0] they are [1, -1, 0]
    places[kept] = np.arange(len(kept))
    sums = np.zeros((len(kept), out_size, out_size), np.float32)
    for model, raw in enumerate(raws):
        members = np.flatnonzero((detections.models == model) & (shares > 0) & (places[groups] >= 0))
        probs = raw.mask_probs[detections.rows[members]].astype(np.float32)
        probs = resample_masks(probs, detections.boxes[members], boxes[groups[members]], out_size)
        np.add.at(sums, places[groups[members]], probs * shares[members, None, None].astype(np.float32))
    return sums.astype(np.float16)


def _average_attributes(
    raws: Sequence[RawPrediction], detections: _Detections, shares: np.ndarray, groups: np.ndarray, kept: np.ndarray
) -> np.ndarray | None:
    """Average the attributes of the objects `kept` over the models that have an attribute head.

    Returns:
        (len(kept), A) float16, zeros where no such model saw the object; None where no model has a head.
    """
    known = [raw.attribute_probs for raw in raws if raw.attribute_probs is not None]
    if not known:
        return None
    sums = np.zeros((groups.max() + 1, known[0].shape[1]), np.float32)
    totals = np.zeros(len(sums), np.float32)
    for model, raw in enumerate(raws):
        if raw.attribute_probs is None:
            continue
        members = np.flatnonzero((detections.models == model) & (shares > 0))
        share = shares[members].astype(np.float32)
        np.add.at(sums, groups[members], raw.attribute_probs[detections.rows[members]] * share[:, None])
        np.add.at(totals, groups[members], share)
    return (sums / np.where(totals > 0, totals, 1)[:, None])[kept].astype(np.float16)
