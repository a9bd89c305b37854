"""Held-out score against each threshold, and its picture."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fashion_mmdet.analysis.eda_plots import ACCENT, DPI, FAINT, INK, STYLE, save_figure
from fashion_mmdet.analysis.tuning.search import SCORES, Tuner, common_threshold, floor_of
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
    """The held-out score along one option.

    Attributes:
        name: of the option.
        values: V of them, ascending.
        scores: (F, V) float, of each split.
        chosen: the value found on all images.
    """

    name: str
    values: tuple[float, ...]
    scores: np.ndarray
    chosen: float | None


def held_out_curves(tuner: Tuner, splits: Sequence[Split], stages: Sequence[str], chosen: Postprocess) -> list[Curve]:
    """Vary one option at a time around what each split's fitted images chose, and score on its held-out images.

    Args:
        tuner: with the axes to vary.
        splits: of the images.
        stages: what is fitted; thresholds by class and categories are left out, as curves need one score threshold.
        chosen: found on all images, to be marked.
    """
    stages = [stage for stage in stages if stage in ('score', 'geometry')]
    fitted = [
        replace(options, score_thr=common_threshold(options))
        for options in (tuner.fit(split.fitted, stages) for split in splits)
    ]
    grid = SCORES[max(map(floor_of, fitted)) <= SCORES]
    engine = tuner.engine
    curves = [
        Curve(
            'score_thr',
            tuple(grid.tolist()),
            np.array(
                [
                    engine.detections(split.held_out, options, grid[0]).scores_along(grid, options.drop_categories)
                    for split, options in zip(splits, fitted, strict=True)
                ]
            ),
            common_threshold(chosen),
        )
    ]
    for name in [name for name in tuner.axes if name in TITLES]:
        values = tuple(value for value in tuner.axes[name] if value is not None)
        scores = [
            [
                engine.quick_score(split.held_out, replace(options, **{name: value}), floor_of(options))
                for value in values
            ]
            for split, options in zip(splits, fitted, strict=True)
        ]
        curves.append(Curve(name, values, np.array(scores), getattr(chosen, name)))
    return curves


def plot_curves(curves: Sequence[Curve], path: Path, caption: str) -> None:
    """Draw a panel a curve, two in a row, on one scale of scores, as PNG.

    Args:
        curves: one or more.
        path: of the picture.
        caption: what the scores are of.
    """
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
    spread = list(curve.values)
    even = curve.name == 'min_area'  # 1 to 1600: by rank, as steps grow
    places = np.arange(len(spread)) if even else np.array(spread)
    mean, deviation = curve.scores.mean(axis=0), curve.scores.std(axis=0, ddof=1)
    axes.fill_between(places, mean - deviation, mean + deviation, color=ACCENT, alpha=0.15, linewidth=0)
    axes.plot(places, mean, color=ACCENT, linewidth=1.8, marker='o', markersize=3.5)
    if even:
        axes.set_xticks(places, [f'{value:,}' for value in spread])
    axes.set_title(TITLES[curve.name])
    axes.grid(axis='y')
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    if curve.chosen is not None:
        place = float(np.interp(curve.chosen, spread, places))
        axes.axvline(place, color=CHOSEN, linewidth=1.2)
        left = place > (places[0] + places[-1]) / 2
        axes.annotate(
            f'{curve.chosen:g}',
            (place, 0.03),
            (-5 if left else 5, 0),
            xycoords=('data', 'axes fraction'),
            textcoords='offset points',
            ha='right' if left else 'left',
            fontsize=10,
            color=CHOSEN,
            fontweight='bold',
        )
