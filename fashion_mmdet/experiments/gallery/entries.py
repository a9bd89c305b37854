"""Every image of a dump, scored and matched object by object."""

import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.datasets.images import photo_path
from fashion_mmdet.evaluation.dump import read_dump, read_info
from fashion_mmdet.evaluation.error_types import TRUE_POSITIVE, MatchResult, keep_categories, match_objects
from fashion_mmdet.evaluation.matching import count_image
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from fashion_mmdet.evaluation.scoring import summarize
from fashion_mmdet.evaluation.submission import SIZE
from fashion_mmdet.evaluation.truths import Truths
from fashion_mmdet.utils.progress import track

PREDICTED = 'predicted'  # what an object is where no truth says more


@dataclass(frozen=True)
class Entry:
    """One image of the gallery, masks at 512x512, as they are scored.

    Attributes:
        prediction: final objects.
        truth: annotated objects; None where there are none.
        matches: what each object turned out to be; None without a truth.
        score: score of the image over ten IoU thresholds; None without a truth.
        note: what else to say below the picture.
    """

    prediction: Prediction
    truth: Truth | None = None
    matches: MatchResult | None = None
    score: float | None = None
    note: str = ''

    @property
    def image_id(self) -> str:
        """File name, as in the CSV."""
        return self.prediction.image_id

    @property
    def categories(self) -> set[int]:
        """Categories that are true or predicted."""
        return {category for side in (self.truth, self.prediction) if side for category in side.categories.tolist()}

    def tally(self) -> Counter[tuple[int, str]]:
        """Count the objects by category and error type; a true positive, seen on both sides, counts once."""
        predicted = self.prediction.categories.tolist()
        if self.truth is None or self.matches is None:
            return Counter((category, PREDICTED) for category in predicted)
        pairs = zip(predicted, self.matches.predicted, strict=True)
        tally = Counter((category, error_type) for category, error_type in pairs if error_type != TRUE_POSITIVE)
        return tally + Counter(zip(self.truth.categories.tolist(), self.matches.true, strict=True))

    @property
    def by_error_type(self) -> Counter[str]:
        """Number of objects of each error type."""
        return Counter(error_type for _, error_type in self.tally().elements())


def collect_entries(
    dump: str | os.PathLike,
    truth: str | os.PathLike | None,
    options: Postprocess,
    categories: Collection[int] = (),
    iou: float = 0.5,
    images: Collection[str] | None = None,
) -> list[Entry]:
    """Postprocess, score and match every image of a dump.

    Args:
        dump: Parquet file that tools/test.py wrote.
        truth: CSV like train.csv; None for photos without annotations.
        options: thresholds and policies.
        categories: keep their objects alone, and the images that have one; none keeps all.
        iou: a true positive needs an IoU strictly above.
        images: images to take; None for all.

    Returns:
        In the dump's order.

    Raises:
        ValueError: not a dump, or an image without truth.
    """
    truths = None if truth is None else Truths(truth, SIZE)
    entries, wanted = [], frozenset(categories or range(len(CATEGORIES)))
    for raw in track(read_dump(dump), 'matching', total=len(read_info(dump).images)):
        if images is not None and raw.image_id not in images:
            continue
        prediction = keep_categories(postprocess(raw, options, SIZE), wanted)
        entry = Entry(prediction)
        if truths is not None:
            true = keep_categories(truths[raw.image_id], wanted)
            score = summarize([count_image(true, prediction)]).score
            entry = Entry(prediction, true, match_objects(true, prediction, iou), score)
        if entry.categories or not categories:
            entries.append(entry)
    return entries


def rank(entries: Sequence[Entry], best: bool = False) -> list[Entry]:
    """Sort by score, the worst first or the best; of equals, by name. Without scores the order stays."""
    if any(entry.score is None for entry in entries):
        return list(entries)
    return sorted(entries, key=lambda entry: (-entry.score if best else entry.score, entry.image_id))


def read_categories(words: Sequence[str]) -> list[int]:
    """Convert ids and names to category ids: `6`, `skirt`, `blouse`, `shirt, blouse`.

    Raises:
        ValueError: no such category.
    """
    found = set()
    for word in words:
        named = [
            category
            for category, name in enumerate(CATEGORIES)
            if word.lower() in (str(category), name, *name.split(', '))
        ]
        if len(named) != 1:
            raise ValueError(
                f'--classes {word}: no such category; ids are 0 to {len(CATEGORIES) - 1}, names such as '
                f'{CATEGORIES[8]!r} or {CATEGORIES[0]!r}'
            )
        found.update(named)
    return sorted(found)


def find_photos(entries: Sequence[Entry], folder: Path) -> tuple[list[Entry], int]:
    """Return the entries whose photos are there, and the number of those whose are not.

    Raises:
        FileNotFoundError: no such folder, or none of the photos in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f'{folder}: no such folder of photos; --images names it')
    there = [entry for entry in entries if photo_path(folder, entry.image_id).is_file()]
    if entries and not there:
        raise FileNotFoundError(f'{folder}: has none of the {len(entries)} photos, such as {entries[0].image_id}')
    return there, len(entries) - len(there)
