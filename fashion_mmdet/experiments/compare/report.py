"""A comparison as text: table, Markdown, JSON."""

import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from fashion_mmdet.classes import CATEGORIES, short_name
from fashion_mmdet.experiments.compare.comparison import Comparison, Difference, Row
from fashion_mmdet.experiments.compare.configs import summarize_changes
from fashion_mmdet.experiments.compare.notes import GROUPS, write_notes
from fashion_mmdet.experiments.diff import MISSING

CHANGES_IN_A_CELL = 4
OTHERS = 'others'  # the classes that are no targets, together
Column = tuple[str, Callable[[Row], str]]


def show(value: float | None, digits: int = 3) -> str:
    """Write a number; '' for none."""
    return '' if value is None else f'{value:.{digits}f}'


def show_score(row: Row) -> str:
    """Write a score, with a star where it does not come from a dump."""
    return show(row.score) + ('*' if row.source in ('val.json', 'log') else '')


def show_difference(difference: Difference | None) -> str:
    """Write a difference and its interval."""
    return '' if difference is None else f'{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]'


def show_time(seconds: float | None) -> str:
    """Write a time in its two largest units."""
    if seconds is None:
        return ''
    minutes = round(seconds / 60)
    if seconds < 60:
        return f'{seconds:.0f} s'
    return f'{minutes} min' if minutes < 60 else f'{minutes // 60} h {minutes % 60:02d} min'


def epochs_done(row: Row) -> tuple[str, list[str]]:
    """Write the epochs trained, of how many where there are fewer than planned; and what is to be said of them."""
    record, plan = row.run.record, row.run.config.get('train_cfg') or {}
    done, iterations = record.get('epochs', row.log.epochs), record.get('iterations')
    text, remarks = '' if done is None else f'{done:.4g}', []
    if done is not None and done < (plan.get('max_epochs') or 0):
        text += f' of {plan["max_epochs"]}'
    if iterations is not None and iterations < (plan.get('max_iters') or 0):
        remarks.append(f'{iterations:,} of {plan["max_iters"]:,} iterations')
    return text, remarks + (['unfinished'] if row.run.unfinished else [])


def show_epochs(row: Row) -> str:
    """Write the epochs and what is to be said of them."""
    text, remarks = epochs_done(row)
    return ', '.join(filter(None, [text, *remarks]))


def show_images(row: Row) -> str:
    """Write the images of an epoch and the images seen in all."""
    counts = [row.run.data.get('train_images'), row.run.record.get('images_seen')]
    return ' / '.join('?' if count is None else f'{count:,}' for count in counts) if any(counts) else ''


def show_commit(row: Row) -> str:
    """Write the short commit, and whether the tree was clean."""
    git = row.run.record.get('git') or {}
    state = {True: 'clean', False: 'modified'}.get(git.get('clean'), '')
    return ' '.join(filter(None, [str(git.get('commit') or '')[:7], state]))


def show_changes(row: Row) -> str:
    """Write the first changes against the run above it."""
    if row.changes is None:
        return ''
    return '; '.join(summarize_changes(row.changes, CHANGES_IN_A_CELL)) or 'nothing'


def columns(comparison: Comparison, deck: bool, groups: Sequence[str] = GROUPS) -> list[Column]:
    """List the columns of the text formats; of `GROUPS` those wanted, the run's name always."""
    classes = [
        (
            short_name(category),
            lambda row, category=category: show(row.scores.sensitivity(category) if row.scores else None),
        )
        for category in comparison.targets
    ]
    if comparison.targets:
        classes.append(
            (OTHERS, lambda row: show(row.scores.sensitivity_beside(comparison.targets) if row.scores else None))
        )
    by_group: dict[str, list[Column]] = dict(
        score=[('score', show_score), ('±', lambda row: show(row.error)), ('IoU 0.5', lambda row: show(row.score_50))],
        difference=[('difference [95 %]', lambda row: show_difference(row.difference))],
        deck=[('deck (Kaggle)', lambda row: show(row.run.config.get('deck_score')))] if deck else [],
        classes=classes,
        cost=[
            ('epochs', show_epochs),
            ('images / seen', show_images),
            ('time', lambda row: show_time(row.run.record.get('train_time_s'))),
        ],
        commit=[('commit', show_commit)],
        changes=[('changed against the run above', show_changes)],
    )
    wanted = [column for group, shown in by_group.items() if group in groups for column in shown]
    return [('run', lambda row: row.run.name), *wanted]


