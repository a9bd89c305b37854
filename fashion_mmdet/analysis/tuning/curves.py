"""Held-out score against each threshold, and its picture."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fashion_mmdet.analysis.eda_plots import ACCENT, DPI, FAINT, INK, STYLE, save_figure
from fashion_mmdet.analysis.tuning.search import THRESHOLD_GRID, Tuner, common_threshold, search_floor
from fashion_mmdet.analysis.tuning.validation import Split
from fashion_mmdet.evaluation.postprocess import Postprocess

TITLES = {
    'score_thr': 'Score threshold',
    'nms_iou': 'NMS: largest mask IoU within a class',
    'mask_thr': 'Mask threshold',
    'min_area': 'Minimum area, pixels',
}
CHOSEN = '#c8553d'


@dataclass(frozen=True)
class Curve:
    """The held-out score along one option."""

    name: str  # of the option
    values: tuple[float, ...]  # V of them, ascending
    scores: np.ndarray  # (F, V) float, of each split
    chosen: float | None  # on all images


def held_out_curves(tuner: Tuner, splits: Sequence[Split], stages: Sequence[str], chosen: Postprocess) -> list[Curve]:
    """Vary one option at a time around what each split's fitted images chose, and score on its held-out images.

    Of the stages, thresholds by class and categories are left out, as curves need one score threshold; `chosen`, found
    on all images, is marked.
    """
    stages, cache, cases = [stage for stage in stages if stage in ('score', 'geometry')], tuner.cache, []
    for split in splits:
        options = tuner.fit(split.fitted, stages)
        cases.append((split.held_out, replace(options, score_thr=common_threshold(options))))
    grid = THRESHOLD_GRID[max(search_floor(options) for _, options in cases) <= THRESHOLD_GRID]
    scores = [
        cache.detections(images, options, grid[0]).scores_along(grid, options.drop_categories)
        for images, options in cases
    ]
    curves = [Curve('score_thr', tuple(grid.tolist()), np.array(scores), common_threshold(chosen))]
    for name in [name for name in tuner.axes if name in TITLES]:
        values = tuple(value for value in tuner.axes[name] if value is not None)
        scores = [
            [cache.table_score(images, replace(options, **{name: value}), search_floor(options)) for value in values]
            for images, options in cases
        ]
        curves.append(Curve(name, values, np.array(scores), getattr(chosen, name)))
    return curves


def plot_curves(curves: Sequence[Curve], path: Path, caption: str) -> None:
    """Draw one panel per curve, two in a row, on one scale of scores, as PNG."""
    rows = -(-len(curves) // 2)
    with rc_context(STYLE):
        figure = Figure(figsize=(9.6, 2.75 * rows + 0.75), layout='constrained')
        figure.get_layout_engine().set(h_pad=0.1, hspace=0.02)
        panels = figure.subplots(rows, 2, sharey=True, squeeze=False).ravel()
        for axes, curve in zip(panels, curves, strict=False):
            _draw(axes, curve)
        for axes in panels[len(curves) :]:
            axes.set_visible(False)
        for axes in panels[::2]:
            axes.set_ylabel('score')
        figure.suptitle('Score on images not fitted on', x=0.01, ha='left', fontsize=13, color=INK)
        figure.supxlabel(caption, x=0.01, ha='left', fontsize=9, color=FAINT)
        save_figure(figure, path, 2 * DPI)


def _draw(axes: Axes, curve: Curve) -> None:
    """Draw the mean over splits, one standard deviation around it, and the chosen value."""
    by_rank = curve.name == 'min_area'  # 1 to 1600: steps grow
    places = np.arange(len(curve.values)) if by_rank else np.array(curve.values)
    mean, deviation = curve.scores.mean(axis=0), curve.scores.std(axis=0, ddof=1)
    axes.fill_between(places, mean - deviation, mean + deviation, color=ACCENT, alpha=0.15, linewidth=0)
    axes.plot(places, mean, color=ACCENT, linewidth=1.8, marker='o', markersize=3.5)
    if by_rank:
        axes.set_xticks(places, [f'{value:,}' for value in curve.values])
    axes.set_title(TITLES[curve.name])
    axes.grid(axis='y')
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    if curve.chosen is not None:
        place = float(np.interp(curve.chosen, curve.values, places))
        side, offset = ('right', -5) if place > (places[0] + places[-1]) / 2 else ('left', 5)
        axes.axvline(place, color=CHOSEN, linewidth=1.2)
        where = dict(xy=(place, 0.03), xycoords=('data', 'axes fraction'), textcoords='offset points', ha=side)
        axes.annotate(f'{curve.chosen:g}', xytext=(offset, 0), fontsize=10, color=CHOSEN, fontweight='bold', **where)
