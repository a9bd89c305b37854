"""Runs that differ in the seed only: which they are, and their mean."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from fashion_mmdet.experiments.compare.configs import experiment_changes
from fashion_mmdet.experiments.compare.scores import RunScores
from fashion_mmdet.experiments.runs import Run

SEED_SUFFIX = re.compile(r'_seed\d+(?=/|\Z)')  # of a run's folder, as tools/train.py --seeds writes it
STARTS = ('load_from', 'start')


def strip_seed(path: str) -> str:
    """Drop the part of a run's name or path that names its seed."""
    return SEED_SUFFIX.sub('', path)


def find_seed(run: Run) -> int | None:
    """Return the seed of a run, by its record or config; None where neither says."""
    return run.record.get('seed', (run.config.get('randomness') or {}).get('seed'))


def differ_in_seed_only(one: Run, other: Run) -> bool:
    """Tell whether two runs are the same experiment with two seeds, trained equally far.

    Both may begin from the same run with two seeds.
    """
    seeds = find_seed(one), find_seed(other)
    if None in seeds or seeds[0] == seeds[1]:
        return False
    if one.record.get('iterations') != other.record.get('iterations'):
        return False
    return all(
        key == 'randomness.seed' or (key in STARTS and strip_seed(str(values[0])) == strip_seed(str(values[1])))
        for key, values in experiment_changes(one, other)
    )


def average_scores(by_seed: Sequence[RunScores]) -> RunScores:
    """Average the scores of every image over the seeds' runs; counts of classes are summed up."""
    if len(by_seed) == 1:
        return by_seed[0]
    count = len(by_seed)
    images = {
        image: tuple(math.fsum(one.images[image][place] for one in by_seed) / count for place in range(2))
        for image in by_seed[0].images
    }
    classes = {
        category: tuple(sum(one.classes.get(category, (0, 0, 0))[place] for one in by_seed) for place in range(3))
        for category in sorted({category for one in by_seed for category in one.classes})
    }
    score, score_50 = (math.fsum(getattr(one, name) for one in by_seed) / count for name in ('score', 'score_50'))
    return replace(by_seed[0], score=score, score_50=score_50, images=images, classes=classes)
