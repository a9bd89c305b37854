"""The competition's submission: written from predictions, checked by its rules, read back for scoring."""

import csv
import io
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fashion_mmdet.classes import NUM_ATTRIBUTES, NUM_CATEGORIES, format_class_id, parse_class_id
from fashion_mmdet.datasets.records import SUBMISSION_COLUMNS, read_image_ids, read_table
from fashion_mmdet.evaluation.predictions import Prediction
from fashion_mmdet.masks import rle, rle_kernels
from fashion_mmdet.masks.rle_batch import coco_to_edges
from fashion_mmdet.utils.files import atomic_path

SIZE = (512, 512)  # height and width of the masks that the competition scores
EMPTY_CLASS_ID = '23'  # what the 2019 winner wrote for an image without objects
IMAGES_AT_ONCE = 64  # some 5 MB of runs in memory


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a submission: the line in the file, the image, the runs, the ClassId."""

    line: int
    image_id: str
    runs: rle.Runs
    class_id: str


def write_submission(
    path: str | os.PathLike, predictions: Iterable[Prediction], image_ids: Iterable[str], settle_overlap: bool = False
) -> int:
    """Write a submission: one row a mask, the masks of an image by descending score, every image at least once.

    Args:
        path: of the CSV; whole or absent.
        predictions: masks at `SIZE`, without overlap within a category unless `settle_overlap`.
        image_ids: all images that the sample submission names; those without a mask get one row without runs.
        settle_overlap: a pixel that several masks of a category claim goes to the first; masks left without go.

    Returns:
        The number of masks.

    Raises:
        ValueError: a prediction for an image that is not among `image_ids`, or masks of another size.
        OSError: the disk is full, say.
    """
    rest, masks, predictions = dict.fromkeys(image_ids), 0, iter(predictions)
    with atomic_path(path) as temporary, open(temporary, 'wb') as file:
        file.write((','.join(SUBMISSION_COLUMNS) + '\n').encode())
        while some := list(itertools.islice(predictions, IMAGES_AT_ONCE)):
            texts = iter(_write_masks(some, settle_overlap))
            for prediction in some:
                rows = _format_rows(prediction, texts, keep_empty=not settle_overlap)
                if prediction.image_id not in rest:
                    raise ValueError(
                        f'{prediction.image_id}: not an image of the sample submission, or predicted twice'
                    )
                if rows:
                    del rest[prediction.image_id]
                file.writelines(rows)
                masks += len(rows)
        file.writelines(_start_row(image_id) + f',{EMPTY_CLASS_ID}\n'.encode() for image_id in rest)
    return masks


def _write_masks(predictions: Sequence[Prediction], settle_overlap: bool) -> Iterator[bytes]:
    """Give every mask's runs as the competition's text, one image after another."""
    for prediction in predictions:
        if prediction.masks and tuple(prediction.size) != SIZE:
            raise ValueError(f'{prediction.image_id}: masks of {prediction.size}, the competition wants {SIZE}')
    edges, bounds = coco_to_edges([mask for prediction in predictions for mask in prediction.masks])
    if settle_overlap:
        counts = np.array([len(prediction.masks) for prediction in predictions])
        groups = np.concatenate([prediction.categories for prediction in predictions]).astype(np.int64)
        edges, bounds = rle_kernels.settle_overlap(edges, bounds, groups, np.repeat(np.cumsum(counts) - counts, counts))
    codes, offsets = rle_kernels.write_kaggle(edges, bounds)
    text, places = codes.tobytes(), offsets.tolist()
    for start, stop in itertools.pairwise(places):
        yield text[start:stop]


def _format_rows(prediction: Prediction, texts: Iterator[bytes], keep_empty: bool) -> list[bytes]:
    """Write an image's rows, taking as many texts as it has masks."""
    start, rows = _start_row(prediction.image_id), []
    for category, attributes in zip(prediction.categories.tolist(), prediction.attributes, strict=True):
        text = next(texts)
        if text or keep_empty:
            rows.append(b'%b%b,%b\n' % (start, text, format_class_id(category, attributes).encode()))
    return rows


