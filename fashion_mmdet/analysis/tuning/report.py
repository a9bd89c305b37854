"""What tuning found, as a table and as a file that tools take in place of a config's `postprocess`."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from fashion_mmdet.analysis.tuning.validation import Choice, Outcome, Split
from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.evaluation.postprocess import Postprocess

LABELS = {
    'score': 'best single score threshold',
    'geometry': '+ NMS, mask, area, overlap',
    'classes': '+ thresholds by class',
    'categories': '+ category policy',
    'attributes': '+ attribute policy',
}


@dataclass(frozen=True)
class Tuning:
    """The result.

    Attributes:
        options: found on all images by the stages kept.
        fitted_score: theirs, on the images they were found on.
        default: mmdet's default thresholds.
        choice: each stage on folds.
        procedure: the whole of tuning inside each fold's fitted images.
        images: how many.
        folds, repeats: of the splits.
        splits: of the images.
    """

    options: Postprocess
    fitted_score: float
    default: Outcome
    choice: Choice
    procedure: Outcome
    images: int
    folds: int
    repeats: int
    splits: list[Split]


def format_table(tuning: Tuning) -> str:
    """Lay the stages out: held-out scores with their spread, the gain over the stages kept before, fitted scores."""
    choice = tuning.choice
    head = (
        f'{"":<34} {"held-out":>9} {"sd":>7} {"lowest":>7} {"highest":>8}   {"gain (splits better)":<21} '
        f'{"fitted on":>9}'
    )
    lines = [
        head,
        _row("mmdet's default thresholds", tuning.default, None),
        _row("the config's own", choice.start, tuning.default),
    ]
    best = choice.start
    for stage, outcome in choice.tried.items():
        kept = stage in choice.kept
        lines.append(_row(LABELS.get(stage, f'+ {stage}'), outcome, best) + ('' if kept else '  not kept'))
        best = outcome if kept else best
    lines.append(_row('tuned, stages chosen in each fold', tuning.procedure, tuning.default))
    gain = tuning.procedure.held_out.mean() / max(tuning.default.held_out.mean(), 1e-12) - 1
    return '\n'.join(
        [
            *lines,
            '',
            f'held-out: mean over {tuning.repeats} x {tuning.folds} folds of {tuning.images} images, scored by options '
            'found on the other folds;',
            'fitted on: mean score on the images that the options were found on, no forecast; gain: over the row '
            'before it that was kept',
            "(the config's own and the last row: over mmdet's default). The last row is what to expect of unseen "
            f'images: {gain:+.0%} over the default.',
        ]
    )


def _row(label: str, outcome: Outcome, before: Outcome | None) -> str:
    held_out = outcome.held_out
    gain = ''
    if before is not None:
        gains = held_out - before.held_out
        gain = f'{gains.mean():+.4f} ({int((gains > 0).sum())} of {len(gains)})'
    fitted = f'{outcome.fitted.mean():.4f}' if outcome.stages else '-'
    return (
        f'{label:<34} {held_out.mean():>9.4f} {_deviation(held_out):>7.4f} {held_out.min():>7.4f} '
        f'{held_out.max():>8.4f}   {gain:<21} {fitted:>9}'
    )


def _deviation(scores: np.ndarray) -> float:
    return float(scores.std(ddof=1))


def format_overlay(tuning: Tuning, dump: str, checkpoint: str, metric: str, command: str) -> str:
    """Write the options as a config's `postprocess`, with where they come from and what to expect of them.

    Args:
        tuning: the result.
        dump: path of the dump.
        checkpoint: that made it, '' if unknown.
        metric: the score's name.
        command: that repeats the tuning.
    """
    held_out = tuning.procedure.held_out
    kept, tried = tuning.choice.kept, tuning.choice.tried
    left = [stage for stage in tried if stage not in kept]
    header = [
        f'Postprocessing tuned on {dump}, {tuning.images} images' + (f', {checkpoint}.' if checkpoint else '.'),
        '',
        f'Expected on unseen images: {held_out.mean():.4f} (sd {_deviation(held_out):.4f} over {tuning.repeats} x '
        f'{tuning.folds} folds, none fitted on), {metric};',
        f"mmdet's default thresholds there {tuning.default.held_out.mean():.4f}, the config's own "
        f'{tuning.choice.start.held_out.mean():.4f}.',
        f'On the {tuning.images} images that these values were fitted on: {tuning.fitted_score:.4f}, no forecast.',
        f'Stages that helped on held-out images: {", ".join(kept) or "none; these are the options started from"}.',
        *([f'Not kept, no gain on held-out images: {", ".join(left)}.'] if left else []),
        '',
        f'    {command}',
        '',
        'Use: tools/test.py CONFIG CHECKPOINT --postprocess THIS_FILE, or copy the lines below into a config.',
    ]
    comments = [f'# {" ".join(line.split())}'.rstrip() for line in header]
    return '\n'.join([*comments, *_assignment(tuning.options), ''])


def _assignment(options: Postprocess) -> list[str]:
    lines = ['postprocess = dict(', "    _delete_=True,  # replaces the base config's as a whole"]
    for field in fields(options):
        value = getattr(options, field.name)
        if isinstance(value, Mapping):
            items = [f'        {key!r}: {item!r},{_comment(key)}' for key, item in value.items()]
            lines += [f'    {field.name}={{', *items, '    },']
        else:
            lines.append(f'    {field.name}={value!r},')
    return [*lines, ')']


def _comment(key: int | str) -> str:
    return f'  # {CATEGORIES[int(key)]}' if str(key).isdecimal() else ''
