"""The search for postprocessing options on given images: stages, each from where the one before ended."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from fashion_mmdet.analysis.tuning.score_cache import ScoreCache
from fashion_mmdet.analysis.tuning.threshold_curve import thresholds_without
from fashion_mmdet.classes import NUM_CATEGORIES, NUM_MAIN_CATEGORIES
from fashion_mmdet.evaluation.attribute_choice import DEFAULT_THRESHOLD
from fashion_mmdet.evaluation.postprocess import Postprocess

THRESHOLD_GRID = np.arange(2, 39) / 40  # 0.05, 0.075 ... 0.95
FLOORS = (0.3, 0.2, 0.1, THRESHOLD_GRID[0])
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
TOLERANCE = 1e-9  # below it a gain is a rounding error

Images = tuple[int, ...]


class Tuner:
    """Finds options for some images; the same images and stages give the same options.

    Stages:
        score: one score threshold for all categories.
        geometry: NMS, mask threshold, minimum area, overlap, one at a time, the score threshold again each time.
        classes: a score threshold for each category that is frequent enough.
        categories: which categories never to predict.
        attributes: from which probability on attributes are predicted, and for which categories none; only where a hit
            needs the attributes (match='class_id') and the model predicts some.

    Args:
        cache: scores of the images.
        base: options to start from; what no stage changes stays.
        min_support: a category with fewer true objects keeps the common threshold (and with fewer true and predicted
            ones is not dropped); one with n objects goes n / (n + min_support) of the way to its best threshold.
        axes: values to try by option, in the geometry stage; None for `AXES`.
        on_fit: called after each search.
    """

    def __init__(
        self,
        cache: ScoreCache,
        base: Postprocess,
        min_support: int = 10,
        axes: Mapping[str, tuple] | None = None,
        on_fit: Callable[[], None] = lambda: None,
    ) -> None:
        self.cache, self.base, self.min_support, self._on_fit = cache, base, min_support, on_fit
        self.axes = AXES if axes is None else axes
        self._fitted: dict[tuple[Images, tuple[str, ...]], Postprocess] = {}
        self._best: dict[tuple[Images, str, float], tuple[float, float]] = {}

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that apply to these images, in order."""
        return tuple(stage for stage in STAGES if stage != 'attributes' or self.cache.has_attributes)

    def fit(self, images: Images, stages: Sequence[str]) -> Postprocess:
        """Find the options that score best on `images`.

        Args:
            images: positions in the dump; no other image's truth is looked at.
            stages: stages in order; none returns the base options.
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
        return replace(start, score_thr=self._best_threshold(images, start, THRESHOLD_GRID)[0])

    def fit_geometry(self, images: Images, start: Postprocess) -> Postprocess:
        """Change one option at a time, as long as one helps (coordinate descent, at most `ROUNDS` rounds)."""
        grid = THRESHOLD_GRID[search_floor(start) <= THRESHOLD_GRID]
        best, best_score = start, self.cache.table_score(images, start, search_floor(start))
        for _ in range(ROUNDS):
            before = best
            for name, values in self.axes.items():
                for value in values:  # each with the score threshold that suits it best
                    candidate = replace(best, **{name: value})
                    threshold, score = self._best_threshold(images, candidate, grid)
                    if score > best_score + TOLERANCE:
                        best, best_score = replace(candidate, score_thr=threshold), score
            if best == before:
                break
        return best

    def fit_classes(self, images: Images, start: Postprocess) -> Postprocess:
        """Give frequent categories a score threshold of their own, the most frequent first, twice round."""
        floor, support, common = search_floor(start), self._support(images), start.score_thresholds()
        detections = self.cache.detections(images, start, floor)
        grid = THRESHOLD_GRID[floor <= THRESHOLD_GRID]
        chosen = thresholds_without(common, start.drop_categories)
        for _ in range(2):
            for category in self._frequent(support, start):
                # Its best threshold, drawn towards the common one as if `min_support` objects more asked for that.
                best, objects = grid[_first_best(detections.scores_of_class(category, grid, chosen))], support[category]
                step = (best - common[category]) * objects / (objects + self.min_support)
                changed = chosen.copy()
                changed[category] = round(float(common[category] + step), 3)
                if detections.score(changed) > detections.score(chosen) + TOLERANCE:
                    chosen = changed
        default = common_threshold(start)
        kept = (category for category in range(NUM_CATEGORIES) if category not in start.drop_categories)
        own = {category: float(chosen[category]) for category in kept if chosen[category] != default}
        return self._confirmed(images, start, replace(start, score_thr={'default': default, **own}))

    def fit_categories(self, images: Images, start: Postprocess) -> Postprocess:
        """Drop (or take back) the category that gains most, as long as one does."""
        detections = self.cache.detections(images, start, search_floor(start))
        thresholds = start.score_thresholds()
        predicted = detections.categories[detections.scores >= thresholds[detections.categories]]
        seen = self._support(images) + np.bincount(predicted, minlength=NUM_CATEGORIES)
        frequent = np.flatnonzero(seen >= self.min_support).tolist()
        dropped = set(start.drop_categories)
        best = detections.score(thresholds_without(thresholds, sorted(dropped)))
        while frequent:  # try every category on the other side, move the best one
            trials = (thresholds_without(thresholds, sorted(dropped ^ {category})) for category in frequent)
            scores = [detections.score(trial) for trial in trials]
            if max(scores) <= best + TOLERANCE:
                break
            best = max(scores)
            dropped ^= {frequent[scores.index(best)]}
        own = start.score_thr
        if isinstance(own, Mapping):
            own = {key: value for key, value in own.items() if key == 'default' or int(key) not in dropped}
        return self._confirmed(images, start, replace(start, score_thr=own, drop_categories=tuple(sorted(dropped))))

    def fit_attributes(self, images: Images, start: Postprocess) -> Postprocess:
        """Choose the attributes' threshold, then the categories better off without, the most frequent first."""
        best = start
        for threshold in ATTRIBUTE_THRESHOLDS:
            best = self._confirmed(images, best, replace(start, attribute_thr=threshold), TOLERANCE)
        for category in self._frequent(self._support(images)[:NUM_MAIN_CATEGORIES], best):
            policy = best.attribute_policy
            policy = policy if isinstance(policy, Mapping) else {'default': policy}
            candidate = replace(best, attribute_policy={**policy, category: 'without'})
            best = self._confirmed(images, best, candidate, TOLERANCE)
        return best

    def _best_threshold(self, images: Images, options: Postprocess, grid: np.ndarray) -> tuple[float, float]:
        """Find the best common score threshold of a grid and its score."""
        key = images, repr(replace(options, score_thr=0.0)), float(grid[0])
        if key not in self._best:
            scores = self.cache.detections(images, options, grid[0]).scores_along(grid, options.drop_categories)
            place = _first_best(scores)
            self._best[key] = float(grid[place]), float(scores[place])
        return self._best[key]

    def _confirmed(
        self, images: Images, start: Postprocess, candidate: Postprocess, least_gain: float = 0
    ) -> Postprocess:
        """Return the candidate if it gains by the exact score too, which tables may miss (see `tuning.tables`)."""
        gain = self.cache.exact_score(images, candidate) > self.cache.exact_score(images, start) + least_gain
        return candidate if gain else start

    def _support(self, images: Images) -> np.ndarray:
        return np.bincount(self.cache.objects(images), minlength=NUM_CATEGORIES)

    def _frequent(self, support: np.ndarray, options: Postprocess) -> list[int]:
        """List the predicted categories with enough true objects, the most frequent first."""
        order = np.argsort(-support, kind='stable').tolist()
        frequent = (category for category in order if support[category] >= self.min_support)
        return [category for category in frequent if category not in options.drop_categories]


# A further stage is a method that takes images and options and returns options.
STAGES: dict[str, Callable[[Tuner, Images, Postprocess], Postprocess]] = {
    'score': Tuner.fit_score,
    'geometry': Tuner.fit_geometry,
    'classes': Tuner.fit_classes,
    'categories': Tuner.fit_categories,
    'attributes': Tuner.fit_attributes,
}


def _first_best(scores: np.ndarray) -> int:
    """Find the first of the scores that are highest but for rounding errors."""
    return int(np.flatnonzero(scores >= scores.max() - TOLERANCE)[0])


def common_threshold(options: Postprocess) -> float:
    """Return the score threshold of categories without their own."""
    thresholds = options.score_thr
    return float(thresholds.get('default', DEFAULT_THRESHOLD) if isinstance(thresholds, Mapping) else thresholds)


def search_floor(options: Postprocess) -> float:
    """Choose how far below the common score threshold to look: half of it, on a coarse grid so that tables serve often.

    Few masks pass a high floor, so most of the search costs a fraction of what one run at 0.05 does. No threshold that
    the options already have is cut off.
    """
    half = next((floor for floor in FLOORS if floor <= common_threshold(options) / 2), FLOORS[-1])
    return min(float(half), float(options.score_thresholds().min()))
