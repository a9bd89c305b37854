"""What a filter came to, as a table. No torch, no files."""

from collections.abc import Sequence

import numpy as np

from fashion_mmdet.analysis.confidence.calibration import Calibration
from fashion_mmdet.analysis.confidence.run import Trained
from fashion_mmdet.analysis.confidence.validation import ROWS, Settings
from fashion_mmdet.utils.tables import format_text

REFERENCE = 2  # of ROWS: what the filter has to beat


def format_report(trained: Trained, settings: Settings) -> str:
    """Lay out held-out scores with their spread and gain, and how good the probabilities are."""
    scores = np.array([fold.scores for fold in trained.folds])  # (folds of all repeats, rows)
    images = len(trained.unseen)
    rows = []
    for name, column in zip(ROWS, scores.T, strict=True):
        gains = column - scores[:, REFERENCE]
        gain = f'{gains.mean():+.4f} ({int((gains > 0).sum())} of {len(gains)} better)' if gains.any() else ''
        rows.append((name, column.mean(), _deviation(column), column.min(), column.max(), gain))
    calibration = [
        _calibration_row("before: the model's score", trained.before),
        _calibration_row("after: the filter's P(hit)", trained.after),
    ]
    lines = [
        format_text(('', 'held-out', 'sd', 'lowest', 'highest', 'over the single threshold'), rows, digits=4),
        '',
        format_text(('probability of a hit', 'AUC', 'Brier score', 'calibration error'), calibration),
        '',
        f'mean and standard deviation over {settings.repeats} x {settings.folds} held-out folds of {images} '
        'images. Filters and thresholds of a fold are fitted on the',
        'others alone; its threshold is chosen on confidences from filters that did not see the image.',
        f'Threshold for the filter fitted on all images: {trained.threshold:g}',
    ]
    return '\n'.join(lines)


def _calibration_row(name: str, folds: Sequence[Calibration]) -> tuple[str, ...]:
    def cell(values: Sequence[float | None]) -> str:
        known = np.array([value for value in values if value is not None])
        return f'{known.mean():.3f} +- {_deviation(known):.3f}' if len(known) else '-'

    columns = ([getattr(fold, key) for fold in folds] for key in ('auc', 'brier', 'calibration_error'))
    return name, *map(cell, columns)


def _deviation(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0
