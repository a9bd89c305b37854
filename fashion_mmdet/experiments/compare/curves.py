"""Curves of all runs as inline SVG."""

import math
from collections.abc import Sequence
from html import escape

from fashion_mmdet.experiments.compare.comparison import Row

WIDTH, HEIGHT = 640, 300  # the picture's own units; the page scales it
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 14, 40
MOST_POINTS = 160  # of a curve; more do not show
FARTHEST = 1e100
PALETTE = 8  # colours that the page's style sheet has

Points = list[tuple[float, float]]


def draw_curves(rows: Sequence[Row]) -> tuple[list[tuple[str, str]], list[str]]:
    """Draw the scores and losses of all runs over the epochs; over iterations where no run knows its epochs.

    Returns:
        Caption and <svg> of each chart that shows something, and the runs left out because only others know theirs.
    """
    paces = [pace(row) for row in rows]
    unit = 'epoch' if any(paces) else 'iteration'
    drawn = [found is not None or unit == 'iteration' for found in paces]
    losses, scores = (
        [
            (row.run.name, curve(row)(found or 1) if there else [])
            for row, found, there in zip(rows, paces, drawn, strict=True)
        ]
        for curve in (lambda row: row.log.losses, lambda row: row.log.scores)
    )
    charts = [
        ('Score on val while training', draw_chart(scores, 'Score on val of every run', unit, dots=True)),
        ('Training loss', draw_chart(losses, 'Training loss of every run', unit, dots=False)),
    ]
    left_out = [
        row.run.name for row, there in zip(rows, drawn, strict=True) if not there and (row.log.train or row.log.val)
    ]
    return [(caption, chart) for caption, chart in charts if chart], left_out


def pace(row: Row) -> float | None:
    """Tell a run's iterations an epoch, by its log or its record; None where neither knows."""
    record = row.run.record
    if row.log.iterations_an_epoch is None and record.get('iterations') and record.get('epochs'):
        return record['iterations'] / record['epochs']
    return row.log.iterations_an_epoch


def draw_chart(curves: Sequence[tuple[str, Points]], label: str, x_label: str, dots: bool) -> str:
    """Draw one curve a run.

    Args:
        curves: name and (x, y) points of each run, in the order of the table; points that are not finite are left out,
            as are those beyond 1e100, and a run without points keeps its colour.
        label: what the chart shows, for who cannot see it.
        x_label: below the x axis.
        dots: mark every point, with its values to read.

    Returns:
        An <svg>; '' where no run has a point.
    """
    finite = [
        (name, [point for point in points if all(abs(value) < FARTHEST for value in point)]) for name, points in curves
    ]
    every = [point for _, points in finite for point in points]
    if not every:
        return ''
    x_max = max(x for x, _ in every)
    x_ticks = [tick for tick in choose_ticks(0, x_max, whole=True) if tick < 0.8 * x_max]  # the last label is x_max's
    y_ticks = choose_ticks(min(0.0, *(y for _, y in every)), max(y for _, y in every))
    scale = _Scale(x_max, y_ticks[0], y_ticks[-1])
    parts = [_draw_axes(scale, x_ticks, y_ticks, x_label)]
    parts += [
        _draw_curve(index, name, thin_out(points), scale, dots) for index, (name, points) in enumerate(finite) if points
    ]
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f'{"".join(parts)}</svg>'
    )


class _Scale:
    """From values to the picture's units."""

    def __init__(self, x_max: float, y_min: float, y_max: float) -> None:
        self.x_max, self.y_min, self.y_max = x_max, y_min, y_max

    def x(self, value: float) -> float:
        return LEFT + value / (self.x_max or 1) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (value - self.y_min) / (self.y_max - self.y_min) * (HEIGHT - TOP - BOTTOM)


def _draw_axes(scale: _Scale, x_ticks: list[float], y_ticks: list[float], x_label: str) -> str:
    lines = [
        f'<path class="rule" d="M{LEFT} {scale.y(tick):.1f}H{WIDTH - RIGHT}"/>'
        f'<text class="tick" text-anchor="end" x="{LEFT - 8}" y="{scale.y(tick) + 4:.1f}">{_name(tick)}</text>'
        for tick in y_ticks
    ]
    lines += [
        f'<text class="tick" text-anchor="middle" x="{scale.x(tick):.1f}" y="{HEIGHT - BOTTOM + 20}">'
        f'{_name(tick)}</text>'
        for tick in x_ticks
    ]
    return ''.join(lines) + (
        f'<text class="tick" text-anchor="end" x="{WIDTH - RIGHT}" y="{HEIGHT - BOTTOM + 20}">'
        f'{escape(x_label)} {scale.x_max:.4g}</text>'
    )


def _draw_curve(index: int, name: str, points: Points, scale: _Scale, dots: bool) -> str:
    path = 'L'.join(f'{scale.x(x):.1f} {scale.y(y):.1f}' for x, y in points)
    marks = (
        ''.join(
            f'<circle cx="{scale.x(x):.1f}" cy="{scale.y(y):.1f}" r="3.2"><title>{escape(name)}, {x:g}: {y:.3f}'
            f'</title></circle>'
            for x, y in points
        )
        if dots
        else ''
    )
    return (
        f'<g class="curve {colour(index)}" data-run="{index}">'
        f'<path d="M{path}"><title>{escape(name)}</title></path>{marks}</g>'
    )


def colour(index: int) -> str:
    """Name the style classes of a run: one of the colours, dashed from the second time round."""
    return f'c{index % PALETTE}' + (' dashed' if index // PALETTE % 2 else '')


def choose_ticks(low: float, high: float, whole: bool = False) -> list[float]:
    """Choose round numbers, seven steps at most, that enclose low and high."""
    span = high - low
    if span < 1e-9 * max(abs(low), abs(high)) or span < 1e-12:  # flat but for rounding
        span = abs(high) if abs(high) > 1e-12 else 1.0
    unit = 10.0 ** math.floor(math.log10(span / 7))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor * 7 >= span)
    if whole:
        step = max(1.0, round(step))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, max(last, first + 1) + 1)]


def thin_out(points: Points) -> Points:
    """Average neighbours until no more than 160 points stay."""
    if len(points) <= MOST_POINTS:
        return points
    size = math.ceil(len(points) / MOST_POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def _name(tick: float) -> str:
    return f'{round(tick, 10):g}'
