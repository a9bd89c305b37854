"""A comparison as text: table, Markdown, JSON."""

import json
import math
import re
from collections.abc import Container
from typing import Any

from fashion_mmdet.classes import CATEGORIES, short_name
from fashion_mmdet.experiments.compare.comparison import Comparison, Row
from fashion_mmdet.experiments.compare.configs import summarize_changes
from fashion_mmdet.experiments.compare.intervals import Difference
from fashion_mmdet.experiments.compare.notes import GROUPS, write_notes
from fashion_mmdet.experiments.compare.seeds import find_seed
from fashion_mmdet.experiments.diff import MISSING
from fashion_mmdet.utils import tables

CHANGES_IN_A_CELL = 4
OTHERS = 'others'  # the classes that are no targets, together


def show(value: float | None) -> str:
    """Format a number with three decimals; '' for None."""
    return '' if value is None else f'{value:.3f}'


def show_score(row: Row) -> str:
    """Format a score, with a star where it does not come from a dump."""
    return show(row.score) + ('*' if row.source in ('val.json', 'log') else '')


def show_difference(difference: Difference | None) -> str:
    """Format a difference and its interval."""
    return '' if difference is None else f'{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]'


def show_seeds(row: Row) -> str:
    """Format the number of seeds and the standard deviation of the score between them; '' for a single one."""
    return '' if row.seed_deviation is None else f'{len(row.by_seed)}, sd {row.seed_deviation:.4f}'


def show_key(value: Any) -> str:
    """Format the value of a config key; '' where the config has none."""
    return '' if value is MISSING else f'{value:.6g}' if isinstance(value, float) else str(value)


def name_other(comparison: Comparison) -> str:
    """Name what a row is compared with: the run above, or the baseline."""
    return comparison.baseline.name if comparison.baseline else 'the run above'


def show_time(seconds: float | None) -> str:
    """Format a time in its two largest units."""
    if seconds is None:
        return ''
    minutes = round(seconds / 60)
    if seconds < 60:
        return f'{seconds:.0f} s'
    return f'{minutes} min' if minutes < 60 else f'{minutes // 60} h {minutes % 60:02d} min'


def epochs_done(row: Row) -> tuple[str, list[str]]:
    """Format the epochs trained, of how many where fewer than planned, and list what else to say about them."""
    record, plan = row.run.record, row.run.config.get('train_cfg') or {}
    done, iterations = row.epochs, record.get('iterations')
    text, remarks = '' if done is None else f'{done:.4g}', []
    if done is not None and done < (plan.get('max_epochs') or 0):
        text += f' of {plan["max_epochs"]}'
    if iterations is not None and iterations < (plan.get('max_iters') or 0):
        remarks.append(f'{iterations:,} of {plan["max_iters"]:,} iterations')
    return text, remarks + (['unfinished'] if row.run.unfinished else [])


def show_epochs(row: Row) -> str:
    """Format the epochs and the remarks about them."""
    text, remarks = epochs_done(row)
    return ', '.join(filter(None, [text, *remarks]))


def show_images(row: Row) -> str:
    """Format the images per epoch and the images seen in all."""
    counts = [row.run.data.get('train_images'), row.run.record.get('images_seen')]
    return ' / '.join('?' if count is None else f'{count:,}' for count in counts) if any(counts) else ''


def show_commit(row: Row) -> str:
    """Format the short commit, and whether the tree was clean."""
    git = row.run.record.get('git') or {}
    state = {True: 'clean', False: 'modified'}.get(git.get('clean'), '')
    return ' '.join(filter(None, [str(git.get('commit') or '')[:7], state]))


def show_changes(row: Row) -> str:
    """Format the first changes against the run above, or the baseline."""
    if row.changes is None:
        return ''
    return '; '.join(summarize_changes(row.changes, CHANGES_IN_A_CELL)) or 'nothing'


def _lay_out(
    comparison: Comparison, deck: bool, groups: Container[str]
) -> tuple[list[str], list[list[str]], tuple[str, ...]]:
    """Return the header, a row of cells per run, and the columns to align right; of `GROUPS` those wanted."""
    columns = [_write_cells(row, comparison, deck) for row in comparison.rows]
    rows = [
        [' '.join(text.split()) for group, cells in by_group.items() if group in groups for text in cells.values()]
        for by_group in columns
    ]
    header = [heading for group, cells in columns[0].items() if group in groups for heading in cells]
    keys = comparison.rows[0].keys
    right = ('score', '±', 'IoU 0.5', 'deck (Kaggle)', *keys, *map(short_name, comparison.targets), OTHERS)
    names = [' '.join(row.name.split()) for row in comparison.rows]
    return ['run', *header], [[name, *cells] for name, cells in zip(names, rows, strict=True)], right


