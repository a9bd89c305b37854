"""A comparison as one HTML file that needs nothing else.

Everything from a run's folder (names, config values, paths) is untrusted text and goes through `escape`.
"""

import re
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from fashion_mmdet.classes import CATEGORIES, short_name
from fashion_mmdet.experiments.compare.comparison import Comparison, Row
from fashion_mmdet.experiments.compare.configs import summarize_changes
from fashion_mmdet.experiments.compare.curves import colour, draw_curves
from fashion_mmdet.experiments.compare.notes import write_notes
from fashion_mmdet.experiments.compare.pictures import Picture, draw_worst
from fashion_mmdet.experiments.compare.report import (
    OTHERS,
    epochs_done,
    show,
    show_commit,
    show_difference,
    show_score,
    show_time,
)
from fashion_mmdet.experiments.diff import MISSING

CHANGES_IN_A_CELL = 3
OPEN_CHANGES = 16  # longer lists begin folded
WHISKER_WIDTH, WHISKER_HEIGHT = 120, 12
MINUS = '\u2212'  # as wide as the plus


def format_html(comparison: Comparison, deck: bool = False, overlays: int = 8) -> str:
    """Write the page.

    Args:
        comparison: the runs.
        deck: with a column of the configs' `deck_score`.
        overlays: pictures a run, the worst first.
    """
    rows = comparison.rows
    drawn = [draw_worst(row, overlays) if overlays else ([], '') for row in rows]
    template = Template(files('fashion_mmdet.experiments.compare').joinpath('page.html').read_text(encoding='utf-8'))
    return template.substitute(
        style=files('fashion_mmdet.experiments').joinpath('page.css').read_text(encoding='utf-8'),
        title=f'{len(rows)} {"run" if len(rows) == 1 else "runs"} compared',
        subtitle=_subtitle(rows),
        chips=''.join(_chip(index, row) for index, row in enumerate(rows)),
        table=_table(comparison, deck),
        notes=''.join(f'<li>{escape(note)}</li>' for note in write_notes(comparison)),
        curves=_section('curves', 'Curves', _curves(rows)),
        changes=_section(
            'changes',
            'What changed',
            ''.join(_changes(index, rows[index - 1], rows[index]) for index in range(1, len(rows))),
        ),
        pictures=_section('pictures', 'Worst pictures', _pictures(rows, drawn) if overlays else ''),
    )


def breakable(text: str) -> str:
    """Escape a name or a dotted key and let it wrap behind its dots and underscores."""
    return re.sub(r'([._/])(?=[A-Za-z])', r'\1<wbr>', escape(text))


def _subtitle(rows: Sequence[Row]) -> str:
    counts = sorted({len(row.scores.images) for row in rows if row.scores})
    photos = f'{" or ".join(f"{count:,}" for count in counts)} held-out photos. ' if counts else ''
    return f'{photos}Score: mean over images and IoU thresholds 0.50 to 0.95 of TP / (TP + FP + FN).'


def _section(name: str, heading: str, body: str) -> str:
    return f'<section id="{name}"><h2>{heading}</h2>{body}</section>' if body else ''


def _chip(index: int, row: Row) -> str:
    return (
        f'<label class="chip {colour(index)}"><input type="checkbox" checked data-toggle="{index}"><i></i>'
        f'{escape(row.run.name)}</label>'
    )


