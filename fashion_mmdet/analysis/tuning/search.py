"""The search for postprocessing options on given images: stages, each from where the one before ended."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from fashion_mmdet.analysis.tuning.engine import Engine
from fashion_mmdet.analysis.tuning.objective import Detections, thresholds_of
from fashion_mmdet.classes import NUM_CATEGORIES, NUM_MAIN_CATEGORIES
from fashion_mmdet.evaluation.postprocess import Postprocess

SCORES = np.arange(2, 39) / 40  # 0.05, 0.075 ... 0.95
FLOORS = (0.3, 0.2, 0.1, SCORES[0])
# Options of Postprocess to try, one after the other; another of its fields is a line here. 'none' is no choice of
# overlap: masks of a class that share pixels make no submission.
AXES: dict[str, tuple] = {
    'nms_iou': (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
    'cross_class_iou': (None, 0.4, 0.5, 0.6, 0.7, 0.8),
    'mask_thr': (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6),
    'min_area': (1, 50, 100, 200, 400, 800, 1600),
    'overlap': ('class', 'all'),
}
ATTRIBUTE_THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
ROUNDS = 3
TINY = 1e-9  # below it a gain is a rounding error

Images = tuple[int, ...]


class Tuner:
    """Finds options for some images; the same images and stages give the same options.

    Stages:
        score: one score threshold for all categories.
        geometry: NMS, mask threshold, minimum area, overlap, one at a time, the score threshold anew each time.
        classes: a score threshold for each category that is frequent enough.
        categories: which categories never to predict.
        attributes: from which probability on attributes are predicted, and for which categories none; only where a hit
            needs the attributes (match='class_id') and the model predicts some.

    Args:
        engine: holds the images.
        base: options to start from; what no stage touches stays.
        min_support: a category with fewer true objects keeps the common threshold (and with fewer true and predicted
            ones is not dropped); one with n objects goes n / (n + min_support) of the way to its best threshold.
        axes: options of the geometry stage and their values; None for `AXES`.
        on_fit: called after each search.
    """

    def __init__(
        self,
        engine: Engine,
        base: Postprocess,
        min_support: int = 10,
        axes: Mapping[str, tuple] | None = None,
        on_fit: Callable[[], None] = lambda: None,
    ) -> None:
        self.engine, self.base, self.min_support, self._on_fit = engine, base, min_support, on_fit
        self.axes = AXES if axes is None else axes
        self._fitted: dict[tuple[Images, tuple[str, ...]], Postprocess] = {}
        self._best: dict[tuple[Images, str, float], tuple[float, float]] = {}

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that apply to these images, in order."""
        return tuple(stage for stage in STAGES if stage != 'attributes' or self.engine.has_attributes)

    def fit(self, images: Images, stages: Sequence[str]) -> Postprocess:
        """Find the options that score best on `images`.

        Args:
            images: positions in the dump; no other image's truth is looked at.
            stages: in order; none gives the base options.
        """
        if not stages:
            return self.base
        key = images, tuple(stages)
        if key not in self._fitted:
            self._fitted[key] = STAGES[stages[-1]](self, images, self.fit(images, stages[:-1]))
            self._on_fit()
        return self._fitted[key]

    def fit_score(self, images: Images, start: Postprocess) -> Postprocess:
        """Choose the best common score threshold; of equals, the lowest."""
        return replace(start, score_thr=self._best_threshold(images, start, SCORES)[0])

    def fit_geometry(self, images: Images, start: Postprocess) -> Postprocess:
        """Descend along one option at a time until none helps."""
        grid = SCORES[floor_of(start) <= SCORES]
        best, best_score = start, self.engine.quick_score(images, start, floor_of(start))
        for _ in range(ROUNDS):
            before = best
            for name, values in self.axes.items():
                for value in values:
                    candidate = replace(best, **{name: value})
                    threshold, score = self._best_threshold(images, candidate, grid)
                    if score > best_score + TINY:
                        best, best_score = replace(candidate, score_thr=threshold), score
            if best == before:
                break
        return best

    def fit_classes(self, images: Images, start: Postprocess) -> Postprocess:
        """Give frequent categories a score threshold of their own, the most frequent first, twice round."""
        floor = floor_of(start)
        detections = self.engine.detections(images, start, floor)
        support = self._support(images)
        common = start.score_thresholds()
        chosen = thresholds_of(common, start.drop_categories)
        for _ in range(2):
            for category in np.argsort(-support, kind='stable').tolist():
                if support[category] >= self.min_support and category not in start.drop_categories:
                    chosen[category] = self._shrunk(
                        detections, category, chosen, common[category], support[category], SCORES[floor <= SCORES]
                    )
        default = common_threshold(start)
        own = {
            category: float(chosen[category])
            for category in range(NUM_CATEGORIES)
            if category not in start.drop_categories and chosen[category] != default
        }
        candidate = replace(start, score_thr={'default': default, **own})
        return self._confirmed(images, start, candidate)

    def fit_categories(self, images: Images, start: Postprocess) -> Postprocess:
        """Drop (or take back) the category that gains most, as long as one does."""
        detections = self.engine.detections(images, start, floor_of(start))
        thresholds = start.score_thresholds()
        seen = self._support(images) + np.bincount(
            detections.categories[detections.scores >= thresholds[detections.categories]], minlength=NUM_CATEGORIES
        )
        dropped = set(start.drop_categories)
        best = detections.score(thresholds_of(thresholds, sorted(dropped)))
        while True:
            scores = {
                category: detections.score(thresholds_of(thresholds, sorted(dropped ^ {category})))
                for category in range(NUM_CATEGORIES)
                if seen[category] >= self.min_support
            }
            winner = max(scores, key=scores.__getitem__, default=None)
            if winner is None or scores[winner] <= best + TINY:
                break
            dropped, best = dropped ^ {winner}, scores[winner]
        own = start.score_thr
        if isinstance(own, Mapping):
            own = {key: value for key, value in own.items() if key == 'default' or int(key) not in dropped}
        return self._confirmed(images, start, replace(start, score_thr=own, drop_categories=tuple(sorted(dropped))))

    def fit_attributes(self, images: Images, start: Postprocess) -> Postprocess:
        """Choose the attributes' threshold, then the categories better off without, the most frequent first."""
        best, best_score = start, self.engine.score(images, start)
        for threshold in ATTRIBUTE_THRESHOLDS:
            best, best_score = self._better(images, replace(start, attribute_thr=threshold), best, best_score)
        support = self._support(images)
        for category in np.argsort(-support[:NUM_MAIN_CATEGORIES], kind='stable').tolist():
            if support[category] >= self.min_support and category not in best.drop_categories:
                policy = (
                    best.attribute_policy
                    if isinstance(best.attribute_policy, Mapping)
                    else {'default': best.attribute_policy}
                )
                candidate = replace(best, attribute_policy={**policy, category: 'without'})
                best, best_score = self._better(images, candidate, best, best_score)
        return best

    def _better(
        self, images: Images, candidate: Postprocess, best: Postprocess, best_score: float
    ) -> tuple[Postprocess, float]:
        score = self.engine.score(images, candidate)
        return (candidate, score) if score > best_score + TINY else (best, best_score)

    def _best_threshold(self, images: Images, options: Postprocess, grid: np.ndarray) -> tuple[float, float]:
        """Find the best common score threshold of a grid and its score."""
        key = images, repr(replace(options, score_thr=0.0)), float(grid[0])
        if key not in self._best:
            scores = self.engine.detections(images, options, grid[0]).scores_along(grid, options.drop_categories)
            place = int(np.flatnonzero(scores >= scores.max() - TINY)[0])
            self._best[key] = float(grid[place]), float(scores[place])
        return self._best[key]

    def _shrunk(
        self,
        detections: Detections,
        category: int,
        thresholds: np.ndarray,
        common: float,
        support: int,
        grid: np.ndarray,
    ) -> float:
        """Find a category's threshold, drawn towards the common one; as it was if that does not gain."""
        scores = detections.scores_of_class(category, grid, thresholds)
        best = grid[int(np.flatnonzero(scores >= scores.max() - TINY)[0])]
        drawn = round(float(common + (best - common) * support / (support + self.min_support)), 3)
        changed = thresholds.copy()
        changed[category] = drawn
        return drawn if detections.score(changed) > detections.score(thresholds) + TINY else thresholds[category]

    def _confirmed(self, images: Images, start: Postprocess, candidate: Postprocess) -> Postprocess:
        """Take the candidate if it is better by the exact score too, which tables may miss (see `tables`)."""
        return candidate if self.engine.score(images, candidate) > self.engine.score(images, start) else start

    def _support(self, images: Images) -> np.ndarray:
        return np.bincount(self.engine.objects(images), minlength=NUM_CATEGORIES)


# A further stage is a method that takes images and options and gives options.
STAGES: dict[str, Callable[[Tuner, Images, Postprocess], Postprocess]] = {
    'score': Tuner.fit_score,
    'geometry': Tuner.fit_geometry,
    'classes': Tuner.fit_classes,
    'categories': Tuner.fit_categories,
    'attributes': Tuner.fit_attributes,
}


def common_threshold(options: Postprocess) -> float:
    """Give the score threshold of categories without their own."""
    thresholds = options.score_thr
    return float(thresholds.get('default', 0.5) if isinstance(thresholds, Mapping) else thresholds)


def floor_of(options: Postprocess) -> float:
    """Choose how far below the common score threshold to look: half of it, on a coarse grid so that tables serve often.

    Few masks pass a high floor, so most of the search costs a fraction of what one run at 0.05 does. No threshold that
    the options already have is cut off.
    """
    half = next((floor for floor in FLOORS if floor <= common_threshold(options) / 2), FLOORS[-1])
    return min(float(half), float(options.score_thresholds().min()))
