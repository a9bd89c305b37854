"""A comparison as one HTML file that needs nothing else."""

from fashion_mmdet import classes
from fashion_mmdet.experiments.compare import report
from fashion_mmdet.experiments.compare.comparison import Comparison
from fashion_mmdet.experiments.compare.configs import summarize_changes
from fashion_mmdet.experiments.compare.curves import colour, draw_curves
from fashion_mmdet.experiments.compare.notes import write_notes
from fashion_mmdet.experiments.compare.pictures import draw_worst
from fashion_mmdet.experiments.diff import MISSING
from fashion_mmdet.experiments.pages import render


def format_html(comparison: Comparison, deck: bool = False, overlays: int = 8) -> str:
    """Write the page.

    Args:
        comparison: the runs.
        deck: add a column of the configs' `deck_score`.
        overlays: pictures per run, the worst first.
    """
    rows = comparison.rows
    runs = sum(len(row.runs) for row in rows)
    counts = sorted({len(row.scores.images) for row in rows if row.scores})
    photos = f'{" or ".join(f"{count:,}" for count in counts)} held-out photos. ' if counts else ''
    bounds = [abs(bound) for row in rows if row.difference for bound in (row.difference.low, row.difference.high)]
    charts, not_drawn = draw_curves(rows)
    pictures = [draw_worst(row, overlays) for row in rows] if overlays else []
    return render(
        'compare.html',
        title=f'{runs} {"run" if runs == 1 else "runs"} compared',
        lead=f'{photos}Score: mean over images and IoU thresholds 0.50 to 0.95 of TP / (TP + FP + FN).',
        rows=rows,
        baseline=comparison.baseline,
        other=report.name_other(comparison),
        keys=list(rows[0].keys),
        seeds=any(len(row.runs) > 1 for row in rows),
        targets=comparison.targets,
        deck=deck,
        reach=max(bounds, default=0.0) or 1.0,
        notes=write_notes(comparison),
        charts=charts,
        not_drawn=not_drawn,
        pictures=pictures,
        pictured=sorted({category for shown, _ in pictures for picture in shown for category in picture.categories}),
        colour=colour,
        summarize_changes=summarize_changes,
        repr=repr,
        classes=classes,
        report=report,
        MISSING=MISSING,
    )
