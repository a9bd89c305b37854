"""What tuning is worth on images that it did not see: folds, repeated."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fashion_mmdet.analysis.tuning.score_cache import ScoreCache
from fashion_mmdet.analysis.tuning.search import STAGES, Images, Tuner
from fashion_mmdet.evaluation.folds import assign_folds
from fashion_mmdet.evaluation.postprocess import Postprocess

MMDET_DEFAULT = Postprocess(score_thr=0.05, nms_iou=0.5, mask_thr=0.5, overlap='class')


@dataclass(frozen=True)
class Plan:
    """How images are held out: folds, repeated with seeds from `seed` on."""

    folds: int = 2
    repeats: int = 3
    seed: int = 0

    def searches(self) -> int:
        """Count the searches of `tune`, at least."""
        splits = self.folds * self.repeats
        return len(STAGES) * splits * (1 + splits)


class Split(NamedTuple):
    """Images to fit on and images to score on, positions in the dump; none is in both."""

    fitted: Images
    held_out: Images


@dataclass(frozen=True)
class Outcome:
    """What some options, or options found by some stages, score on every split."""

    stages: tuple[str, ...]  # empty for fixed options
    options: tuple[Postprocess, ...]  # of each split
    fitted: np.ndarray  # (F,) float, scores on the images fitted on
    held_out: np.ndarray  # (F,) float, scores on the images not fitted on


@dataclass(frozen=True)
class Choice:
    """Outcomes of the options to start from, and of each stage on top of those kept before it."""

    start: Outcome
    tried: dict[str, Outcome]  # by stage
    kept: tuple[str, ...]  # the stages that helped on held-out images, in order


@dataclass(frozen=True)
class Tuning:
    """The result."""

    options: Postprocess  # found on all images by the stages kept
    fitted_score: float  # their score on the images they were found on
    default: Outcome  # mmdet's default thresholds
    choice: Choice
    procedure: Outcome  # the whole of tuning inside each fold's fitted images
    plan: Plan  # how images were held out
    splits: list[Split]

    @property
    def images(self) -> int:
        """The number of images."""
        return sum(map(len, self.splits[0]))


def tune(
    cache: ScoreCache,
    base: Postprocess,
    plan: Plan,
    min_support: int,
    axes: Mapping[str, tuple] | None = None,
    on_fit: Callable[[], None] = lambda: None,
) -> tuple[Tuning, Tuner]:
    """Find options on all images, and what they are worth on images not fitted on; arguments as of `Tuner`.

    Raises:
        ValueError: too few images for the folds.
    """
    count, least = len(cache.image_ids), plan.folds**2
    if count < least:
        raise ValueError(
            f'{count} image(s) are too few for folds={plan.folds}: at least {least}, as stages are chosen on folds of '
            'folds'
        )
    tuner = Tuner(cache, base, min_support, axes, on_fit)
    images = tuple(range(count))
    splits = make_splits(tuner, images, plan.folds, plan.repeats, plan.seed)
    default = evaluate(tuner, splits, [MMDET_DEFAULT] * len(splits))
    choice = choose_stages(tuner, splits)
    procedure = validate_procedure(tuner, splits, plan)
    options = tuner.fit(images, choice.kept)
    return Tuning(options, cache.exact_score(images, options), default, choice, procedure, plan, splits), tuner


def make_splits(tuner: Tuner, images: Images, folds: int, repeats: int, seed: int) -> list[Split]:
    """Hold out each fold of each repeat in turn; ValueError for fewer images than folds."""
    ids, positions = [tuner.cache.image_ids[image] for image in images], np.array(images)
    splits = []
    for repeat in range(repeats):
        fold = assign_folds(ids, folds, seed + repeat)
        for number in range(folds):
            sides = positions[fold != number], positions[fold == number]
            splits.append(Split(*(tuple(side.tolist()) for side in sides)))
    return splits


def evaluate(
    tuner: Tuner, splits: Sequence[Split], options: Sequence[Postprocess], stages: tuple[str, ...] = ()
) -> Outcome:
    """Score each split's options on its two sides, exactly."""
    sides = (map(tuner.cache.exact_score, images, options) for images in zip(*splits, strict=True))
    return Outcome(stages, tuple(options), *(np.array(list(scores)) for scores in sides))


def choose_stages(tuner: Tuner, splits: Sequence[Split]) -> Choice:
    """Try the stages one after the other and keep those that help on held-out images.

    A stage helps if it raises the mean held-out score, and the score of more than half the splits.
    """
    start = best = evaluate(tuner, splits, [tuner.base] * len(splits))
    tried: dict[str, Outcome] = {}
    for stage in tuner.stages:
        stages = (*best.stages, stage)
        tried[stage] = evaluate(tuner, splits, [tuner.fit(split.fitted, stages) for split in splits], stages)
        gains = tried[stage].held_out - best.held_out
        if gains.mean() > 0 and (gains > 0).mean() > 0.5:
            best = tried[stage]
    return Choice(start, tried, best.stages)


def validate_procedure(tuner: Tuner, splits: Sequence[Split], plan: Plan) -> Outcome:
    """Score the whole of tuning, the choice of stages included, on images that none of it saw.

    Each split's fitted images are split again to choose the stages. As they are fewer, the choice is rather worse than
    the one from all images, and so the score is, if anything, too low.
    """
    options = []
    for split in splits:
        inner = make_splits(tuner, split.fitted, plan.folds, plan.repeats, plan.seed)
        options.append(tuner.fit(split.fitted, choose_stages(tuner, inner).kept))
    return evaluate(tuner, splits, options, ('chosen',))
