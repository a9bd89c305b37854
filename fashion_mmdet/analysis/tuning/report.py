"""What tuning found, as a table and as a file that tools take in place of a config's `postprocess`."""

from collections.abc import Mapping
from dataclasses import fields

from fashion_mmdet.analysis.tuning.validation import Outcome, Tuning
from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.evaluation.postprocess import Postprocess
from fashion_mmdet.utils.tables import format_text

LABELS = {
    'score': 'best single score threshold',
    'geometry': '+ NMS, mask, area, overlap',
    'classes': '+ thresholds by class',
    'categories': '+ category policy',
    'attributes': '+ attribute policy',
}


def format_table(tuning: Tuning) -> str:
    """Lay the stages out: held-out scores with their spread, the gain over the stages kept before, fitted scores."""
    choice, plan = tuning.choice, tuning.plan
    rows = [_row("mmdet's default thresholds", tuning.default), _row("the config's own", choice.start, tuning.default)]
    best = choice.start
    for stage, outcome in choice.tried.items():
        kept = stage in choice.kept
        rows.append(_row(LABELS.get(stage, f'+ {stage}'), outcome, best, '' if kept else 'not kept'))
        best = outcome if kept else best
    rows.append(_row('tuned, stages chosen in each fold', tuning.procedure, tuning.default))
    header = ('', 'held-out', 'sd', 'lowest', 'highest', 'gain (splits better)', 'fitted on', '')
    gain = tuning.procedure.held_out.mean() / max(tuning.default.held_out.mean(), 1e-12) - 1
    return '\n'.join(
        [
            format_text(header, rows, digits=4),
            '',
            f'held-out: mean over {plan.repeats} x {plan.folds} folds of {tuning.images} images, scored by options '
            'found on the other folds;',
            'fitted on: mean score on the images that the options were found on, no forecast; gain: over the row '
            'before it that was kept',
            "(the config's own and the last row: over mmdet's default). The last row is what to expect of unseen "
            f'images: {gain:+.0%} over the default.',
        ]
    )


def _row(label: str, outcome: Outcome, before: Outcome | None = None, remark: str = '') -> tuple[object, ...]:
    scores, gain = outcome.held_out, ''
    if before is not None:
        gains = scores - before.held_out
        gain = f'{gains.mean():+.4f} ({int((gains > 0).sum())} of {len(gains)})'
    fitted = outcome.fitted.mean() if outcome.stages else None
    return label, scores.mean(), scores.std(ddof=1), scores.min(), scores.max(), gain, fitted, remark


def format_overlay(tuning: Tuning, dump: str, checkpoint: str, metric: str, command: str) -> str:
    """Write the options as a config's `postprocess`, with where they come from and what to expect of them.

    Args:
        tuning: the result.
        dump: path of the dump.
        checkpoint: checkpoint that made the dump, '' if unknown.
        metric: name of the score.
        command: command that repeats the tuning.
    """
    held_out, kept, plan = tuning.procedure.held_out, tuning.choice.kept, tuning.plan
    left = [stage for stage in tuning.choice.tried if stage not in kept]
    header = [
        f'Postprocessing tuned on {dump}, {tuning.images} images' + (f', {checkpoint}.' if checkpoint else '.'),
        '',
        f'Expected on unseen images: {held_out.mean():.4f} (sd {held_out.std(ddof=1):.4f} over {plan.repeats} x '
        f'{plan.folds} folds, none fitted on), {metric};',
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
