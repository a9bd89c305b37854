"""What a filter came to, as a table."""

from collections.abc import Sequence

import numpy as np

from fashion_mmdet.analysis.confidence.calibration import Calibration
from fashion_mmdet.analysis.confidence.run import Trained
from fashion_mmdet.analysis.confidence.validation import ROWS, Settings

REFERENCE = 2  # of ROWS: what the filter has to beat


def format_report(trained: Trained, settings: Settings) -> str:
    """Lay out held-out scores with their spread and gain, and how good the probabilities are."""
    scores = np.array([fold.scores for fold in trained.folds])  # (folds of all repeats, rows)
    images = len(trained.unseen)
    lines = [f'{"":<30} {"held-out":>9} {"sd":>7} {"lowest":>7} {"highest":>8}   over the single threshold']
    for name, column in zip(ROWS, scores.T, strict=True):
        gains = column - scores[:, REFERENCE]
        gain = f'{gains.mean():+.4f} ({int((gains > 0).sum())} of {len(gains)} better)' if gains.any() else ''
        lines.append(
            f'{name:<30} {column.mean():>9.4f} {_deviation(column):>7.4f} {column.min():>7.4f} '
            f'{column.max():>8.4f}   {gain}'.rstrip()
        )
    lines += [
        '',
        f'{"probability of a hit":<30} {"AUC":>15} {"Brier score":>16} {"calibration error":>18}',
        _calibration_row("before: the model's score", trained.before),
        _calibration_row("after: the filter's P(hit)", trained.after),
        '',
        f'mean and standard deviation over {settings.repeats} x {settings.folds} held-out folds of {images} '
        'images. Filters and thresholds of a fold are fitted on the',
        'others alone; its threshold is chosen on confidences from filters that did not see the image.',
        f'Threshold for the filter fitted on all images: {trained.threshold:g}',
    ]
    return '\n'.join(lines)


def _calibration_row(name: str, folds: Sequence[Calibration]) -> str:
    def cell(values: Sequence[float | None]) -> str:
        known = np.array([value for value in values if value is not None])
        return f'{known.mean():.3f} +- {_deviation(known):.3f}' if len(known) else '-'

    return (
        f'{name:<30} {cell([fold.auc for fold in folds]):>15} {cell([fold.brier for fold in folds]):>16} '
        f'{cell([fold.calibration_error for fold in folds]):>18}'
    )


def _deviation(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0
