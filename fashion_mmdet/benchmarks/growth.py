"""How the time grows with the input: a sample's with the photo's area, scores and submission with the images."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from rich.progress import Progress

from fashion_mmdet.benchmarks import metric, submission
from fashion_mmdet.benchmarks.loader import SCALE, ours_steps, prepare_pipeline, stock_steps, write_photo
from fashion_mmdet.benchmarks.timing import Table, format_seconds, measure

LONG_SIDES = (500, 1000, 2000, 4000, 8000)
IMAGES = (200, 800, 3200)


def run(
    rounds: int,
    progress: Progress | None = None,
    long_sides: Sequence[int] = LONG_SIDES,
    images: Sequence[int] = IMAGES,
) -> list[Table]:
    """Measure with photos of several long sides (short ones: two thirds), then with several numbers of images."""
    return [measure_loader(rounds, progress, long_sides), measure_scores(rounds, progress, images)]


def measure_loader(rounds: int, progress: Progress | None, long_sides: Sequence[int]) -> Table:
    """Time one sample at 512 px from photos of several sizes, and fit a line of time against area to each contender."""
    sizes = [(side, round(side * 2 / 3)) for side in long_sides]
    seconds = []  # (sizes, 2): ours, mmdet's
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            path = write_photo(Path(folder), size)
            contenders = {
                name: partial(prepare_pipeline, path, size, steps(SCALE))
                for name, steps in (('ours', ours_steps), ("mmdet's steps", stock_steps))
            }
            seconds.append([one.seconds for one in measure(contenders, rounds, memory=False, progress=progress)])
    slopes = fit_slopes([height * width / 1e6 for height, width in sizes], seconds)
    rows = [
        (f'{height}x{width}', f'{height * width / 1e6:.2f}', *map(format_seconds, times), f'{times[1] / times[0]:.1f}')
        for (height, width), times in zip(sizes, seconds, strict=True)
    ]
    growth = (f'{slope * 1e3:.3g} ms' for slope in slopes)
    rows.append(('growth, a megapixel', '', *growth, f'{slopes[1] / slopes[0]:.1f}'))
    header = ('photo', 'megapixels', 'ours', "mmdet's steps", 'times ours')
    note = f'One sample with 7 masks at {SCALE[0]} px. Growth: slope of the line fitted to time against area.'
    return Table("Loading against the photo's size", header, rows, note)


def fit_slopes(areas: Sequence[float], seconds: Sequence[Sequence[float]]) -> np.ndarray:
    """Fit time = a + b * area by least squares, for each column of `seconds`; its slopes b."""
    return np.polyfit(areas, np.asarray(seconds), 1)[0]


def measure_scores(rounds: int, progress: Progress | None = None, images: Sequence[int] = IMAGES) -> Table:
    """Time metric and submission at several numbers of images."""
    with tempfile.TemporaryDirectory() as folder:
        metrics = {f'metric, {count}': partial(metric.prepare_ours, count) for count in images}
        submissions = {f'submission, {count}': partial(submission.prepare_ours, count, folder) for count in images}
        scored, written = (
            [one.seconds for one in measure(contenders, rounds, memory=False, progress=progress)]
            for contenders in (metrics, submissions)
        )
    rows = [
        (f'{count:,}', *(format_seconds(seconds) for seconds in (score, score / count, write, write / count)))
        for count, score, write in zip(images, scored, written, strict=True)
    ]
    header = ('images', 'metric', 'an image', 'submission', 'an image')
    return Table('Growth of metric and submission', header, rows, 'The same images as in their own tables.')
