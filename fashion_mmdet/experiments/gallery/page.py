"""The gallery: a folder with index.html and one JPEG per image."""

import math
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from fashion_mmdet.classes import CATEGORIES, short_name
from fashion_mmdet.datasets.images import photo_path
from fashion_mmdet.evaluation.error_types import ERROR_TYPES
from fashion_mmdet.evaluation.overlay import draw_pair, save_picture
from fashion_mmdet.experiments.compare.pictures import describe, join_panels, read_photo
from fashion_mmdet.experiments.gallery.entries import PREDICTED, Entry
from fashion_mmdet.experiments.pages import render
from fashion_mmdet.utils.files import picture_name, write_text
from fashion_mmdet.utils.progress import track

PICTURES = 'pictures'
GAP_PX = 8
ORDERS = {
    'listed': 'as listed',
    'worst': 'worst first',
    'best': 'best first',
    'name': 'name',
    **{kind: f'most {label}' for kind, label in zip(ERROR_TYPES, ('hits', 'missed', 'spurious'), strict=True)},
}


def describe_gallery(
    dump: str | os.PathLike, entries: Sequence[Entry], categories: Sequence[int], iou: float, missing: int = 0
) -> tuple[str, str]:
    """Return the page's title, and what the pictures show and the scores mean.

    Args:
        dump: Parquet file with the predictions.
        entries: all images of the dump, drawn or not.
        categories: categories asked for; none for all.
        iou: threshold that a true positive's IoU exceeds.
        missing: number of missing photos.
    """
    path = Path(dump).absolute()
    sentences = [f'Only {", ".join(map(short_name, categories))}.'] if categories else []
    if entries and all(entry.score is not None for entry in entries):
        mean = math.fsum(entry.score for entry in entries) / len(entries)
        sentences += [
            f'{len(entries):,} photos score {mean:.3f}: the mean over photos and IoU thresholds 0.50 to 0.95 of '
            'TP / (TP + FP + FN).',
            f'True left, predicted right; a hit overlaps by an IoU above {iou:g}.',
        ]
    else:
        sentences.append('Photo left, predicted right; no truth to judge by.')
    if missing:
        sentences.append(f'{missing:,} {"photo is" if missing == 1 else "photos are"} missing.')
    return f'{path.parent.name}/{path.name}', ' '.join(sentences)


def write_gallery(
    entries: Sequence[Entry], photos: Path, out: Path, title: str, lead: str, order: str = 'worst'
) -> Path:
    """Draw every entry and write the page that shows them.

    Args:
        entries: images in the order of the page.
        photos: folder of the photos.
        out: folder to write; index.html comes last.
        title, lead: heading of the page and the text below it.
        order: key of ORDERS to begin with, that of `entries`.

    Returns:
        The page.

    Raises:
        ValueError: a photo that cannot be read.
    """
    figures = []
    for entry in track(entries, 'drawing'):
        picture = draw_entry(entry, photos)
        path = Path(PICTURES) / picture_name(entry.image_id, '.jpg')
        save_picture(picture, out / path)
        figures.append((entry, path.as_posix(), picture.size))
    has_truth = all(entry.matches is not None for entry in entries)
    images = Counter(category for entry in entries for category in entry.categories)
    page = out / 'index.html'
    text = render(
        'gallery.html',
        title=title,
        lead=lead,
        figures=figures,
        classes=sorted(images.items(), key=lambda pair: CATEGORIES[pair[0]]),
        has_truth=has_truth,
        error_types=ERROR_TYPES if has_truth else (PREDICTED,),
        counts=sum((entry.by_error_type for entry in entries), Counter()),
        orders={key: text for key, text in ORDERS.items() if key != 'listed' or order == 'listed'},
        order=order,
        describe=describe,
        CATEGORIES=CATEGORIES,
    )
    write_text(page, text)
    return page


def draw_entry(entry: Entry, photos: Path) -> Image.Image:
    """Draw the truth (or the bare photo) left and the prediction right."""
    photo = read_photo(photo_path(photos, entry.image_id))
    return join_panels(*draw_pair(photo, entry.prediction, entry.truth, entry.matches), GAP_PX)
