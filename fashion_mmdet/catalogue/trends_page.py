"""What tools/trends.py shows: risers and fallers on the terminal, as a self-contained page, and as CSV."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import CSS4_COLORS
from matplotlib.ticker import MaxNLocator

from fashion_mmdet.catalogue.counts import Counts
from fashion_mmdet.catalogue.trends import LEAST_HITS, LEAST_PERIODS, Trends
from fashion_mmdet.experiments.pages import render
from fashion_mmdet.utils.files import write_text
from fashion_mmdet.utils.tables import format_text

KINDS = dict(category='Categories', attribute='Attributes', colour='Colours')
SHOWN = 12  # rows in each table
CHARTS = 12  # of the commonest categories
SIZE, SMALL = (300, 120), (132, 34)  # of a chart and of one in a table, px
MARGIN = (34, 8, 6, 18)  # of a chart: left, right, top, bottom


@dataclass(frozen=True)
class Line:
    """One term as the page shows it; shares and changes as fractions."""

    kind: str
    name: str
    of: str
    swatch: str
    share: float
    change: float
    low: float
    high: float
    q: float
    chart: str


def pick(counts: Counts, trends: Trends, level: float, kind: str, sign: int) -> list[int]:
    """List a kind's terms that rise (sign 1) or fall (-1) at a false discovery rate.

    Shares of all garments come first, then those whose change is surest to be large.
    """
    with np.errstate(invalid='ignore'):
        called = (trends.q <= level) & (np.sign(trends.change) == sign)
    found = np.flatnonzero(called & [one == kind for one, _, _ in counts.terms])
    sure = np.minimum(np.abs(trends.change_low[found]), np.abs(trends.change_high[found]))
    return found[np.lexsort((-sure, [counts.terms[row][1] != '' for row in found]))].tolist()


def format_trends(counts: Counts, trends: Trends, level: float) -> str:
    """Lay out risers and fallers for the terminal, 12 of a kind and direction."""
    rows = []
    for kind in KINDS:
        for word, sign in (('rises', 1), ('falls', -1)):
            for row in pick(counts, trends, level, kind, sign)[:SHOWN]:
                line = _line(counts, trends, row)
                change = f'{points(line.change)} [{points(line.low)}, {points(line.high)}]'
                rows.append((line.kind, line.name, line.of, word, percent(line.share), change, f'{line.q:.2g}'))
    if not rows:
        return f'no share rises or falls at a false discovery rate of {level:g}'
    return format_text(('kind', 'what', 'of', 'trend', 'share', 'change, points [95 %]', 'q'), rows, ('share', 'q'))


def write_page(counts: Counts, trends: Trends, *, by: str, level: float, source: str, out: Path) -> list[Path]:
    """Write index.html, trends.csv (a row per term) and shares.csv (a row per term and period).

    Args:
        counts, trends: to show.
        by: 'month' or 'week'.
        level: false discovery rate.
        source: name of the catalogue.
        out: folder to write.

    Returns:
        The three files.
    """
    names = [_period(day, by) for day in counts.periods]
    sections = []
    for kind, title in KINDS.items():
        picked = [pick(counts, trends, level, kind, sign) for sign in (1, -1)]
        shown = [[_line(counts, trends, row) for row in rows[:SHOWN]] for rows in picked]
        tested = sum(one == kind and not np.isnan(p) for (one, _, _), p in zip(counts.terms, trends.p, strict=True))
        sections.append((title, tested, list(zip(('Rising', 'Falling'), shown, map(len, picked), strict=True))))
    page = render(
        'trends.html',
        title='Trends',
        lead=_lead(counts, names, by, source),
        sections=sections,
        charts=_category_charts(counts, trends, names),
        first=names[0],
        last=names[-1],
        by=by,
        level=level,
        least=LEAST_HITS,
        least_periods=LEAST_PERIODS,
        tests=int((~np.isnan(trends.p)).sum()),
        seasonal=(counts.periods[-1] - counts.periods[0]).astype(int) < 2 * 365 - 31,
        percent=percent,
        points=points,
    )
    files = [out / name for name in ('index.html', 'trends.csv', 'shares.csv')]
    for path, text in zip(files, (page, *_to_csv(counts, trends)), strict=True):
        write_text(path, text)
    return files


def percent(share: float) -> str:
    """Write a share with two digits."""
    return f'{100 * share:.1f} %' if share >= 0.001 or share == 0 else f'{100 * share:.2g} %'


def points(change: float) -> str:
    return f'{100 * change:+.1f}' if abs(change) >= 0.001 else f'{100 * change:+.2f}'


def _period(day: np.datetime64, by: str) -> str:
    day = pd.Timestamp(day)
    return f'{day:%b %Y}' if by == 'month' else f'{day.day} {day:%b %Y}'


def _lead(counts: Counts, names: Sequence[str], by: str, source: str) -> str:
    undated = f' {counts.undated:,} photos without a date are left out.' if counts.undated else ''
    return f'{source}: {counts.photos.sum():,} photos from {names[0]} to {names[-1]}, by {by}.{undated}'


def _line(counts: Counts, trends: Trends, row: int) -> Line:
    kind, category, name = counts.terms[row]
    share = counts.hits[row].sum() / counts.totals[row].sum()
    values = (trends.change[row], trends.change_low[row], trends.change_high[row], trends.q[row])
    swatch = CSS4_COLORS.get(name, '') if kind == 'colour' else ''
    chart = draw(counts.x, trends.share[row], trends.low[row], trends.high[row], SMALL)
    of = category or 'all garments' if kind != 'category' else 'all photos'
    return Line(kind, name or category, of, swatch, share, *values, chart)


def _category_charts(counts: Counts, trends: Trends, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Draw the commonest categories: name, share and chart of each."""
    rows = [row for row, (kind, _, _) in enumerate(counts.terms) if kind == 'category']
    rows.sort(key=lambda row: -counts.hits[row].sum())
    return [
        (
            counts.terms[row][1],
            percent(counts.hits[row].sum() / counts.totals[row].sum()),
            draw(counts.x, trends.share[row], trends.low[row], trends.high[row], SIZE, names),
        )
        for row in rows[:CHARTS]
    ]


