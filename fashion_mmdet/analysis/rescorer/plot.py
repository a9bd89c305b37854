"""The picture of a rescorer: score against true hit rate, before and after."""

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from fashion_mmdet.analysis.eda_plots import ACCENT, DPI, FAINT, INK, PALE, STYLE, WITH_COMMAS, save_figure
from fashion_mmdet.analysis.rescorer.calibration import Calibration
from fashion_mmdet.analysis.rescorer.run import Trained
from fashion_mmdet.analysis.rescorer.validation import Settings

BEFORE = '#c8553d'
MARGIN = 0.06  # of a bin, between two bars


def plot_calibration(before: Calibration, after: Calibration, path: Path, caption: str) -> None:
    """Draw hit rate against the model's score and against P(hit), with the number of detections behind each point."""
    with rc_context(STYLE):
        figure = Figure(figsize=(9.6, 5.4), layout='constrained')
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.06)
        panels = figure.subplots(2, 2, sharex=True, sharey='row', height_ratios=(3.2, 1))
        titles = ("Before: the model's score", "After: the rescorer's P(hit)")
        columns = zip(panels.T, (before, after), (BEFORE, ACCENT), titles, ('score', 'P(hit)'), strict=True)
        for (rates, counts), shown, color, title, label in columns:
            _draw_rates(rates, shown, color, title)
            _draw_counts(counts, shown, color)
            counts.set_xlabel(label)
        panels[0, 0].set_ylabel('share of detections that hit')
        panels[1, 0].set_ylabel('detections')
        figure.suptitle('How often a detection of a given score hits', x=0.01, ha='left', fontsize=13, color=INK)
        figure.supxlabel(caption, x=0.01, ha='left', fontsize=9, color=FAINT)
        save_figure(figure, path, 2 * DPI)


def _draw_rates(axes: Axes, shown: Calibration, color: str, title: str) -> None:
    filled = shown.counts > 0
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    axes.text(0.52, 0.565, 'perfectly calibrated', ha='right', fontsize=9, color=FAINT)
    spread = np.sqrt(shown.observed * (1 - shown.observed) / np.maximum(shown.counts, 1))[filled]
    x, y = shown.predicted[filled], shown.observed[filled]
    axes.fill_between(x, y - spread, y + spread, color=color, alpha=0.15, linewidth=0)
    axes.plot(x, y, color=color, linewidth=1.8, marker='o', markersize=5)
    axes.set(title=title, xlim=(0, 1), ylim=(0, 1))
    auc = '-' if shown.auc is None else f'{shown.auc:.3f}'
    text = f'calibration error {shown.calibration_error:.3f}\nBrier score {shown.brier:.3f}\nAUC {auc}'
    axes.text(0.03, 0.97, text, transform=axes.transAxes, va='top', fontsize=10, color=INK, linespacing=1.5)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(color=PALE)
    axes.tick_params(length=0)


def _draw_counts(axes: Axes, shown: Calibration, color: str) -> None:
    bins = len(shown.counts)
    width = 1 / bins
    axes.bar((np.arange(bins) + 0.5) * width, shown.counts, width * (1 - 2 * MARGIN), color=color, alpha=0.85)
    axes.set_yscale('symlog', linthresh=1)
    axes.yaxis.set_major_formatter(WITH_COMMAS)
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.grid(axis='y', color=PALE)
    axes.tick_params(length=0)


def caption_of(trained: Trained, settings: Settings) -> str:
    """Return what the picture of a trained rescorer shows."""
    detections = int(trained.pooled[0].counts.sum())
    return (
        f'{detections:,} detections of {len(trained.out_of_fold)} images, each judged by a rescorer that did not see '
        f'its image ({settings.folds} folds); a hit: IoU above 0.5; band: one standard error'
    )