def _start_row(image_id: str) -> bytes:
    """Write the first column and its comma, in quotes where CSV wants them."""
    text = io.StringIO()
    csv.writer(text, lineterminator='').writerow((image_id, ''))
    return text.getvalue().encode()


def read_submission(path: str | os.PathLike, size: tuple[int, int] = SIZE) -> Iterator[Row | str]:
    """Read a submission row by row.

    Yields:
        A row, or a line that says what is wrong with it: where, what, what is right.

    Raises:
        ValueError: not a submission at all; FileNotFoundError: no such file.
    """
    for chunk in read_table(path, SUBMISSION_COLUMNS):
        if list(chunk.columns) != list(SUBMISSION_COLUMNS):
            raise ValueError(f'{path}:1: columns {",".join(chunk.columns)}, expected {",".join(SUBMISSION_COLUMNS)}')
        for number, image_id, pixels, class_id in zip(
            chunk.index, *(chunk[column] for column in SUBMISSION_COLUMNS), strict=True
        ):
            line = int(number) + 2
            try:
                if not image_id:
                    raise ValueError('no ImageId')
                check_class_id(class_id)
                yield Row(line, image_id, parse_runs(pixels, size), class_id)
            except ValueError as error:
                yield f'{path}:{line}: {image_id}: {error}'


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
    """Read runs that must be sorted, positive, apart and inside the image; an empty text is an empty mask.

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
    """Check a submission by the competition's rules.

    Args:
        path: of the submission.
        sample: sample_submission.csv, which names the images; None skips the two checks that need it.
        size: height and width of the masks.

    Yields:
        A line a problem: where, what.

    Raises:
        ValueError: not a submission at all; FileNotFoundError: a file is missing.
    """
    known = dict.fromkeys(read_image_ids(sample)) if sample is not None else None
    seen: set[str] = set()
    claimed: dict[tuple[str, str], rle.Runs] = {}
    for row in read_submission(path, size):
        if isinstance(row, str):
            yield row
            continue
        if known is not None and row.image_id not in known and row.image_id not in seen:
            yield f'{path}:{row.line}: {row.image_id}: not an image of {sample}'
        seen.add(row.image_id)
        key = row.image_id, row.class_id
        if key in claimed:
            before = claimed[key]
            claimed[key] = rle.unite(before, row.runs)
            if rle.area(claimed[key]) < rle.area(before) + rle.area(row.runs):
                yield f'{path}:{row.line}: {row.image_id}: overlaps an earlier mask of ClassId {row.class_id}'
        else:
            claimed[key] = row.runs
    missing = [image_id for image_id in known or () if image_id not in seen]
    if missing:
        yield f'{path}: {len(missing)} image(s) of {sample} missing, such as {missing[0]}'


def read_predictions(path: str | os.PathLike, size: tuple[int, int] = SIZE) -> dict[str, Prediction]:
    """Read a valid submission as predictions; rows without runs are no masks.

    Scores are ranks: the order of the rows is the order of the scores.

    Raises:
        ValueError: the first of the problems of `find_problems`.
    """
    for problem in find_problems(path, size=size):
        raise ValueError(problem)
    rows: dict[str, list[Row]] = {}
    for row in read_submission(path, size):
        masks = rows.setdefault(row.image_id, [])
        if row.runs[0].size:
            masks.append(row)
    return {image_id: _to_prediction(image_id, masks, size) for image_id, masks in rows.items()}


def _to_prediction(image_id: str, rows: list[Row], size: tuple[int, int]) -> Prediction:
    parsed = [parse_class_id(row.class_id) for row in rows]
    return Prediction(
        image_id=image_id,
        size=size,
        categories=np.array([category for category, _ in parsed], np.int64),
        scores=np.arange(len(rows), 0, -1, dtype=np.float32),
        masks=[rle.runs_to_coco(row.runs, *size) for row in rows],
        attributes=[attributes for _, attributes in parsed],
    )
