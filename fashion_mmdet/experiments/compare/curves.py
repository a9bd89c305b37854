"""Curves of all runs as inline SVG."""

import math
from collections.abc import Sequence

from matplotlib.ticker import MaxNLocator

from fashion_mmdet.experiments.compare.comparison import Row
from fashion_mmdet.experiments.pages import render

MOST_POINTS = 160  # of a curve; more do not show
FARTHEST = 1e100
PALETTE = 8  # colours in the page's style sheet

Points = list[tuple[float, float]]


def draw_curves(rows: Sequence[Row]) -> tuple[list[tuple[str, str]], list[str]]:
    """Draw the scores and losses of all runs over the epochs, or over iterations where no run knows its epochs.

    Returns:
        Caption and <svg> of each chart that shows something, and the runs left out because only others know theirs.
    """
    paces = [pace(row) for row in rows]
    if not any(paces):
        unit, paces = 'iteration', [1] * len(rows)
    else:
        unit = 'epoch'
    scores = [(row.name, row.log.scores(found) if found else []) for row, found in zip(rows, paces, strict=True)]
    losses = [(row.name, row.log.losses(found) if found else []) for row, found in zip(rows, paces, strict=True)]
    charts = [
        ('Score on val while training', draw_chart(scores, 'Score on val of every run', unit, dots=True)),
        ('Training loss', draw_chart(losses, 'Training loss of every run', unit, dots=False)),
    ]
    left_out = [
        row.name for row, found in zip(rows, paces, strict=True) if not found and (row.log.train or row.log.val)
    ]
    return [(caption, chart) for caption, chart in charts if chart], left_out


def pace(row: Row) -> float | None:
    """Return a run's iterations per epoch, from its log or its record; None where neither knows."""
    record = row.run.record
    if row.log.iterations_an_epoch is None and record.get('iterations') and record.get('epochs'):
        return record['iterations'] / record['epochs']
    return row.log.iterations_an_epoch


def draw_chart(curves: Sequence[tuple[str, Points]], label: str, x_label: str, dots: bool) -> str:
    """Draw one curve per run.

    Args:
        curves: name and (x, y) points of each run, in the order of the table; points that are not finite are left out,
            as are those beyond 1e100, and a run without points keeps its colour.
        label: text for screen readers.
        x_label: unit of the x axis.
        dots: mark every point, with its values as a tooltip.

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
    return render(
        'chart.svg',
        curves=[(name, thin_out(points)) for name, points in finite],
        x_max=x_max,
        x_ticks=[tick for tick in choose_ticks(0, x_max, whole=True) if tick < 0.8 * x_max],  # the last label is x_max
        y_ticks=choose_ticks(min(0.0, *(y for _, y in every)), max(y for _, y in every)),
        label=label,
        x_label=x_label,
        dots=dots,
        colour=colour,
    )


def colour(index: int) -> str:
    """Return the style classes of a run: one of the colours, dashed from the second time round."""
    return f'c{index % PALETTE}' + (' dashed' if index // PALETTE % 2 else '')


def choose_ticks(low: float, high: float, whole: bool = False) -> list[float]:
    """Choose round numbers, seven steps at most, that enclose low and high."""
    if high - low < 1e-12:  # flat but for rounding
        return [low, low + 0.2]
    return MaxNLocator(7, steps=[1, 2, 5, 10], integer=whole).tick_values(low, high).tolist()


def thin_out(points: Points) -> Points:
    """Average neighbours until no more than 160 points stay."""
    size = max(1, math.ceil(len(points) / MOST_POINTS))
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]
