"""Runs side by side: scores with their errors, paired differences, what changed.

Runs that differ in the seed only are one row. The score's standard error says how far other val photos of the same
kind could move it; the difference's interval holds for other seeds too, where a config has run with several.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fashion_mmdet.analysis.sensitivity import pick_targets
from fashion_mmdet.datasets.targets import read_targets
from fashion_mmdet.experiments.compare.configs import experiment_changes
from fashion_mmdet.experiments.compare.intervals import Difference, paired_difference, standard_error
from fashion_mmdet.experiments.compare.scores import RunScores, score_run
from fashion_mmdet.experiments.compare.seeds import average_scores, differ_in_seed_only, strip_seed
from fashion_mmdet.experiments.diff import MISSING, Leaves, list_leaves
from fashion_mmdet.experiments.runs import PRINTED, Run
from fashion_mmdet.experiments.train_log import SCORE, SCORE_50, Log, read_log
from fashion_mmdet.utils.json_files import NUMBER, read_object

TARGETS = 5


@dataclass(frozen=True)
class Row:
    """One run of the comparison, or several that differ in the seed only.

    Attributes:
        runs: config and record of each seed's run.
        log: training curves of the first.
        by_seed: scores of each run's dump; none without one.
        scores: their mean over the seeds; None without any.
        score, score_50: taken from the dumps, else as `source` says; None where nothing was scored.
        source: 'dump'; 'val.json' (a dump without its truth); 'log' (the last val score); '' for none.
        keys: values of the config keys asked for, `MISSING` where the config has none.
        against: what it is compared with: the row above, or the baseline; None for the first, or the baseline.
        difference: from that one; None where `obstacle` says why.
        obstacle: why there is no difference; '' where there is one, and without something to compare with.
        changes: what its config changed against that one's; None without one.
    """

    runs: tuple[Run, ...]
    log: Log
    by_seed: tuple[RunScores, ...]
    scores: RunScores | None
    score: float | None
    score_50: float | None
    source: str
    keys: dict[str, Any]
    against: 'Row | None' = None
    difference: Difference | None = None
    obstacle: str = ''
    changes: Leaves | None = None

    @property
    def run(self) -> Run:
        """The first seed's run."""
        return self.runs[0]

    @property
    def name(self) -> str:
        """The run's name; of several seeds, without what names the first one's."""
        return strip_seed(self.run.name) if len(self.runs) > 1 else self.run.name

    @property
    def seed_deviation(self) -> float | None:
        """Standard deviation of the score between seeds; None for a single one."""
        return float(np.std([one.score for one in self.by_seed], ddof=1)) if len(self.by_seed) > 1 else None

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
    """All rows, the categories whose sensitivity to show, where these came from, and the baseline if there is one."""

    rows: list[Row]
    targets: list[int]
    targets_from: str
    baseline: Row | None = None


def read_target_ids(text: str) -> list[int]:
    """Read category ids such as `0,6,23`, or the file that tools/sensitivity.py writes; errors as `read_targets`."""
    by_id = re.fullmatch(r'\d+([, ]+\d+)*', text)
    return read_targets([int(part) for part in re.split('[, ]+', text)] if by_id else text)


def compare(
    runs: Sequence[Run],
    targets: Sequence[int] | None = None,
    targets_from: str = '',
    baseline: Path | None = None,
    keys: Sequence[str] = (),
) -> Comparison:
    """Compare runs, each with the one before it or with a baseline; those that differ in the seed only are one row.

    Args:
        runs: runs in the order of the table.
        targets: categories whose sensitivity to show; None for the five most occurring but least sensitive of the
            first run that has a dump.
        targets_from: where given targets came from.
        baseline: folder of one of the runs, to compare all others with.
        keys: config keys whose values to show, as `diff` writes them.

    Raises:
        ValueError: a broken log, dump or truth, naming the file; a baseline that is none of the runs; a key that no
            config has.
    """
    rows = [_make_row(group, keys) for group in _group_runs([(run, score_run(run)) for run in runs])]
    _check_keys(keys, rows)
    base = _find_baseline(baseline, rows) if baseline else None
    related: list[Row] = []
    for row in rows:
        against = base if base else (related[-1] if related else None)
        related.append(row if against is None or row is base else _relate(row, against, rows))
    if targets is None:
        first = next((row for row in rows if row.scores is not None), None)
        targets = pick_targets(first.scores.tallies(), TARGETS) if first else []
        targets_from = f'the most occurring but least sensitive of {first.name}' if first else ''
    return Comparison(related, list(targets), targets_from, base)


