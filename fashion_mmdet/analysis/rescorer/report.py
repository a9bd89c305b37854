"""What a rescorer came to, as a table."""

import numpy as np

from fashion_mmdet.analysis.rescorer.run import Trained
from fashion_mmdet.analysis.rescorer.validation import ROWS, Settings
from fashion_mmdet.utils.tables import format_text

REFERENCE = 2  # of ROWS: what the rescorer has to beat


def format_report(trained: Trained, settings: Settings) -> str:
    """Lay out held-out scores with their spread and gain, and how good the probabilities are."""
    scores = np.array([fold.scores for fold in trained.folds])  # (folds of all repeats, rows)
    rows = []
    for name, column in zip(ROWS, scores.T, strict=True):
        gains = column - scores[:, REFERENCE]
        gain = f'{gains.mean():+.4f} ({int((gains > 0).sum())} of {len(gains)} better)' if gains.any() else ''
        rows.append((name, column.mean(), column.std(ddof=1), column.min(), column.max(), gain))
    calibrations = [
        (name, *(_mean([getattr(one, column) for one in folds]) for column in ('auc', 'brier', 'calibration_error')))
        for name, folds in zip(
            ("before: the model's score", "after: the rescorer's P(hit)"),
            zip(*trained.calibrations, strict=True),
            strict=True,
        )
    ]
    return '\n'.join(
        [
            format_text(('', 'held-out', 'sd', 'lowest', 'highest', 'over the single threshold'), rows, digits=4),
            '',
            format_text(('probability of a hit', 'AUC', 'Brier score', 'calibration error'), calibrations),
            '',
            f'mean and standard deviation over {settings.repeats} x {settings.folds} held-out folds of '
            f'{len(trained.out_of_fold)} images. Rescorers and thresholds of a fold are fitted on the',
            'others alone; its threshold is chosen on confidences from rescorers that did not see the image.',
            f'Threshold for the rescorer fitted on all images: {trained.threshold:g}',
        ]
    )


def _mean(values: list[float | None]) -> str:
    known = np.array([value for value in values if value is not None])
    deviation = known.std(ddof=1) if len(known) > 1 else 0.0
    return f'{known.mean():.3f} +- {deviation:.3f}' if len(known) else '-'