def _table(comparison: Comparison, deck: bool) -> str:
    reach = (
        max(
            (max(abs(row.difference.low), abs(row.difference.high)) for row in comparison.rows if row.difference),
            default=0.0,
        )
        or 1.0
    )
    classes = ''.join(
        f'<th class="n" scope="col" title="{escape(CATEGORIES[category])}">{escape(short_name(category))}</th>'
        for category in comparison.targets
    )
    classes += f'<th class="n" scope="col">{OTHERS}</th>' if classes else ''
    group = f'<th colspan="{len(comparison.targets) + 1}" class="group">Sensitivity</th>' if classes else ''
    head = (
        f'<tr class="groups"><th colspan="{5 if deck else 4}"></th>{group}<th colspan="4"></th></tr>'
        '<tr><th scope="col">Run</th><th class="n" scope="col">Score</th><th class="n" scope="col">IoU 0.5</th>'
        '<th scope="col">Against the run above</th>'
        + ('<th class="n" scope="col">Deck</th>' if deck else '')
        + classes
        + '<th class="n" scope="col">Epochs</th><th class="n" scope="col">Images</th>'
        '<th class="n" scope="col">Time</th><th scope="col">Commit</th></tr>'
    )
    body = ''.join(_table_row(index, row, comparison.targets, deck, reach) for index, row in enumerate(comparison.rows))
    return f'<table class="runs"><thead>{head}</thead><tbody>{body}</tbody></table>'


def _table_row(index: int, row: Row, targets: Sequence[int], deck: bool, reach: float) -> str:
    record, data = row.run.record, row.run.data
    error = f'<small>± {show(row.error)}</small>' if row.error is not None else ''
    score = f'<b>{show_score(row)}</b>{error}' if row.score is not None else ''
    epochs, remarks = epochs_done(row)
    seen, images = record.get('images_seen'), data.get('train_images')
    cells = [
        _cell('Score', score, 'n score'),
        _cell('IoU 0.5', show(row.score_50), 'n'),
        _cell('Against the run above', _difference(row, reach), 'difference'),
        *([_cell('Deck', show(row.run.config.get('deck_score')), 'n')] if deck else []),
        *(_sensitivity(short_name(category), row.scores and row.scores.sensitivity(category)) for category in targets),
        *([_sensitivity(OTHERS, row.scores and row.scores.sensitivity_beside(targets))] if targets else []),
        _cell('Epochs', epochs + ''.join(f'<small>{remark}</small>' for remark in remarks), 'n'),
        _cell(
            'Images',
            ('' if images is None else f'{images:,}') + ('' if seen is None else f'<small>{seen:,} seen</small>'),
            'n',
        ),
        _cell('Time', escape(show_time(record.get('train_time_s'))), 'n'),
        _cell('Commit', _commit(row), 'commit'),
    ]
    return (
        f'<tr><th scope="row"><span class="name {colour(index)}"><i></i>{breakable(row.run.name)}</span>'
        f'{_change_summary(index, row)}</th>{"".join(cells)}</tr>'
    )


def _cell(label: str, content: str, kind: str) -> str:
    """Write a cell; narrow screens show the label beside it, and no cell that is empty."""
    return f'<td class="{kind}{"" if content else " empty"}" data-label="{escape(label)}">{content}</td>'


def _commit(row: Row) -> str:
    commit, _, state = escape(show_commit(row)).partition(' ')
    return f'<code>{commit}</code>' + (f'<small>{state}</small>' if state else '') if commit else ''


def _change_summary(index: int, row: Row) -> str:
    if row.changes is None:
        return ''
    texts = summarize_changes(row.changes, CHANGES_IN_A_CELL) or ['no change of the config']
    link = f'<a href="#changes-{index}">{escape(texts.pop())}</a>' if len(texts) > CHANGES_IN_A_CELL else ''
    return '<small>' + '<br>'.join([*map(breakable, texts), *([link] if link else [])]) + '</small>'


def _sensitivity(name: str, value: float | None) -> str:
    if value is None:
        return _cell(name, '', 'n sensitivity')
    return _cell(
        name, f'{value:.3f}<span class="bar"><span style="width:{value * 100:.0f}%"></span></span>', 'n sensitivity'
    )


