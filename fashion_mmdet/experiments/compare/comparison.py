"""Runs side by side: scores with their errors, paired differences, what changed.

The score's standard error and the difference's interval say how far other val photos of the same kind could move
them. Another seed moves a training too; that is not in them.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from fashion_mmdet.analysis.sensitivity import pick_targets
from fashion_mmdet.datasets.targets import read_targets
from fashion_mmdet.experiments.compare.configs import experiment_changes
from fashion_mmdet.experiments.compare.scores import RunScores, score_run
from fashion_mmdet.experiments.diff import Leaves
from fashion_mmdet.experiments.runs import PRINTED, Run
from fashion_mmdet.experiments.train_log import SCORE, SCORE_50, Log, read_log
from fashion_mmdet.utils.json_files import NUMBER, read_object

TARGETS = 5
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """Mean difference of the scores of the same images, and the bounds of its 95 % interval."""

    mean: float
    low: float
    high: float
    images: int


@dataclass(frozen=True)
class Row:
    """One run of the comparison.

    Attributes:
        run: config and record.
        log: training curves.
        scores: scores of its dump; None without one.
        score, score_50: taken from the dump, else as `source` says; None where nothing was scored.
        source: 'dump'; 'val.json' (a dump without its truth); 'log' (the last val score); '' for none.
        difference: against the run above; None for the first, and where `obstacle` says why.
        obstacle: why there is no difference; '' where there is one, and for the first.
        changes: what its config changed against the run above; None for the first.
    """

    run: Run
    log: Log
    scores: RunScores | None
    score: float | None
    score_50: float | None
    source: str
    difference: Difference | None
    obstacle: str
    changes: Leaves | None

    @property
    def error(self) -> float | None:
        """Standard error of the score over the val images; None without the images' scores."""
        return standard_error(list(self.scores.by_image.values())) if self.scores else None

    @property
    def epochs(self) -> float | None:
        """Epochs trained, from the record or the log; None where neither knows."""
        return self.run.record.get('epochs', self.log.epochs)


@dataclass(frozen=True)
class Comparison:
    """All rows, the categories whose sensitivity to show, and where these came from."""

    rows: list[Row]
    targets: list[int]
    targets_from: str


def read_target_ids(text: str) -> list[int]:
    """Read category ids such as `0,6,23`, or the file that tools/sensitivity.py writes; errors as `read_targets`."""
    by_id = re.fullmatch(r'\d+([, ]+\d+)*', text)
    return read_targets([int(part) for part in re.split('[, ]+', text)] if by_id else text)


def compare(runs: Sequence[Run], targets: Sequence[int] | None = None, targets_from: str = '') -> Comparison:
    """Compare runs, each with the one before it.

    Args:
        runs: runs in the order of the table.
        targets: categories whose sensitivity to show; None for the five most occurring but least sensitive of the
            first run that has a dump.
        targets_from: where given targets came from.

    Raises:
        ValueError: a broken log, dump or truth; names the file.
    """
    rows: list[Row] = []
    for run in runs:
        rows.append(_make_row(run, rows[-1] if rows else None))
    if targets is None:
        first = next((row for row in rows if row.scores is not None), None)
        targets = pick_targets(first.scores.tallies(), TARGETS) if first else []
        targets_from = f'the most occurring but least sensitive of {first.run.name}' if first else ''
    return Comparison(rows, list(targets), targets_from)


def _make_row(run: Run, above: Row | None) -> Row:
    log, scores = read_log(run.logs), score_run(run)
    obstacle = find_obstacle(above, run, scores) if above else ''
    comparable = above is not None and not obstacle
    return Row(
        run,
        log,
        scores,
        *_choose_score(run, log, scores),
        paired_difference(above.scores.by_image, scores.by_image) if comparable else None,
        obstacle,
        experiment_changes(above.run, run) if above else None,
    )


def _choose_score(run: Run, log: Log, scores: RunScores | None) -> tuple[float | None, float | None, str]:
    """Take score, score at IoU 0.5 and their source from the dump, tools/test.py's val.json, or the log's end."""
    if scores is not None:
        return scores.score, scores.score_50, 'dump'
    printed = run.folder / PRINTED
    if run.dump is not None and printed.is_file():
        found = read_object(printed, {SCORE: NUMBER, SCORE_50: NUMBER})
        if SCORE in found:
            return found[SCORE], found.get(SCORE_50), 'val.json'
    return (log.val[-1][SCORE], log.val[-1].get(SCORE_50), 'log') if log.val else (None, None, '')


def find_obstacle(above: Row, run: Run, scores: RunScores | None) -> str:
    """Say why a run's scores cannot be paired with those of the run above; '' where they can."""
    for name, found in ((above.run.name, above.scores), (run.name, scores)):
        if found is None:
            return f'{name} has no scores of single images'
    if above.scores.truth_sha256 != scores.truth_sha256:
        return 'scored on different data (the true masks differ)'
    shas = [one.data.get('train_csv_sha256') for one in (above.run, run)]
    if None not in shas and shas[0] != shas[1]:
        return 'trained on different data (the fingerprints of train.csv differ)'
    before, after = above.scores.images.keys(), scores.images.keys()
    if before != after:
        return f'scored on different images ({len(before)} and {len(after)}, {len(before & after)} of them shared)'
    if above.scores.postprocess != scores.postprocess:
        names = [name for name, value in scores.postprocess.items() if above.scores.postprocess[name] != value]
        return f'scored with different postprocess ({", ".join(names)})'
    return 'one image has no interval' if len(after) < 2 else ''


def standard_error(scores: Sequence[float]) -> float | None:
    """Return the standard error of the mean, sample deviation / sqrt(N); None for fewer than two."""
    return float(np.std(scores, ddof=1)) / math.sqrt(len(scores)) if len(scores) > 1 else None


def paired_difference(before: Mapping[str, float], after: Mapping[str, float]) -> Difference:
    """Compare two runs image by image.

    The interval is Student's t on the N differences: mean +- t(0.975, N - 1) * s / sqrt(N). Pairing takes out what is
    hard or easy about an image, so that far smaller differences show than the two standard errors would allow.

    Args:
        before: score of each image.
        after: scores of the same images, two at least.
    """
    differences = np.array([after[image] - score for image, score in before.items()])
    mean = math.fsum(differences) / len(differences)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(differences) - 1)) * standard_error(differences)
    return Difference(mean, mean - reach, mean + reach, len(differences))
