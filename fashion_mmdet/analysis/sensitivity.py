"""Which classes a model misses, what it calls them instead, and which to resample."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fashion_mmdet.classes import CATEGORIES, short_name
from fashion_mmdet.evaluation.dump import read_dump, read_info
from fashion_mmdet.evaluation.error_types import match_objects
from fashion_mmdet.evaluation.match_loops import match_greedily
from fashion_mmdet.evaluation.matching import mask_ious
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from fashion_mmdet.evaluation.scoring import average_precision
from fashion_mmdet.evaluation.truths import Truths
from fashion_mmdet.utils.progress import track
from fashion_mmdet.utils.tables import format_text

IOU = np.array([0.5])


@dataclass
class ClassTally:
    """One class over all images, at IoU 0.5.

    Attributes:
        category: id.
        objects: number of true objects.
        images: number of images that hold one.
        true_positives: true objects found under their own name.
        called: other classes' names under which a missed object was found, with counts.
        missed: true objects that nothing found.
        spurious: predictions that lie on no true object.
        mistaken: predictions that lie on an object of another class, or on one already found.
        scores: of every prediction, whatever its score, for the average precision.
        matched: whether each of these is a true positive.
    """

    category: int
    objects: int = 0
    images: int = 0
    true_positives: int = 0
    called: Counter[int] = field(default_factory=Counter)
    missed: int = 0
    spurious: int = 0
    mistaken: int = 0
    scores: list[float] = field(default_factory=list)
    matched: list[bool] = field(default_factory=list)

    @property
    def sensitivity(self) -> float | None:
        """Share of the true objects that were found; None without any."""
        return self.true_positives / self.objects if self.objects else None

    @property
    def precision(self) -> float | None:
        """Share of the predictions that are true positives; None without any."""
        predicted = self.true_positives + self.spurious + self.mistaken
        return self.true_positives / predicted if predicted else None

    @property
    def ap_50(self) -> float | None:
        """COCO's average precision; None without true objects."""
        return average_precision(self.scores, self.matched, self.objects)

    def to_dict(self) -> dict:
        """Return everything but the single scores, for JSON."""
        return dict(
            category=self.category,
            name=CATEGORIES[self.category],
            objects=self.objects,
            images=self.images,
            sensitivity=self.sensitivity,
            precision=self.precision,
            ap_50=self.ap_50,
            called={CATEGORIES[other]: count for other, count in self.called.most_common()},
            missed=self.missed,
            spurious=self.spurious,
            mistaken=self.mistaken,
        )


def tally(
    dump: str | os.PathLike, truth: str | os.PathLike, options: Postprocess, size: tuple[int, int] | None = (512, 512)
) -> list[ClassTally]:
    """Count by class what a dump's predictions found, missed and mistook.

    Args:
        dump: raw predictions.
        truth: CSV like train.csv.
        options: thresholds of the counts; the average precision takes every score.
        size: height and width of the masks compared; None for each photo's own.

    Returns:
        The classes that are true or predicted, by id.

    Raises:
        ValueError: an image without truth, or files that are not what they should be.
    """
    truths = Truths(truth, size)
    tallies = [ClassTally(category) for category in range(len(CATEGORIES))]
    for raw in track(read_dump(dump), 'matching', total=len(read_info(dump).images)):
        true = truths[raw.image_id]
        count_errors(true, postprocess(raw, options, size), tallies)
        loose = postprocess(raw, replace(options, score_thr=0.0, max_per_image=None), size)
        partners = match_objects(true, loose).partners
        for category, score, partner in zip(loose.categories.tolist(), loose.scores.tolist(), partners, strict=True):
            tallies[category].scores.append(score)
            tallies[category].matched.append(partner >= 0)
    return [row for row in tallies if row.objects or row.scores]


def count_errors(truth: Truth, prediction: Prediction, tallies: list[ClassTally]) -> None:
    """Add one image to the tallies: matches within a class first, then what is left across classes."""
    partners = match_objects(truth, prediction).partners
    unmatched, missing = np.flatnonzero(partners < 0), np.setdiff1d(np.arange(len(truth.masks)), partners)
    ious = mask_ious([prediction.masks[index] for index in unmatched], truth.masks)
    under = match_greedily(ious[:, missing], IOU)[0]  # of each unmatched prediction: place in `missing`, or -1
    called = dict(zip(missing[under[under >= 0]].tolist(), prediction.categories[unmatched[under >= 0]], strict=True))
    for category in set(truth.categories.tolist()):
        tallies[category].images += 1
    for index, category in enumerate(truth.categories.tolist()):
        row = tallies[category]
        row.objects += 1
        if index in called:
            row.called[int(called[index])] += 1
        elif index in missing:
            row.missed += 1
        else:
            row.true_positives += 1
    for category, overlaps in zip(prediction.categories[unmatched].tolist(), ious, strict=True):
        if overlaps.max(initial=0.0) > IOU[0]:
            tallies[category].mistaken += 1
        else:
            tallies[category].spurious += 1


def pick_targets(rows: Sequence[ClassTally], top: int) -> list[int]:
    """Pick the reference report's set, "most occurring but least sensitive", the least sensitive first.

    These are, among the more frequent half of the classes that occur, the `top` with the lowest sensitivity; of equals,
    the more frequent.
    """
    occurring = sorted((row for row in rows if row.objects), key=lambda row: -row.objects)
    frequent = occurring[: (len(occurring) + 1) // 2]
    return [row.category for row in sorted(frequent, key=lambda row: (row.sensitivity, -row.objects))[:top]]


def format_tallies(rows: Sequence[ClassTally]) -> str:
    """Lay the classes out as a table, with the three commonest wrong names."""
    header = ('id', 'class', 'objects', 'images', 'sensitivity', 'precision', 'AP50', 'missed', 'spurious')
    return format_text(
        (*header, 'called instead'),
        [
            (
                row.category,
                CATEGORIES[row.category],
                row.objects,
                row.images,
                row.sensitivity,
                row.precision,
                row.ap_50,
                row.missed,
                row.spurious,
                ', '.join(f'{short_name(other)} {count}' for other, count in row.called.most_common(3)),
            )
            for row in rows
        ],
    )
