"""What tuning is worth on images that it did not see: folds, repeated."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fashion_mmdet.analysis.tuning.search import Images, Tuner
from fashion_mmdet.evaluation.folds import assign_folds
from fashion_mmdet.evaluation.postprocess import Postprocess

MMDET_DEFAULT = Postprocess(score_thr=0.05, nms_iou=0.5, mask_thr=0.5, overlap='class')


@dataclass(frozen=True)
class Split:
    """Images to fit on and images to score on, positions in the dump; none is in both."""

    fitted: Images
    held_out: Images


@dataclass(frozen=True)
class Outcome:
    """What some options, or options found by some stages, score on every split.

    Attributes:
        stages: what was fitted; empty for fixed options.
        options: of each split.
        held_out: (F,) float, scores on the images not fitted on.
        fitted: (F,) float, scores on the images fitted on.
    """

    stages: tuple[str, ...]
    options: tuple[Postprocess, ...]
    held_out: np.ndarray
    fitted: np.ndarray


@dataclass(frozen=True)
class Choice:
    """Each stage's outcome on top of those kept before it, and which were kept.

    Attributes:
        start: of the options to start from.
        tried: by stage.
        kept: the stages that helped on held-out images, in order.
    """

    start: Outcome
    tried: dict[str, Outcome]
    kept: tuple[str, ...]

    @property
    def best(self) -> Outcome:
        """The outcome of the stages kept."""
        return self.tried[self.kept[-1]] if self.kept else self.start


def make_splits(tuner: Tuner, images: Images, folds: int, repeats: int, seed: int) -> list[Split]:
    """Hold out each fold of each repeat in turn.

    Raises:
        ValueError: fewer images than folds.
    """
    splits = []
    ids = [tuner.engine.image_ids[image] for image in images]
    for repeat in range(repeats):
        fold = assign_folds(ids, folds, seed + repeat)
        splits += [
            Split(tuple(np.array(images)[fold != number].tolist()), tuple(np.array(images)[fold == number].tolist()))
            for number in range(folds)
        ]
    return splits


def evaluate(
    tuner: Tuner, splits: Sequence[Split], options: Sequence[Postprocess], stages: tuple[str, ...] = ()
) -> Outcome:
    """Score each split's options on its two sides, exactly."""
    return Outcome(
        stages,
        tuple(options),
        *(
            np.array(
                [tuner.engine.score(getattr(split, side), one) for split, one in zip(splits, options, strict=True)]
            )
            for side in ('held_out', 'fitted')
        ),
    )


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


def validate_procedure(tuner: Tuner, splits: Sequence[Split], folds: int, repeats: int, seed: int) -> Outcome:
    """Score the whole of tuning, the choice of stages included, on images that none of it saw.

    Each split's fitted images are split again to choose the stages. As they are fewer, the choice is rather worse than
    the one from all images, and so the score is, if anything, too low.
    """
    options = []
    for split in splits:
        inner = make_splits(tuner, split.fitted, folds, repeats, seed)
        options.append(tuner.fit(split.fitted, choose_stages(tuner, inner).kept))
    return evaluate(tuner, splits, options, ('chosen',))
