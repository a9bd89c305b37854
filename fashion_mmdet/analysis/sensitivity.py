"""Which classes a model misses, what it calls them instead, and which to resample."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.datasets.index_store import open_index
from fashion_mmdet.evaluation.dump import read_dump, read_info
from fashion_mmdet.evaluation.matching import mask_ious, match_greedily
from fashion_mmdet.evaluation.offline import truth_from_record
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from fashion_mmdet.utils.progress import track

IOU = np.array([0.5])


@dataclass
class ClassTally:
    """One class over all images, at IoU 0.5.

    Attributes:
        category: id.
        objects: true objects; images: images that hold one.
        hits: true objects found under their own name.
        called: other classes' names under which a missed object was found, with counts.
        missed: true objects that nothing found.
        spurious: predictions that lie on no true object.
        mistaken: predictions that lie on an object of another class, or on one already found.
        scored: (score, hit) of every prediction at any score, for the average precision.
    """

    category: int
    objects: int = 0
    images: int = 0
    hits: int = 0
    called: Counter[int] = field(default_factory=Counter)
    missed: int = 0
    spurious: int = 0
    mistaken: int = 0
    scored: list[tuple[float, bool]] = field(default_factory=list)

    @property
    def sensitivity(self) -> float | None:
        """Share of the true objects that were found; None without any."""
        return self.hits / self.objects if self.objects else None

    @property
    def precision(self) -> float | None:
        """Share of the predictions that hit; None without any."""
        predicted = self.hits + self.spurious + self.mistaken
        return self.hits / predicted if predicted else None

    def to_dict(self) -> dict:
        """Give everything but the single scores, for JSON."""
        return dict(
            category=self.category,
            name=CATEGORIES[self.category],
            objects=self.objects,
            images=self.images,
            sensitivity=self.sensitivity,
            precision=self.precision,
            ap_50=average_precision(self.scored, self.objects),
            called={CATEGORIES[other]: count for other, count in self.called.most_common()},
            missed=self.missed,
            spurious=self.spurious,
            mistaken=self.mistaken,
        )


def average_precision(scored: Sequence[tuple[float, bool]], objects: int) -> float | None:
    """Average precision at 101 recalls, as COCO defines it; None without true objects.

    Args:
        scored: score and hit of every prediction of a class over all images; ties keep their order.
        objects: number of true objects.
    """
    if not objects:
        return None
    order = np.argsort([-score for score, _ in scored], kind='stable')
    hits = np.array([hit for _, hit in scored], dtype=bool)[order]
    true = np.cumsum(hits)
    recall, precision = true / objects, true / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, np.linspace(0, 1, 101), side='left')
    return float(np.append(envelope, 0.0)[np.minimum(places, len(envelope))].mean())


def tally(
    dump: str | os.PathLike, truth: str | os.PathLike, options: Postprocess, size: tuple[int, int] | None = (512, 512)
) -> list[ClassTally]:
    """Count, class by class, what was found, missed and mistaken over a dump.

    Args:
        dump: raw predictions.
        truth: CSV like train.csv.
        options: thresholds of the counts; the average precision looks at every score.
        size: height and width of the masks compared; None for each photo's own.

    Returns:
        The classes that are true or predicted, by id.

    Raises:
        ValueError: an image without truth, or files that are not what they should be.
    """
    index = open_index(truth)
    tallies = [ClassTally(category) for category in range(len(CATEGORIES))]
    for raw in track(read_dump(dump), 'matching', total=len(read_info(dump).images)):
        if raw.image_id not in index:
            raise ValueError(f'{truth}: no image {raw.image_id!r}')
        true = truth_from_record(index.find(raw.image_id), size)
        count_errors(true, postprocess(raw, options, size), tallies)
        loose = postprocess(raw, replace(options, score_thr=0.0, max_per_image=None), size)
        for category, score, hit in match_by_class(true, loose):
            tallies[category].scored.append((score, hit))
    return [row for row in tallies if row.objects or row.scored]


def count_errors(truth: Truth, prediction: Prediction, tallies: list[ClassTally]) -> None:
    """Add one image to the tallies: hits within a class first, then what is left across classes."""
    ious = mask_ious(prediction.masks, truth.masks)
    same = prediction.categories[:, None] == truth.categories[None, :]
    hit_of = match_greedily(np.where(same, ious, 0.0), IOU)[0]  # (P,) true object or -1
    found = set(hit_of[hit_of >= 0].tolist())
    rest = np.array([index for index in range(len(truth.masks)) if index not in found], int)
    loose = np.flatnonzero(hit_of < 0)
    renamed = {
        int(rest[column]): int(loose[row])
        for row, column in enumerate(match_greedily(ious[np.ix_(loose, rest)], IOU)[0])
        if column >= 0
    }
    for category in set(truth.categories.tolist()):
        tallies[category].images += 1
    for index, category in enumerate(truth.categories.tolist()):
        row = tallies[category]
        row.objects += 1
        if index in found:
            row.hits += 1
        elif index in renamed:
            row.called[int(prediction.categories[renamed[index]])] += 1
        else:
            row.missed += 1
    for index in loose:
        row = tallies[int(prediction.categories[index])]
        if ious.shape[1] and ious[index].max() > IOU[0]:
            row.mistaken += 1
        else:
            row.spurious += 1


def match_by_class(truth: Truth, prediction: Prediction) -> Iterator[tuple[int, float, bool]]:
    """Yield category, score and hit of every prediction of an image."""
    for category in np.unique(prediction.categories).tolist():
        predicted = np.flatnonzero(prediction.categories == category)
        true = np.flatnonzero(truth.categories == category)
        ious = mask_ious([prediction.masks[index] for index in predicted], [truth.masks[index] for index in true])
        for index, hit in zip(predicted, match_greedily(ious, IOU)[0] >= 0, strict=True):
            yield category, float(prediction.scores[index]), bool(hit)


def pick_targets(rows: Sequence[ClassTally], top: int) -> list[int]:
    """Pick the deck's set, "most occurring but least sensitive".

    Among the more frequent half of the classes that occur, the `top` with the lowest sensitivity; of equals, the more
    frequent.

    Returns:
        Category ids, the least sensitive first.
    """
    occurring = sorted((row for row in rows if row.objects), key=lambda row: -row.objects)
    frequent = occurring[: (len(occurring) + 1) // 2]
    return [row.category for row in sorted(frequent, key=lambda row: (row.sensitivity, -row.objects))[:top]]


def format_tallies(rows: Sequence[ClassTally]) -> str:
    """Lay the classes out as a table, with the three commonest wrong names."""

    def cell(value: float | None) -> str:
        return '-' if value is None else f'{value:.3f}'

    lines = [
        f'{"id":>3}  {"class":<40} {"objects":>8} {"images":>7} {"sensitivity":>12} {"precision":>10} {"AP50":>6} '
        f'{"missed":>7} {"spurious":>9}  called instead'
    ]
    for row in rows:
        called = ', '.join(f'{CATEGORIES[other].split(",")[0]} {count}' for other, count in row.called.most_common(3))
        lines.append(
            f'{row.category:>3}  {CATEGORIES[row.category]:<40} {row.objects:>8} {row.images:>7} '
            f'{cell(row.sensitivity):>12} {cell(row.precision):>10} '
            f'{cell(average_precision(row.scored, row.objects)):>6} {row.missed:>7} {row.spurious:>9}  {called}'
        )
    return '\n'.join(lines)
