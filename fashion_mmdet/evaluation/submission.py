"""The competition's submission: write it from predictions, check it by the rules, read it back for scoring."""

import csv
import io
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fashion_mmdet.classes import NUM_ATTRIBUTES, NUM_CATEGORIES, format_class_id, parse_class_id
from fashion_mmdet.datasets.images import is_safe_id
from fashion_mmdet.datasets.records import SUBMISSION_COLUMNS, read_image_ids, read_table
from fashion_mmdet.evaluation.predictions import Prediction
from fashion_mmdet.masks import rle, rle_kernels
from fashion_mmdet.masks.rle import coco_to_edges
from fashion_mmdet.utils.files import atomic_path

SIZE = (512, 512)  # height and width of the masks that the competition scores
EMPTY_CLASS_ID = '23'  # what the 2019 winner wrote for an image without objects
IMAGES_AT_ONCE = 64  # some 5 MB of runs in memory


def write_submission(
    path: str | os.PathLike, predictions: Iterable[Prediction], image_ids: Iterable[str], resolve_overlaps: bool = False
) -> int:
    """Write a submission: one row per mask, an image's masks by descending score, every image at least once.

    Args:
        path: CSV to write; whole or absent.
        predictions: masks at `SIZE`, without overlap within a category unless `resolve_overlaps`.
        image_ids: all images of the sample submission; those without a mask get one row without runs.
        resolve_overlaps: give a pixel that several masks of a category claim to the first, and drop masks left empty.

    Returns:
        The number of masks.

    Raises:
        ValueError: a prediction for an image that is not among `image_ids`, or masks of another size.
    """
    rest, masks, predictions = dict.fromkeys(image_ids), 0, iter(predictions)
    with atomic_path(path) as temporary, open(temporary, 'wb') as file:
        file.write((','.join(SUBMISSION_COLUMNS) + '\n').encode())
        while some := list(itertools.islice(predictions, IMAGES_AT_ONCE)):
            texts = iter(_write_masks(some, resolve_overlaps))
            for prediction in some:
                if prediction.image_id not in rest:
                    raise ValueError(
                        f'{prediction.image_id}: not an image of the sample submission, or predicted twice'
                    )
                rows = _format_rows(prediction, texts, keep_empty=not resolve_overlaps)
                if rows:
                    del rest[prediction.image_id]
                file.writelines(rows)
                masks += len(rows)
        file.writelines(_start_row(image_id) + f',{EMPTY_CLASS_ID}\n'.encode() for image_id in rest)
    return masks


def _write_masks(predictions: Sequence[Prediction], resolve_overlaps: bool) -> Iterator[bytes]:
    """Yield every mask's runs as the competition's text, image after image."""
    for prediction in predictions:
        if prediction.masks and tuple(prediction.size) != SIZE:
            raise ValueError(f'{prediction.image_id}: masks of {prediction.size}, the competition wants {SIZE}')
    edges, bounds = coco_to_edges([mask for prediction in predictions for mask in prediction.masks])
    if resolve_overlaps:
        counts = np.array([len(prediction.masks) for prediction in predictions])
        groups = np.concatenate([prediction.categories for prediction in predictions]).astype(np.int64)
        edges, bounds = rle_kernels.resolve_overlaps(
            edges, bounds, groups, np.repeat(np.cumsum(counts) - counts, counts)
        )
    codes, offsets = rle_kernels.write_kaggle(edges, bounds)
    text = codes.tobytes()
    for start, stop in itertools.pairwise(offsets.tolist()):
        yield text[start:stop]


def _format_rows(prediction: Prediction, texts: Iterator[bytes], keep_empty: bool) -> list[bytes]:
    """Return an image's rows; takes the next text for each of its masks."""
    start, rows = _start_row(prediction.image_id), []
    for category, attributes in zip(prediction.categories.tolist(), prediction.attributes, strict=True):
        text = next(texts)
        if text or keep_empty:
            rows.append(b'%b%b,%b\n' % (start, text, format_class_id(category, attributes).encode()))
    return rows


def _start_row(image_id: str) -> bytes:
    """Return the first column and its comma, quoted where CSV needs it."""
    text = io.StringIO()
    csv.writer(text, lineterminator='').writerow((image_id, ''))
    return text.getvalue().encode()


@dataclass(frozen=True, slots=True)
class SubmissionRow:
    """One row of a submission as it stands in the file."""

    line: int
    image_id: str
    pixels: str
    class_id: str

    def parse_runs(self, size: tuple[int, int]) -> rle.Runs:
        """Return the runs of the mask; ValueError says which rule the row breaks."""
        if not self.image_id:
            raise ValueError('no ImageId')
        if not is_safe_id(self.image_id):
            raise ValueError('an ImageId that names no photo')
        check_class_id(self.class_id)
        return parse_runs(self.pixels, size)


