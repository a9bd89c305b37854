"""The slow part of tuning, image by image and once for each set of options: masks, IoUs, exact counts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType

from rich.progress import Progress

from fashion_mmdet.analysis.tuning.objective import Detections, thresholds_of
from fashion_mmdet.analysis.tuning.tables import ImageTable, build_table
from fashion_mmdet.evaluation.matching import ImageCounts, count_image
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import RawPrediction, Truth
from fashion_mmdet.evaluation.scoring import summarize
from fashion_mmdet.utils.parallel import WorkerPool

EXACT = -1.0  # in the place of a floor: count under the options as they are


class Engine:
    """Postprocesses and matches images on demand, in several processes, and remembers what it made.

    The truth of an image is looked at only when that image is asked for, so that what is fitted on some images cannot
    depend on the truth of others.

    Args:
        raws: the dump's images.
        truths: by image id, masks of `size`.
        size: height and width of the masks compared; None for each photo's own.
        average: see `scoring.summarize`.
        match: see `matching.count_image`.
        workers: processes; 1 works in this one.
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
        self._raws, self._truths, self._size = raws, truths, size
        self._tables: dict[str, dict[int, tuple[float, ImageTable]]] = {}
        self._counts: dict[str, dict[int, ImageCounts]] = {}
        self._progress = progress
        self._pool = WorkerPool(workers, partial(_hold, raws, truths, size, match))

    def __enter__(self) -> 'Engine':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.__exit__(kind, error, trace)

    @property
    def has_attributes(self) -> bool:
        """Whether a hit needs the attributes, and the dump's model predicts some."""
        return self.match == 'class_id' and any(raw.attribute_probs is not None for raw in self._raws)

    def detections(self, images: Sequence[int], options: Postprocess, floor: float) -> Detections:
        """List what some images' detections come to, for every score threshold from `floor` on.

        Args:
            images: positions in the dump.
            options: all but score_thr and drop_categories are followed.
            floor: the lowest score threshold that will be asked for.
        """
        known = self._tables.setdefault(repr(replace(options, score_thr=0.0, min_area=1, drop_categories=())), {})
        missing = [image for image in images if image not in known or known[image][0] > floor]
        for image, table in zip(missing, self._map(missing, options, floor), strict=True):
            known[image] = floor, table
        return Detections.gather([known[image][1] for image in images], options.min_area, self.average)

    def score(self, images: Sequence[int], options: Postprocess) -> float:
        """Score some images as `tools/score_dump.py` would: postprocess, count, summarize."""
        known = self._counts.setdefault(repr(options), {})
        missing = [image for image in images if image not in known]
        for image, counts in zip(missing, self._map(missing, options, EXACT), strict=True):
            known[image] = counts
        return summarize([known[image] for image in images], self.average).score

    def quick_score(self, images: Sequence[int], options: Postprocess, floor: float | None = None) -> float:
        """Score from tables; see `tables` for where that equals `score`.

        Args:
            images: positions in the dump.
            options: to score.
            floor: of the tables, no higher than any score threshold; None for the lowest of these.
        """
        thresholds = thresholds_of(options.score_thresholds(), options.drop_categories)
        floor = float(thresholds.min()) if floor is None else floor
        return self.detections(images, options, floor).score(thresholds)

    def objects(self, images: Sequence[int]) -> list[int]:
        """List the category of every true object of some images."""
        return [category for image in images for category in self._truth(image).categories.tolist()]

    def _truth(self, image: int) -> Truth:
        return self._truths[self.image_ids[image]]

    def _map(self, images: Sequence[int], options: Postprocess, floor: float) -> list:
        """Work on images, in their order; floor as `_work` takes it."""
        task = self._progress.add_task('  images', total=len(images)) if self._progress and images else None
        if self._pool.workers == 1 or len(images) < 2 * self._pool.workers:
            parts = (
                [_work(self._raws[image], self._truth(image), options, floor, self._size, self.match)]
                for image in images
            )
        else:
            step = max(1, min(8, len(images) // (4 * self._pool.workers)))
            jobs = [(images[start : start + step], options, floor) for start in range(0, len(images), step)]
            parts = self._pool.map(_work_on, jobs)
        results = []
        for part in parts:
            results += part
            if task is not None:
                self._progress.advance(task, len(part))
        if task is not None:
            self._progress.remove_task(task)
        return results


def _work(
    raw: RawPrediction, truth: Truth, options: Postprocess, floor: float, size: tuple[int, int] | None, match: str
) -> ImageTable | ImageCounts:
    if floor == EXACT:
        return count_image(truth, postprocess(raw, options, size), match)
    return build_table(raw, truth, options, floor, size, match)


def _hold(raws: Sequence[RawPrediction], truths: Mapping[str, Truth], size: tuple[int, int] | None, match: str) -> None:
    """Keep the images for the jobs to come, in a worker."""
    global _held
    _held = raws, truths, size, match


def _work_on(job: tuple[Sequence[int], Postprocess, float]) -> list[ImageTable | ImageCounts]:
    images, options, floor = job
    raws, truths, size, match = _held
    return [_work(raws[image], truths[raws[image].image_id], options, floor, size, match) for image in images]