def _write_cells(row: Row, comparison: Comparison, deck: bool) -> dict[str, dict[str, str]]:
    """Write a row's cells by group and column."""
    scores, targets = row.scores, comparison.targets
    seeds = {'seeds': show_seeds(row)} if any(len(one.runs) > 1 for one in comparison.rows) else {}
    classes = {short_name(category): show(scores and scores.sensitivity(category)) for category in targets}
    if targets:
        classes[OTHERS] = show(scores and scores.sensitivity_beside(targets))
    return dict(
        score={'score': show_score(row), '±': show(row.error), **seeds, 'IoU 0.5': show(row.score_50)},
        difference={'difference [95 %]': show_difference(row.difference)},
        keys={key: show_key(value) for key, value in row.keys.items()},
        deck={'deck (Kaggle)': show(row.run.config.get('deck_score'))} if deck else {},
        classes=classes,
        cost={
            'epochs': show_epochs(row),
            'images / seen': show_images(row),
            'time': show_time(row.run.record.get('train_time_s')),
        },
        commit={'commit': show_commit(row)},
        changes={f'changed against {name_other(comparison)}': show_changes(row)},
    )


def format_table(comparison: Comparison, deck: bool = False, groups: Container[str] = GROUPS) -> str:
    """Lay the runs out for a terminal, notes below."""
    return '\n'.join([tables.format_text(*_lay_out(comparison, deck, groups)), '', *write_notes(comparison, groups)])


def format_markdown(comparison: Comparison, deck: bool = False, groups: Container[str] = GROUPS) -> str:
    """Lay the runs out as a Markdown table, notes below as a list."""
    header, rows, right = _lay_out(comparison, deck, groups)
    table = tables.format_markdown(header, [map(_escape_markdown, row) for row in rows], right)
    notes = (_escape_markdown(note).replace('|', '\\|') for note in write_notes(comparison, groups))
    return '\n'.join([table, '', *(f'- {note}' for note in notes)])


def _escape_markdown(text: str) -> str:
    """Escape all markup but bars; underscores within a word mean nothing in Markdown."""
    text = ' '.join(text.split()).replace('&', '&amp;').replace('<', '&lt;')
    return re.sub(r'[\\*`~]|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[])', r'\\\g<0>', text)


def format_json(comparison: Comparison, deck: bool = False) -> str:
    """Write everything: every change whole, every class, every run's record.

    In a change, a config that lacks the key is left out. Infinity and NaN become text, which JSON has no numbers for.
    """
    value = dict(
        targets=[dict(category=category, name=CATEGORIES[category]) for category in comparison.targets],
        targets_from=comparison.targets_from,
        baseline=comparison.baseline and comparison.baseline.name,
        runs=[_row_to_dict(row, comparison.targets, deck) for row in comparison.rows],
        notes=write_notes(comparison),
    )
    return json.dumps(_plain(value), indent=1, allow_nan=False)


def _row_to_dict(row: Row, targets: list[int], deck: bool) -> dict[str, Any]:
    scores, run = row.scores, row.run
    sides = ('before', 'after')
    return dict(
        name=row.name,
        folder=str(run.folder),
        score=row.score,
        score_50=row.score_50,
        score_source=row.source or None,
        standard_error=row.error,
        seeds=[
            dict(seed=find_seed(one), folder=str(one.folder), score=seed.score)
            for one, seed in zip(row.runs, row.by_seed, strict=False)
        ],
        seed_deviation=row.seed_deviation,
        keys={key: value for key, value in row.keys.items() if value is not MISSING},
        against=row.against and row.against.name,
        images_scored=scores and len(scores.images),
        difference=row.difference and dict(vars(row.difference)),
        no_difference=row.obstacle or None,
        **(dict(deck_score=run.config.get('deck_score')) if deck else {}),
        sensitivity=scores and {CATEGORIES[category]: scores.sensitivity(category) for category in targets},
        sensitivity_of_others=scores and scores.sensitivity_beside(targets),
        classes=scores
        and {
            CATEGORIES[category]: dict(zip(('hits', 'spurious', 'missed'), counts, strict=True))
            for category, counts in scores.classes.items()
        },
        checkpoint=scores and scores.checkpoint,
        postprocess=scores and scores.postprocess,
        epochs=row.epochs,
        unfinished=run.unfinished,
        changes=None
        if row.changes is None
        else [
            dict(key=key, **{side: value for side, value in zip(sides, values, strict=True) if value is not MISSING})
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