def read_submission(path: str | os.PathLike) -> Iterator[SubmissionRow]:
    """Yield the rows of a submission, unchecked.

    Raises:
        ValueError: not a submission at all; FileNotFoundError: no such file.
    """
    for chunk in read_table(path, SUBMISSION_COLUMNS):
        if list(chunk.columns) != list(SUBMISSION_COLUMNS):
            raise ValueError(f'{path}:1: columns {",".join(chunk.columns)}, expected {",".join(SUBMISSION_COLUMNS)}')
        for number, *texts in zip(chunk.index, *(chunk[column] for column in SUBMISSION_COLUMNS), strict=True):
            yield SubmissionRow(int(number) + 2, *texts)


def check_class_id(class_id: str) -> None:
    """Raise ValueError unless category and attributes are among the 46 and the 92."""
    category, attributes = parse_class_id(class_id)
    if category >= NUM_CATEGORIES:
        raise ValueError(f'ClassId {class_id!r}: categories are 0 to {NUM_CATEGORIES - 1}')
    if attributes and attributes[-1] >= NUM_ATTRIBUTES:
        raise ValueError(f'ClassId {class_id!r}: attributes are 0 to {NUM_ATTRIBUTES - 1}')
    if class_id != format_class_id(category, attributes):  # else one class under two names could overlap unseen
        raise ValueError(f'ClassId {class_id!r}: written {format_class_id(category, attributes)!r}')


def parse_runs(pixels: str, size: tuple[int, int]) -> rle.Runs:
    """Parse runs that must be sorted, positive, apart and inside the image; an empty text is an empty mask.

    Raises:
        ValueError: says which rule is broken.
    """
    starts, lengths = rle.parse_kaggle(pixels)
    if starts.size and lengths.min() < 1:
        raise ValueError(f'a run of length {lengths.min()}; lengths are positive')
    last = rle.last_pixel(starts, lengths)
    if starts.size and (starts.min() < 0 or last > size[0] * size[1]):
        outside = starts.min() + 1 if starts.min() < 0 else int(last)
        raise ValueError(f'pixel {outside} lies outside the {size[0]}x{size[1]} image (1 to {size[0] * size[1]})')
    ends = starts + lengths
    if (starts[1:] < ends[:-1]).any():
        raise ValueError('runs are not sorted, or overlap')
    return rle.merge_runs(starts, ends)


def find_problems(
    path: str | os.PathLike, sample: str | os.PathLike | None = None, size: tuple[int, int] = SIZE
) -> Iterator[str]:
    """Check a submission by the competition's rules, and yield one line per problem: where and what.

    Args:
        path: submission to check.
        sample: sample_submission.csv, which names the images; None skips the two checks that need it.
        size: height and width of the masks.

    Raises:
        ValueError: not a submission at all; FileNotFoundError: a file is missing.
    """
    known = dict.fromkeys(read_image_ids(sample)) if sample is not None else None
    seen: set[str] = set()
    claimed: dict[tuple[str, str], rle.Runs] = {}
    for row in read_submission(path):
        where = f'{path}:{row.line}: {" ".join(row.image_id.split())}'
        try:
            runs = row.parse_runs(size)
        except ValueError as error:
            yield f'{where}: {error}'
            continue
        if known is not None and row.image_id not in known and row.image_id not in seen:
            yield f'{where}: not an image of {sample}'
        seen.add(row.image_id)
        key = row.image_id, row.class_id
        before = claimed.get(key)
        claimed[key] = runs if before is None else rle.unite(before, runs)
        if before is not None and rle.area(claimed[key]) < rle.area(before) + rle.area(runs):
            yield f'{where}: overlaps an earlier mask of ClassId {row.class_id}'
    missing = [image_id for image_id in known or () if image_id not in seen]
    if missing:
        yield f'{path}: {len(missing)} image(s) of {sample} missing, such as {missing[0]}'


def read_predictions(path: str | os.PathLike, size: tuple[int, int] = SIZE) -> dict[str, Prediction]:
    """Read a valid submission as predictions by image id; rows without runs are no masks.

    Scores are ranks: the order of the rows is the order of the scores.

    Raises:
        ValueError: the first of the problems of `find_problems`.
    """
    for problem in find_problems(path, size=size):
        raise ValueError(problem)
    rows: dict[str, list[SubmissionRow]] = {}
    for row in read_submission(path):
        rows.setdefault(row.image_id, []).extend([row] * bool(row.pixels.strip()))
    return {image_id: _to_prediction(image_id, masks, size) for image_id, masks in rows.items()}


def _to_prediction(image_id: str, rows: list[SubmissionRow], size: tuple[int, int]) -> Prediction:
    parsed = [parse_class_id(row.class_id) for row in rows]
    return Prediction(
        image_id=image_id,
        size=size,
        categories=np.array([category for category, _ in parsed], np.int64),
        scores=np.arange(len(rows), 0, -1, dtype=np.float32),
        masks=[rle.runs_to_coco(row.parse_runs(size), *size) for row in rows],
        attributes=[attributes for _, attributes in parsed],
    )