def _group_runs(scored: Sequence[tuple[Run, RunScores | None]]) -> list[list[tuple[Run, RunScores | None]]]:
    """Put runs that differ in the seed only, and can be compared image by image, with the first of them."""
    groups: list[list[tuple[Run, RunScores | None]]] = []
    for run, scores in scored:
        for group in groups:
            alike = all(differ_in_seed_only(other, run) for other, _ in group)
            if alike and not find_obstacle(*group[0], run, scores):
                group.append((run, scores))
                break
        else:
            groups.append([(run, scores)])
    return groups


def _make_row(group: Sequence[tuple[Run, RunScores | None]], keys: Sequence[str]) -> Row:
    runs, by_seed = tuple(run for run, _ in group), tuple(scores for _, scores in group if scores)
    log, scores = read_log(runs[0].logs), average_scores(by_seed) if by_seed else None
    leaves = list_leaves(runs[0].config) if keys else {}
    shown = {key: leaves.get(key, MISSING) for key in keys}
    return Row(runs, log, by_seed, scores, *_choose_score(runs[0], log, scores), shown)


def _check_keys(keys: Sequence[str], rows: Sequence[Row]) -> None:
    for key in keys:
        if all(row.keys[key] is MISSING for row in rows):
            known = dict.fromkeys(name for row in rows for name in list_leaves(row.run.config))
            near = (
                difflib.get_close_matches(key, known, 3) or [name for name in known if name.startswith(f'{key}.')][:3]
            )
            raise ValueError(f'--keys {key}: no config has it' + (f'; near it: {", ".join(near)}' if near else ''))


def _find_baseline(folder: Path, rows: Sequence[Row]) -> Row:
    for row in rows:
        if any(run.folder.resolve() == folder.resolve() for run in row.runs):
            return row
    raise ValueError(f'--baseline {folder}: none of the runs compared: {", ".join(row.name for row in rows)}')


def _relate(row: Row, against: Row, rows: Sequence[Row]) -> Row:
    """Compare a row with another; all rows that were scored alike tell how far another seed moves a score."""
    obstacle, difference = find_obstacle(against.run, against.scores, row.run, row.scores), None
    if not obstacle:
        others = [
            one
            for one in rows
            if one.runs not in (against.runs, row.runs)
            and not find_obstacle(against.run, against.scores, one.run, one.scores)
        ]
        before, after, *more = ([seed.by_image for seed in one.by_seed] for one in (against, row, *others))
        difference = paired_difference(before, after, more)
    changes = experiment_changes(against.run, row.run)
    return replace(row, against=against, difference=difference, obstacle=obstacle, changes=changes)


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


def find_obstacle(above: Run, above_scores: RunScores | None, run: Run, scores: RunScores | None) -> str:
    """Say why the scores of two runs cannot be paired; '' where they can."""
    for name, found in ((above.name, above_scores), (run.name, scores)):
        if found is None:
            return f'{name} has no scores of single images'
    if above_scores.truth_sha256 != scores.truth_sha256:
        return 'scored on different data (the true masks differ)'
    shas = [one.data.get('train_csv_sha256') for one in (above, run)]
    if None not in shas and shas[0] != shas[1]:
        return 'trained on different data (the fingerprints of train.csv differ)'
    before, after = above_scores.images.keys(), scores.images.keys()
    if before != after:
        return f'scored on different images ({len(before)} and {len(after)}, {len(before & after)} of them shared)'
    if above_scores.postprocess != scores.postprocess:
        names = [name for name, value in scores.postprocess.items() if above_scores.postprocess[name] != value]
        return f'scored with different postprocess ({", ".join(names)})'
    return 'one image has no interval' if len(after) < 2 else ''