def format_table(comparison: Comparison, deck: bool = False, groups: Sequence[str] = GROUPS) -> str:
    """Lay the runs out for a terminal, notes below."""
    layout = columns(comparison, deck, groups)
    lines = [[heading for heading, _ in layout]]
    lines += [[' '.join(cell(row).split()) for _, cell in layout] for row in comparison.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    numeric = [
        index
        for index, (heading, _) in enumerate(layout)
        if heading not in ('run', 'commit', 'difference [95 %]', 'changed against the run above')
    ]
    table = [
        '  '.join(
            cell.rjust(width) if index in numeric else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return '\n'.join([*table, '', *write_notes(comparison, groups)])


def format_markdown(comparison: Comparison, deck: bool = False, groups: Sequence[str] = GROUPS) -> str:
    """Lay the runs out as a Markdown table, notes below as a list."""
    layout = columns(comparison, deck, groups)
    numeric = {'score', '±', 'IoU 0.5', 'deck (Kaggle)', *map(short_name, comparison.targets), OTHERS}
    lines = [
        [_escape_markdown(heading) for heading, _ in layout],
        ['---:' if heading in numeric else '---' for heading, _ in layout],
    ]
    lines += [[_escape_markdown(cell(row)) for _, cell in layout] for row in comparison.rows]
    table = ['| ' + ' | '.join(line) + ' |' for line in lines]
    return '\n'.join([*table, '', *(f'- {_escape_markdown(note)}' for note in write_notes(comparison, groups))])


def _escape_markdown(text: str) -> str:
    """Keep a text in its cell and out of Markdown and HTML; underscores within a word mean nothing there."""
    text = ' '.join(text.split()).replace('&', '&amp;').replace('<', '&lt;')
    return re.sub(r'[\\|*`~]|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[])', r'\\\g<0>', text)


def format_json(comparison: Comparison, deck: bool = False) -> str:
    """Write everything: every change whole, every class, every run's record.

    In a change, a config that lacks the key is left out. Infinity and NaN become text, which JSON has no numbers for.
    """
    value = dict(
        targets=[dict(category=category, name=CATEGORIES[category]) for category in comparison.targets],
        targets_from=comparison.targets_from,
        runs=[_row_to_dict(row, comparison, deck) for row in comparison.rows],
        notes=write_notes(comparison),
    )
    return json.dumps(_plain(value), indent=1, allow_nan=False)


def _row_to_dict(row: Row, comparison: Comparison, deck: bool) -> dict[str, Any]:
    scores, run = row.scores, row.run
    return dict(
        name=run.name,
        folder=str(run.folder),
        score=row.score,
        score_50=row.score_50,
        score_source=row.source or None,
        standard_error=row.error,
        images_scored=len(scores.images) if scores else None,
        difference=dict(vars(row.difference)) if row.difference else None,
        no_difference=row.obstacle or None,
        **(dict(deck_score=run.config.get('deck_score')) if deck else {}),
        sensitivity={CATEGORIES[category]: scores.sensitivity(category) for category in comparison.targets}
        if scores
        else None,
        sensitivity_of_others=scores.sensitivity_beside(comparison.targets) if scores else None,
        classes={
            CATEGORIES[category]: dict(hits=hits, spurious=spurious, missed=missed)
            for category, (hits, spurious, missed) in scores.classes.items()
        }
        if scores
        else None,
        checkpoint=scores.checkpoint if scores else None,
        postprocess=scores.postprocess if scores else None,
        epochs=run.record.get('epochs', row.log.epochs),
        unfinished=run.unfinished,
        changes=None
        if row.changes is None
        else [
            dict(
                key=key,
                **{
                    name: value for name, value in zip(('before', 'after'), values, strict=True) if value is not MISSING
                },
            )
            for key, values in row.changes
        ],
        record=run.record,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (str, int, float)) else str(value)
