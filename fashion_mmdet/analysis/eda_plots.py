"""Plots of a data set's statistics, 960 pixels wide, one quiet style."""

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from fashion_mmdet.classes import ATTRIBUTES, PALETTE, short_name
from fashion_mmdet.datasets.records import Record, Row
from fashion_mmdet.evaluation.submission import SIZE
from fashion_mmdet.masks import rle
from fashion_mmdet.utils.files import atomic_path

WIDTH_IN = 9.6
DPI = 100
BAR_IN = 0.19  # of height a named row needs at 9 points
INK, FAINT, PALE, ACCENT = '#26282b', '#8b9096', '#e3e5e8', '#3d6b8e'
STYLE = {
    'font.size': 10,
    'text.color': INK,
    'axes.labelcolor': INK,
    'axes.edgecolor': FAINT,
    'axes.linewidth': 0.8,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.titlesize': 10,
    'axes.titlelocation': 'left',
    'axes.axisbelow': True,
    'grid.color': PALE,
    'grid.linewidth': 0.8,
    'xtick.color': FAINT,
    'ytick.color': FAINT,
    'xtick.labelcolor': INK,
    'ytick.labelcolor': INK,
    'xtick.labelsize': 9,
    'ytick.labelsize': 9,
}
COUNTS = LinearSegmentedColormap.from_list('counts', ['#b4cbdb', '#3d6b8e', '#0e2030'])  # one image must show on white
SHADES = LinearSegmentedColormap.from_list('shades', ['#f4f6f8', '#a9c3d6', '#3d6b8e', '#12283a'])
MAX_PANELS = 18  # the photo and the largest objects; a page of more is no longer read
FADE = 0.8  # share of white in what is not the object
OUTLINE_PX = 5  # of which the outer two show
CELLS = 45  # along the longer axis of the size plot
STEPS = [1, 2, 5, 10]  # between ticks
MAX_WRITTEN_CELLS = 26  # categories up to which a number fits in a cell of the heatmap
WITH_COMMAS = FuncFormatter(lambda value, _: f'{value:,.0f}')


def save_figure(figure: Figure, path: Path, dpi: int = DPI) -> None:
    """Write a PNG, whole or not at all."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format='png', dpi=dpi, facecolor='white')


def rgb(category: int) -> tuple[float, ...]:
    """Return a category's colour, 0 to 1."""
    return tuple(value / 255 for value in PALETTE[category])


def _canvas(height_in: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH_IN, height_in), layout='constrained')
    return figure, figure.subplots()


def _order(values: np.ndarray) -> list[int]:
    """Return the ids whose value is not 0 (nor NaN), the largest first."""
    return [int(index) for index in np.argsort(-values, kind='stable') if values[index] > 0]


def plot_sizes(sizes_px: np.ndarray) -> Figure:
    """Draw where the sizes, (N, 2) height and width, lie and how many pixels the images have."""
    height, width = sizes_px[:, 0], sizes_px[:, 1]
    side = max(sizes_px.max() / CELLS, 1)
    edges = [np.arange(0, values.max() + 2 * side, side) for values in (width, height)]
    wide, high = edges[0][-1], edges[1][-1]
    plane_in = min(4 * wide / high, 5.2)  # as wide as 4 inches of height ask for, with room for the other plot
    figure = Figure(figsize=(WIDTH_IN, min(max(plane_in * high / wide, 2.4), 4) + 0.6), layout='constrained')
    plane, pixels = figure.subplots(1, 2, width_ratios=(plane_in, WIDTH_IN - plane_in - 2.4))
    drawn = plane.hist2d(width, height, edges, cmap=COUNTS, cmin=1, norm=LogNorm(1, max(len(sizes_px), 10)))
    for ratio, name in ((1, '1:1'), (2 / 3, '2:3'), (3 / 2, '3:2')):
        plane.axline((0, 0), slope=1 / ratio, color=FAINT, linewidth=0.7, linestyle=(0, (4, 4)), zorder=0)
        end = min(wide, high * ratio)
        plane.annotate(name, (end, end / ratio), (2, 2), textcoords='offset points', fontsize=8, color=FAINT)
    plane.set(aspect='equal', anchor='W', xlim=(0, wide), ylim=(0, high), xlabel='width, px', ylabel='height, px')
    for axis in (plane.xaxis, plane.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=STEPS))
        axis.set_major_formatter(WITH_COMMAS)
    bar = figure.colorbar(drawn[3], ax=plane, format=WITH_COMMAS, aspect=30, pad=0.05)
    bar.ax.set_title('images', fontsize=9)
    bar.outline.set_visible(False)
    megapixels = height * width / 1e6
    pixels.hist(megapixels, min(CELLS, math.ceil(2 * math.sqrt(len(megapixels)))), color=ACCENT)
    pixels.set(xlabel='megapixels', ylabel='images')
    _count_axis(pixels)
    return figure