def _difference(row: Row, reach: float) -> str:
    """Draw the interval on the scale of all rows, zero in the middle, and write it."""
    found = row.difference
    if found is None:
        return f'<span class="none" title="{escape(row.obstacle)}">not comparable</span>' if row.obstacle else ''
    kind = 'up' if found.low > 0 else 'down' if found.high < 0 else 'flat'
    low, mid, high = ((value / reach * 0.48 + 0.5) * WHISKER_WIDTH for value in (found.low, found.mean, found.high))
    half, texts = WHISKER_HEIGHT / 2, [f'{value:+.3f}' for value in (found.mean, found.low, found.high)]
    mean_text, low_text, high_text = (text.replace('-', MINUS) for text in texts)
    return (
        f'<svg class="whisker {kind}" viewBox="0 0 {WHISKER_WIDTH} {WHISKER_HEIGHT}" aria-hidden="true">'
        f'<path class="zero" d="M0 {half}H{WHISKER_WIDTH}M{WHISKER_WIDTH / 2} 0V{WHISKER_HEIGHT}"/>'
        f'<path d="M{low:.1f} {half}H{high:.1f}"/><circle cx="{mid:.1f}" cy="{half}" r="3.5"/></svg>'
        f'<span class="{kind}"><b>{mean_text}</b> <small>[{low_text}, {high_text}]</small></span>'
    )


def _curves(rows: Sequence[Row]) -> str:
    charts, left_out = draw_curves(rows)
    figures = ''.join(f'<figure><figcaption>{caption}</figcaption>{chart}</figure>' for caption, chart in charts)
    note = f'<p class="none">Not drawn, since its epochs are not known: {escape(", ".join(left_out))}.</p>'
    return f'<div class="charts">{figures}</div>{note if left_out else ""}' if figures else ''


def _changes(index: int, above: Row, row: Row) -> str:
    """List every changed key between two consecutive runs, a long list folded."""
    difference = show_difference(row.difference).replace('-', MINUS) or row.obstacle
    heading = (
        f'<h3><span>{breakable(above.run.name)} → <b>{breakable(row.run.name)}</b></span>'
        f'<small>{escape(difference)}</small></h3>'
    )
    body = '<p>The configs are the same.</p>'
    if row.changes:
        lines = ''.join(
            f'<tr><th scope="row">{breakable(key)}</th>'
            + ''.join(
                '<td class="none">not there</td>' if value is MISSING else f'<td>{escape(repr(value))}</td>'
                for value in values
            )
            + '</tr>'
            for key, values in row.changes
        )
        body = (
            '<table><thead><tr><th scope="col">Key</th><th scope="col">Before</th><th scope="col">After</th></tr>'
            f'</thead><tbody>{lines}</tbody></table>'
        )
        if len(row.changes) > OPEN_CHANGES:
            body = f'<details><summary>{len(row.changes)} keys</summary>{body}</details>'
    return f'<div class="change" id="changes-{index}">{heading}{body}</div>'


def _pictures(rows: Sequence[Row], drawn: Sequence[tuple[list[Picture], str]]) -> str:
    categories = sorted({category for pictures, _ in drawn for picture in pictures for category in picture.categories})
    options = ''.join(f'<option value="{category}">{escape(CATEGORIES[category])}</option>' for category in categories)
    choice = (
        (
            f'<label class="choice">With <select data-class-filter><option value="">any class</option>{options}'
            '</select></label>'
        )
        if options
        else ''
    )
    return f'<p class="lead">True left, predicted right; the lowest score first. {choice}</p>' + ''.join(
        _gallery(index, row, *drawn[index]) for index, row in enumerate(rows)
    )


def _gallery(index: int, row: Row, pictures: Sequence[Picture], reason: str) -> str:
    figures = ''.join(
        f'<figure data-run="{index}" data-classes="{" ".join(map(str, picture.categories))}"><button type="button">'
        f'<img src="{picture.uri}" alt="{escape(picture.text)}" width="{picture.size[0]}" height="{picture.size[1]}">'
        f'</button><figcaption><b>{picture.score:.3f}</b> '
        f'<span>{escape(picture.image_id)}</span><small>{picture.score_50:.3f} at IoU 0.5</small></figcaption></figure>'
        for picture in pictures
    )
    return (
        f'<div class="gallery" data-run="{index}">'
        f'<h3 class="name {colour(index)}"><i></i>{breakable(row.run.name)}</h3>'
        + (f'<p class="none">{escape(reason)}</p>' if reason else '')
        + f'<div class="grid">{figures}</div></div>'
    )