def draw(
    x: np.ndarray,
    share: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    size: tuple[int, int],
    names: Sequence[str] = (),
) -> str:
    """Draw shares and their intervals over time as <svg>; the share axis begins at 0.

    Args:
        x: (T,) times.
        share, low, high: (T,) NaN where there is none.
        size: width and height in pixels.
        names: (T,) of the periods; without them there are no axes.
    """
    known = np.isfinite(share)
    top = max(share[known].max(initial=0), np.median(high[known]) if known.any() else 0) or 1
    ticks = [tick for tick in MaxNLocator(3, steps=[1, 2, 5, 10]).tick_values(0, top) if tick >= 0]
    top = ticks[-1] if names else top
    left, right, above, below = MARGIN if names else (2, 4, 3, 3)
    across = left + (x - x[0]) / max(x[-1] - x[0], 1) * (size[0] - left - right)

    def height(values: np.ndarray) -> np.ndarray:
        return size[1] - below - np.minimum(values / top, 1) * (size[1] - below - above)

    parts = np.split(np.flatnonzero(known), np.flatnonzero(np.diff(np.flatnonzero(known)) > 1) + 1)
    bands = [
        _path(np.r_[across[part], across[part[::-1]]], height(np.r_[high[part], low[part[::-1]]])) + 'Z'
        for part in parts
    ]
    return render(
        'trend.svg',
        size=size,
        left=left,
        right=right,
        lines=[_path(across[part], height(share[part])) for part in parts],
        bands=bands,
        end=(across[known][-1], height(share[known][-1])) if known.any() else None,
        ticks=[(f'{100 * tick:g}', height(tick)) for tick in ticks] if names else [],
        names=(names[0], names[-1]) if names else None,
        points=list(zip(across[known], height(share[known]), np.array(names)[known], share[known], strict=True))
        if names
        else [],
        percent=percent,
    )


def _path(x: np.ndarray, y: np.ndarray) -> str:
    return 'M' + 'L'.join(f'{one:.1f} {other:.1f}' for one, other in zip(x, y, strict=True))


def _to_csv(counts: Counts, trends: Trends) -> tuple[str, str]:
    terms = pd.DataFrame(counts.terms, columns=['kind', 'category', 'name'])
    hits, totals = counts.hits.sum(1), counts.totals.sum(1)
    summary = terms.assign(
        hits=hits,
        total=totals,
        share=hits / totals,
        change=trends.change,
        change_low=trends.change_low,
        change_high=trends.change_high,
        p=trends.p,
        q=trends.q,
    )
    periods = len(counts.periods)
    shares = terms.loc[terms.index.repeat(periods)].assign(
        period=np.tile(counts.periods.astype(str), len(terms)),
        hits=counts.hits.ravel(),
        total=counts.totals.ravel(),
        share=trends.share.ravel(),
        low=trends.low.ravel(),
        high=trends.high.ravel(),
    )
    return tuple(frame.to_csv(index=False, float_format='%.6g') for frame in (summary, shares))
