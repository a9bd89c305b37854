"""How the time of the metric and of the submission grows with the images."""

import functools
import tempfile
from collections.abc import Sequence

from rich.progress import Progress

from fashion_mmdet.benchmarks import metric, submission
from fashion_mmdet.benchmarks.timing import Contender, Table, format_seconds, measure

IMAGES = (200, 800, 3200)


def run_scores(rounds: int, progress: Progress | None = None, images: Sequence[int] = IMAGES) -> list[Table]:
    """Measure metric and submission at several numbers of images; smaller ones are for tests."""
    with tempfile.TemporaryDirectory() as folder:
        scored = measure(
            [Contender(f'metric, {count}', functools.partial(metric.prepare_ours, count)) for count in images],
            rounds,
            memory=False,
            progress=progress,
        )
        written = measure(
            [
                Contender(f'submission, {count}', functools.partial(submission.prepare_ours, count, folder))
                for count in images
            ],
            rounds,
            memory=False,
            progress=progress,
        )
    rows = [
        (
            f'{count:,}',
            *(
                cell
                for one in (score, write)
                for cell in (format_seconds(one.seconds), format_seconds(one.seconds / count))
            ),
        )
        for count, score, write in zip(images, scored, written, strict=True)
    ]
    header = ('images', 'metric', 'an image', 'submission', 'an image')
    return [Table('Growth of metric and submission', header, rows, 'The same images as in their own tables.')]
