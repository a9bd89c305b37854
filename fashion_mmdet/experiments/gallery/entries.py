"""Every image of a dump, scored and judged object by object."""

import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.datasets.images import photo_path
from fashion_mmdet.datasets.index import Index
from fashion_mmdet.datasets.index_store import open_index
from fashion_mmdet.evaluation.dump import read_dump, read_info
from fashion_mmdet.evaluation.matching import count_image
from fashion_mmdet.evaluation.offline import truth_from_record
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import Prediction, RawPrediction, Truth
from fashion_mmdet.evaluation.scoring import summarize
from fashion_mmdet.evaluation.submission import SIZE
from fashion_mmdet.evaluation.verdicts import HIT, Judgement, judge, keep_categories
from fashion_mmdet.utils.progress import track

PREDICTED = 'predicted'  # what an object is where no truth says more


@dataclass(frozen=True)
class Entry:
    """One image of the gallery, masks at 512x512, as they are scored.

    Attributes:
        prediction: final objects.
        truth: annotated objects; None where there is none.
        judgement: hits, misses and spurious objects; None without a truth.
        score: the image's, over ten IoU thresholds; None without a truth.
    """

    prediction: Prediction
    truth: Truth | None = None
    judgement: Judgement | None = None
    score: float | None = None

    @property
    def image_id(self) -> str:
        """As in the CSV."""
        return self.prediction.image_id

    @property
    def categories(self) -> set[int]:
        """True or predicted in it."""
        true = set() if self.truth is None else set(self.truth.categories.tolist())
        return true | set(self.prediction.categories.tolist())

    def tally(self) -> Counter[tuple[int, str]]:
        """Count the objects by category and verdict; a hit counts once, though it is seen on both sides."""
        predicted = self.prediction.categories.tolist()
        if self.truth is None or self.judgement is None:
            return Counter((category, PREDICTED) for category in predicted)
        true = zip(self.truth.categories.tolist(), self.judgement.true, strict=True)
        spurious = (
            (category, verdict)
            for category, verdict in zip(predicted, self.judgement.predicted, strict=True)
            if verdict != HIT
        )
        return Counter([*true, *spurious])


def collect_entries(
    dump: str | os.PathLike,
    truth: str | os.PathLike | None,
    options: Postprocess,
    categories: Collection[int] = (),
    iou: float = 0.5,
) -> list[Entry]:
    """Postprocess, score and judge every image of a dump.

    Args:
        dump: Parquet file that tools/test.py wrote.
        truth: CSV like train.csv; None for photos without annotations.
        options: thresholds and policies.
        categories: keep their objects alone, and the images that have one; none keeps all.
        iou: a hit needs an IoU strictly above.

    Returns:
        In the dump's order.

    Raises:
        ValueError: not a dump, or an image without truth.
    """
    total = len(read_info(dump).images)
    index = None if truth is None else open_index(truth)
    wanted = frozenset(categories)
    entries = (
        _make_entry(raw, index, truth, options, wanted, iou) for raw in track(read_dump(dump), 'judging', total=total)
    )
    return [entry for entry in entries if not wanted or entry.categories]


def _make_entry(
    raw: RawPrediction,
    index: Index | None,
    path: str | os.PathLike | None,
    options: Postprocess,
    wanted: frozenset[int],
    iou: float,
) -> Entry:
    prediction = postprocess(raw, options, SIZE)
    if wanted:
        prediction = keep_categories(prediction, wanted)
    if index is None:
        return Entry(prediction)
    if raw.image_id not in index:
        raise ValueError(f'{path}: no image {raw.image_id!r}')
    truth = truth_from_record(index.find(raw.image_id), SIZE)
    if wanted:
        truth = keep_categories(truth, wanted)
    score = summarize([count_image(truth, prediction)]).score
    return Entry(prediction, truth, judge(truth, prediction, iou), score)


def rank(entries: Sequence[Entry], best: bool = False) -> list[Entry]:
    """Sort by score, the worst first or the best; of equals, by name. Without scores the order stays."""
    if any(entry.score is None for entry in entries):
        return list(entries)
    return sorted(entries, key=lambda entry: (-entry.score if best else entry.score, entry.image_id))


def read_categories(words: Sequence[str]) -> list[int]:
    """Turn ids and names into category ids: `6`, `skirt`, `blouse`, `shirt, blouse`.

    Raises:
        ValueError: no such category.
    """
    found = []
    for word in words:
        if word.isascii() and word.isdigit() and int(word) < len(CATEGORIES):
            found.append(int(word))
            continue
        named = [
            category
            for category, name in enumerate(CATEGORIES)
            if word.lower() == name or word.lower() in name.split(', ')
        ]
        if len(named) != 1:
            raise ValueError(
                f'--classes {word}: no such category; ids are 0 to {len(CATEGORIES) - 1}, names such as '
                f'{CATEGORIES[8]!r} or {CATEGORIES[0]!r}'
            )
        found += named
    return sorted(set(found))


def find_photos(entries: Sequence[Entry], folder: Path) -> tuple[list[Entry], int]:
    """Keep the entries whose photos are there; returns them and how many are missing.

    Raises:
        FileNotFoundError: no such folder, or none of the photos in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f'{folder}: no such folder of photos; --images names it')
    there = [entry for entry in entries if photo_path(folder, entry.image_id).is_file()]
    if entries and not there:
        raise FileNotFoundError(f'{folder}: has none of the {len(entries)} photos, such as {entries[0].image_id}')
    return there, len(entries) - len(there)
