"""The slow part of tuning, done once per image and set of options: masks, IoUs, exact counts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

from rich.progress import Progress

from fashion_mmdet.analysis.tuning.tables import ImageTable, build_table
from fashion_mmdet.analysis.tuning.threshold_curve import Detections, thresholds_without
from fashion_mmdet.evaluation.matching import ImageCounts, count_image
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import RawPrediction, Truth
from fashion_mmdet.evaluation.scoring import summarize
from fashion_mmdet.utils.parallel import WorkerPool

Made = TypeVar('Made')
LARGEST_CHUNK = 8  # images handed to a worker at once


class WorkerState(NamedTuple):
    """What every job of a cache needs, sent to a worker once; see `ScoreCache`."""

    raws: Sequence[RawPrediction]
    truths: Mapping[str, Truth]
    size: tuple[int, int] | None
    match: str


_state: WorkerState  # of the worker that this process is


class ScoreCache:
    """Postprocesses and matches images on demand, in several processes, and keeps the results.

    The truth of an image is looked at only when that image is asked for, so that what is fitted on some images cannot
    depend on the truth of others.

    Args:
        raws: images of the dump.
        truths: true masks of `size` by image id.
        size: height and width of the masks compared; None for each photo's own.
        average: see `scoring.summarize`.
        match: see `matching.count_image`.
        workers: number of processes; 1 works in this one.
        progress: where a bar shows the images at hand.
    """

    def __init__(
        self,
        raws: Sequence[RawPrediction],
        truths: Mapping[str, Truth],
        size: tuple[int, int] | None = (512, 512),
        average: str = 'image',
        match: str = 'category',
        workers: int = 1,
        progress: Progress | None = None,
    ) -> None:
        self.image_ids = [raw.image_id for raw in raws]
        self.average, self.match = average, match
        self._state = WorkerState(raws, truths, size, match)
        self._tables: dict[str, dict[int, tuple[float, ImageTable]]] = {}
        self._counts: dict[str, dict[int, ImageCounts]] = {}
        self._progress = progress or Progress(disable=True)
        self._pool = WorkerPool(workers, partial(_set_state, self._state))

    def __enter__(self) -> 'ScoreCache':
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.__exit__(*error)

    @property
    def has_attributes(self) -> bool:
        """Whether a hit needs the attributes, and the dump's model predicts some."""
        return self.match == 'class_id' and any(raw.attribute_probs is not None for raw in self._state.raws)

    def detections(self, images: Sequence[int], options: Postprocess, floor: float) -> Detections:
        """Return the detections of images (positions in the dump) for all score thresholds from `floor` on.

        The options' own score_thr and drop_categories are not followed.
        """
        known = self._tables.setdefault(repr(replace(options, score_thr=0.0, min_area=1, drop_categories=())), {})
        missing = [image for image in images if image not in known or known[image][0] > floor]
        tables = self._map(partial(build_table, options=options, floor=floor), missing)
        known.update((image, (floor, table)) for image, table in zip(missing, tables, strict=True))
        return Detections.gather([known[image][1] for image in images], options.min_area, self.average)

    def exact_score(self, images: Sequence[int], options: Postprocess) -> float:
        """Score some images as `tools/score_dump.py` would: postprocess, count, summarize."""
        known = self._counts.setdefault(repr(options), {})
        missing = [image for image in images if image not in known]
        known.update(zip(missing, self._map(partial(_count, options=options), missing), strict=True))
        return summarize([known[image] for image in images], self.average).score

    def table_score(self, images: Sequence[int], options: Postprocess, floor: float | None = None) -> float:
        """Score from tables, much faster; see `tuning.tables` for where that equals `exact_score`.

        `floor` is the tables', no higher than any score threshold; None stands for the lowest of these.
        """
        thresholds = thresholds_without(options.score_thresholds(), options.drop_categories)
        floor = float(thresholds.min()) if floor is None else floor
        return self.detections(images, options, floor).score(thresholds)

    def objects(self, images: Sequence[int]) -> list[int]:
        """Return the category of every true object of some images."""
        truths = self._state.truths
        return [category for image in images for category in truths[self.image_ids[image]].categories.tolist()]

    def _map(self, work: Callable[..., Made], images: Sequence[int]) -> list[Made]:
        """Call `work` for images, in their order; too few of them to share are worked on here."""
        if not images:
            return []
        workers = self._pool.workers
        step = max(1, min(LARGEST_CHUNK, len(images) // (4 * workers)))
        jobs = [(work, images[start : start + step]) for start in range(0, len(images), step)]
        alone = workers == 1 or len(images) < 2 * workers
        parts = map(partial(_run, self._state), jobs) if alone else self._pool.map(_run_in_worker, jobs)
        task = self._progress.add_task('  images', total=len(images))
        made = []
        for part in parts:
            made += part
            self._progress.advance(task, len(part))
        self._progress.remove_task(task)
        return made


def _count(
    raw: RawPrediction, truth: Truth, options: Postprocess, size: tuple[int, int] | None, match: str
) -> ImageCounts:
    return count_image(truth, postprocess(raw, options, size), match)


def _run(state: WorkerState, job: tuple[Callable[..., Made], Sequence[int]]) -> list[Made]:
    work, images = job
    pairs = ((state.raws[image], state.truths[state.raws[image].image_id]) for image in images)
    return [work(raw, truth, size=state.size, match=state.match) for raw, truth in pairs]


def _set_state(state: WorkerState) -> None:
    """Keep the images for the jobs to come, in a worker."""
    global _state
    _state = state


def _run_in_worker(job: tuple[Callable[..., Made], Sequence[int]]) -> list[Made]:
    return _run(_state, job)