def plot_labels(counts: np.ndarray, low: int, high: int) -> Figure:
    """Draw how many images have how many objects; those in [low, high] stand out, a long tail is one bar.

    Args:
        counts: (N,) objects of each image.
        low, high: the range.
    """
    figure, axes = _canvas(3.6)
    last = min(int(counts.max()), max(2 * high, int(np.quantile(counts, 0.999))))
    images = np.bincount(np.minimum(counts, last))
    objects = np.arange(last + 1)
    inside = (objects >= low) & (objects <= high)
    axes.bar(objects[inside], images[inside], 0.85, color=ACCENT, label=f'{low} to {high} objects')
    axes.bar(objects[~inside], images[~inside], 0.85, color='#b9c0c7', label='fewer or more')
    axes.set(xlabel='objects in an image', ylabel='images', xlim=(-0.6 if images[0] else 0.4, last + 0.6))
    step = 1 if last <= 25 else 5
    first = 0 if images[0] else 1
    ticks = [t for t in range(first, last + 1) if t == last or (t % step == 0 and last - t > step // 2)]
    axes.set_xticks(ticks, [f'{tick}+' if tick == last < counts.max() else str(tick) for tick in ticks])
    axes.legend(frameon=False, fontsize=9)
    _count_axis(axes)
    return figure


def plot_categories(objects: np.ndarray, images: np.ndarray) -> Figure:
    """Draw objects and images, (46,) counts, of each category that occurs, the most objects on top."""
    order = _order(objects)
    figure = Figure(figsize=(WIDTH_IN, _rows_height(len(order))), layout='constrained')
    colours, names = list(map(rgb, order)), list(map(short_name, order))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, counts, title in zip(panels, (objects, images), ('objects', 'images'), strict=True):
        _bars(axes, names, counts[order], colours)
        axes.set_title(title)
    return figure


def plot_attributes(counts: np.ndarray) -> Figure:
    """Draw how many objects have each attribute that occurs, (92,), at least one of them, in two columns."""
    order = _order(counts)
    half = -(-len(order) // 2) if len(order) > 12 else len(order)
    columns = [order[:half], order[half:]] if order[half:] else [order]
    widths = [max(counts[part[0]] / counts[order[0]], 0.25) for part in columns]  # one scale, no empty half
    figure = Figure(figsize=(WIDTH_IN, _rows_height(half)), layout='constrained')
    panels = figure.subplots(1, len(columns), squeeze=False, width_ratios=widths)[0]
    for axes, part, width in zip(panels, columns, widths, strict=True):
        names = [ATTRIBUTES[attribute].replace('manufacturing technique', 'technique') for attribute in part]
        _bars(axes, names, counts[part], ACCENT, highest=counts.max() * width, rows=half)
    return figure


def plot_attribute_shares(shares: np.ndarray) -> Figure:
    """Draw the share of each main category's objects that have attributes, (13,); NaN without objects."""
    order = [int(category) for category in np.argsort(-shares, kind='stable') if not np.isnan(shares[category])]
    figure, axes = _canvas(_rows_height(len(order)))
    written = [f'{100 * share:.1f} %' for share in shares[order]]
    _bars(axes, list(map(short_name, order)), shares[order], list(map(rgb, order)), written=written)
    return figure


def plot_together(together: np.ndarray) -> Figure:
    """Draw the share of each category's images that also hold another one, for the categories that occur.

    Args:
        together: (46, 46) images that hold both; on the diagonal those that hold the one.
    """
    ids = np.flatnonzero(together.diagonal())
    shares = together[np.ix_(ids, ids)] / together.diagonal()[ids][:, None]
    np.fill_diagonal(shares, np.nan)
    side_in = min(7.4, 2 + 0.4 * len(ids))
    figure = Figure(figsize=(side_in + 2.2, side_in + 1.2), layout='constrained')
    axes = figure.subplots()
    axes.set_facecolor(PALE)
    drawn = axes.imshow(shares, cmap=SHADES, vmin=0, vmax=1)
    names = [short_name(category) for category in ids]
    size = 9 if len(ids) <= MAX_WRITTEN_CELLS else 8
    axes.set_xticks(range(len(ids)), names, rotation=90, fontsize=size)
    rows = [f'{name} ({number:,})' for name, number in zip(names, together.diagonal()[ids], strict=True)]
    axes.set_yticks(range(len(ids)), rows, fontsize=size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for start in np.searchsorted(ids, (13, 27)):  # between main garments, accessories and parts
        axes.axhline(start - 0.5, color='white', linewidth=2)
        axes.axvline(start - 0.5, color='white', linewidth=2)
    if len(ids) <= MAX_WRITTEN_CELLS:
        for (row, column), share in np.ndenumerate(shares):
            if share >= 0.005:
                ink = 'white' if share > 0.5 else INK
                axes.text(column, row, f'{100 * share:.0f}', ha='center', va='center', fontsize=7.5, color=ink)
    axes.set_xlabel("of the images with the row's category (their number),\nthe share that also holds the column's")
    bar = figure.colorbar(drawn, ax=axes, format=PercentFormatter(1, symbol=' %'), fraction=0.03, pad=0.02)
    bar.outline.set_visible(False)
    return figure


def plot_areas(quantiles: np.ndarray, objects: np.ndarray) -> Figure:
    """Draw boxes of the objects' share of their photo by category, the largest median on top.

    Args:
        quantiles: (46, 5) the 0.05, 0.25, 0.5, 0.75 and 0.95 quantiles in (0, 1], NaN for a category without object.
        objects: (46,) counts, written behind the names.
    """
    order = [int(category) for category in np.argsort(-quantiles[:, 2], kind='stable') if objects[category]]
    figure, axes = _canvas(_rows_height(len(order), BAR_IN * 1.1))
    for row, category in enumerate(order):
        low, lower, median, upper, high = quantiles[category]
        axes.hlines(row, low, high, color=FAINT, linewidth=1, zorder=1)
        axes.barh(row, upper - lower, 0.62, lower, color=rgb(category), zorder=2)
        axes.plot([median, median], [row - 0.31, row + 0.31], color=INK, linewidth=1.6)
    axes.set_yticks(range(len(order)), [f'{short_name(category)} ({objects[category]:,})' for category in order])
    axes.set(xscale='log', xlabel='share of the photo (mark: median; box: middle half; line: middle 90 %)')
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f'{100 * share:g} %'))
    axes.tick_params(axis='y', length=0)
    axes.grid(axis='x')
    return figure


def isolate(photo: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Fade all but an object and outline it on the outside, so that the smallest object still shows.

    Args:
        photo: (H, W, 3) uint8, RGB.
        mask: (H, W) bool.
        colour: RGB of the outline, 0 to 255.
    """
    grey = photo.mean(axis=2, keepdims=True)
    panel = np.repeat((255 * FADE + grey * (1 - FADE)).astype(np.uint8), 3, axis=2)
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(panel, outlines, -1, colour, OUTLINE_PX, cv2.LINE_AA)
    panel[mask] = photo[mask]
    return panel


def plot_example(photo: np.ndarray, record: Record, rows: Sequence[Row]) -> Figure:
    """Draw a photo, (512, 512, 3) uint8 RGB, and beside it one panel per object, the largest first."""
    shown = sorted(rows, key=lambda row: -rle.area(row.runs))[: MAX_PANELS - 1]
    panels = [(photo, f'photo, {len(rows)} object{"s"[: len(rows) > 1]}', FAINT)]
    for row in shown:
        mask = rle.runs_to_mask(rle.resize(row.runs, (record.height, record.width), SIZE), *SIZE)
        title = f'{short_name(row.category)}  {100 * rle.area(row.runs) / (record.height * record.width):.2g} %'
        panels.append((isolate(photo, mask, PALETTE[row.category]), title, rgb(row.category)))
    columns = pick_columns(len(panels))
    lines = -(-len(panels) // columns)
    side_in = WIDTH_IN / max(columns, 4)
    figure = Figure(figsize=(side_in * columns, (side_in + 0.15) * lines), layout='constrained')
    for axes in figure.subplots(lines, columns, squeeze=False).flat:
        axes.set_axis_off()
    for axes, (panel, title, colour) in zip(figure.axes, panels, strict=False):  # the last line may have gaps
        axes.imshow(panel)
        axes.set_axis_on()
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color=colour)
        axes.set_title(title, fontsize=9, pad=4)
    return figure


def pick_columns(panels: int) -> int:
    """Choose 4 to 6 columns (fewer for fewer panels) that leave the fewest gaps, of these the fewest columns."""
    return panels if panels < 4 else min((4, 5, 6), key=lambda columns: (-panels % columns, columns))


def _rows_height(rows: int, row_in: float = BAR_IN) -> float:
    """Return the height in inches of a figure with so many named rows."""
    return 0.7 + row_in * max(rows, 3)


def _bars(
    axes: Axes,
    names: Sequence[str],
    values: np.ndarray,
    colours: Sequence | str,
    highest: float | None = None,
    rows: int | None = None,
    written: Sequence[str] | None = None,
) -> None:
    """Draw named bars from top to bottom, their values behind them instead of an axis."""
    drawn = axes.barh(range(len(names)), values, 0.75, color=colours)
    axes.bar_label(drawn, written or [f'{value:,}' for value in values], padding=4, fontsize=8.5)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlim=(0, (highest or values.max() or 1) * 1.18), ylim=((rows or len(names)) - 0.4, -0.6), xticks=[])
    axes.spines['bottom'].set_visible(False)
    axes.tick_params(axis='y', length=0)


def _count_axis(axes: Axes) -> None:
    """Give the y axis whole numbers with separators and a grid."""
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True, steps=STEPS))
    axes.yaxis.set_major_formatter(WITH_COMMAS)
    axes.grid(axis='y')
