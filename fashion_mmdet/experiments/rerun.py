"""Repeat a run from its folder, and tell what of two runs is equal."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import torch

from fashion_mmdet.experiments.checkpoints import load_file, weights_of
from fashion_mmdet.experiments.diff import diff_configs
from fashion_mmdet.experiments.record import PATCH
from fashion_mmdet.experiments.runs import Run
from fashion_mmdet.experiments.train_log import LOSS, SCORE, read_log

TRAIN = Path(__file__).resolve().parents[2] / 'tools' / 'train.py'
HOW_STARTED = re.compile(r'(work_dir|resume)\b')  # may differ between a run and its repetition
NAMED = 3  # differences that are named; the rest is counted


class Finding(NamedTuple):
    """One thing that two runs have: its name, whether it is equal (None: not known), and what differs."""

    what: str
    equal: bool | None
    detail: str = ''


def repeat(run: Run, out: Path, trust: bool = False) -> int:
    """Train a run's resolved config again, with its seed, start, data and number of threads, by today's code.

    Args:
        run: run to repeat.
        out: folder of the repetition.
        trust: load checkpoints that may run code.

    Returns:
        Exit status of the training.

    Raises:
        ValueError: a run that its folder alone does not repeat; says why.
    """
    record = run.record
    if run.config.get('resume'):
        raise ValueError(
            f'{run.folder}: was resumed, so that its config names no pretrained weights any more; run its command anew '
            f'without --resume ({record.get("command", "not recorded")}), then compare with --against'
        )
    if record.get('world_size', 1) > 1:
        raise ValueError(
            f'{run.folder}: trained by {record["world_size"]} processes; start these by hand, compare with --against'
        )
    seed = [] if record.get('seed') is None else ['--cfg-options', f'randomness.seed={record["seed"]}']
    environment = {name: value for name, value in os.environ.items() if name != 'FASHION_DATA'}
    if threads := re.fullmatch(r'CPU, (\d+) threads', record.get('device', '')):
        environment['OMP_NUM_THREADS'] = threads[1]
    words = [run.config.filename, '--work-dir', str(out), *['--trust'] * trust]
    command = [sys.executable, str(TRAIN), *words, *seed]
    return subprocess.run(command, env=environment).returncode


def compare_runs(run: Run, other: Run) -> list[Finding]:
    """Compare what two runs began from, and what came of it.

    Raises:
        ValueError: a broken log, or a checkpoint that cannot be read; names the file.
    """
    git = [one.record.get('git') or {} for one in (run, other)]
    patches = [_read(one.folder / PATCH) for one in (run, other)]
    return [
        _compare_values('commit', *(one.get('commit') for one in git)),
        Finding('uncommitted changes', patches[0] == patches[1], '' if patches[0] == patches[1] else f'see {PATCH}'),
        _compare_mappings('packages', *(one.record.get('packages') or {} for one in (run, other))),
        *(_compare_values(name, run.record.get(name), other.record.get(name)) for name in ('python', 'device', 'seed')),
        _compare_values('data', *(one.data.get('train_csv_sha256') for one in (run, other))),
        _compare_configs(run, other),
        _compare_logs('losses', run, other, lambda log: {line['step']: line[LOSS] for line in log.train}),
        _compare_logs('val scores', run, other, lambda log: {line['step']: line[SCORE] for line in log.val}),
        _compare_weights(run, other),
    ]


def same_results(findings: list[Finding]) -> bool:
    """Tell whether scores and weights are equal; scores that neither run has do not count."""
    equal = {finding.what: finding.equal for finding in findings}
    return equal['weights'] is True and equal['val scores'] is not False


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _compare_values(what: str, one: object, other: object) -> Finding:
    if one is None or other is None:
        return Finding(what, None, 'not recorded')
    return Finding(what, one == other, '' if one == other else f'{one} -> {other}')


def _compare_mappings(what: str, one: Mapping, other: Mapping) -> Finding:
    if not one or not other:
        return Finding(what, None, 'not recorded')
    changed = [
        f'{name} {one.get(name, "-")} -> {other.get(name, "-")}'
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    ]
    return Finding(what, not changed, _name_some(changed))


def _name_some(texts: list[str]) -> str:
    more = [f'and {len(texts) - NAMED} more'] if len(texts) > NAMED else []
    return ', '.join([*texts[:NAMED], *more])


def _compare_configs(run: Run, other: Run) -> Finding:
    rows = [row for row in diff_configs([run.config, other.config]) if not HOW_STARTED.match(row[0])]
    return Finding('config', not rows, _name_some([f'{key} {before!r} -> {after!r}' for key, (before, after) in rows]))


def _compare_logs(what: str, run: Run, other: Run, read: Callable) -> Finding:
    """Compare logged values by step; those that one run alone has differ."""
    one, two = (read(read_log(each.logs)) for each in (run, other))
    if not one and not two:
        return Finding(what, None, 'not logged')
    steps = sorted({*one, *two})
    differing = [step for step in steps if repr(one.get(step)) != repr(two.get(step))]  # as text, for NaN
    if not differing:
        return Finding(what, True, f'{len(steps)} logged')
    first = differing[0]
    return Finding(
        what, False, f'{len(differing)} of {len(steps)}; at step {first}: {one.get(first)} -> {two.get(first)}'
    )


def _compare_weights(run: Run, other: Run) -> Finding:
    files = [_last_checkpoint(one) for one in (run, other)]
    if None in files:
        return Finding('weights', None, 'no checkpoint')
    if files[0].name != files[1].name:
        return Finding('weights', None, f'different ends: {files[0].name}, {files[1].name}')
    one, two = (weights_of(load_file(file), file) for file in files)
    if one.keys() != two.keys() or any(one[name].shape != two[name].shape for name in one):
        return Finding('weights', False, 'tensors of other names or shapes')
    changed = [name for name in one if not torch.equal(one[name], two[name])]
    if not changed:
        return Finding('weights', True, f'{len(one)} tensors, {files[0].name}')
    largest = max(float((one[name].double() - two[name].double()).abs().max()) for name in changed)
    return Finding('weights', False, f'{len(changed)} of {len(one)} tensors differ, by up to {largest:.3g}')


def _last_checkpoint(run: Run) -> Path | None:
    numbered = [
        (int(number[1]), path)
        for path in run.folder.glob('*.pth')
        if (number := re.fullmatch(r'(?:epoch|iter)_(\d+)\.pth', path.name))
    ]
    return max(numbered)[1] if numbered else None


def describe(findings: list[Finding]) -> Iterator[tuple[str, str, str]]:
    """Write the rows of a table."""
    words = {True: 'equal', False: 'differs', None: '-'}
    return ((finding.what, words[finding.equal], finding.detail) for finding in findings)
