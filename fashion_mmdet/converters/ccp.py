"""Clothing Co-Parsing (CCP) as competition data: pixel label maps become instances of the 46 categories.

CCP (Yang, Luo and Lin, CVPR 2014; github.com/bearpaw/clothing-co-parsing) gives every pixel of a street photo one of 58
labels or background. What lies in two places (a pair of shoes) has one label, so instances are made here: connected
components where a photo shows pairs, one instance per category and photo elsewhere, as the competition annotates.
"""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from PIL import Image
from scipy.io import loadmat

from fashion_mmdet.datasets.layouts import write_labels
from fashion_mmdet.datasets.records import COLUMNS, SUBMISSION_COLUMNS
from fashion_mmdet.masks.rle import mask_to_runs, runs_to_kaggle
from fashion_mmdet.utils.files import atomic_path, write_text
from fashion_mmdet.utils.parallel import WorkerPool

# CCP's labels by category id, and those that no category fits with the reason.
_LABELS_OF = {
    0: 'blouse shirt', 1: 'hoodie sweatshirt t-shirt top', 2: 'jumper sweater', 3: 'cardigan', 4: 'blazer jacket suit',
    5: 'vest', 6: 'jeans leggings pants', 7: 'shorts', 8: 'skirt', 9: 'coat', 10: 'dress', 11: 'bodysuit romper',
    12: 'cape', 13: 'glasses sunglasses', 14: 'hat', 16: 'tie', 17: 'gloves', 18: 'watch', 19: 'belt',
    21: 'stockings tights', 22: 'socks', 23: 'boots clogs flats heels loafers pumps sandals shoes sneakers wedges',
    24: 'bag purse wallet', 25: 'scarf',
}  # fmt: skip
_LEFT_OUT = {
    'background': 'null',
    'a mixture (jewellery, hair clips, phones): no one category': 'accessories',
    'underwear: no category': 'bra intimate panties',
    'jewellery: no category': 'bracelet earrings necklace ring',
    'body: no category': 'hair skin',
    'swimwear: no category': 'swimwear',
}
_REASONS = {
    'blazer': 'the competition has no blazer; a lapelled jacket',
    'bodysuit': 'most of the photos show a one-piece with legs: playsuits and jumpsuits',
    'hoodie': 'a hooded sweatshirt',
    'jumper': 'British for sweater, and so the photos show',
    'leggings': 'opaque and worn as trousers; Fashionpedia lists leggings as a kind of pants',
    'romper': 'a jumpsuit with short legs',
    'suit': 'the label covers the jacket only; the trousers have their own',
}
# CCP label -> category id, or None for a label left out; and why, where the name alone does not say.
LABELS: dict[str, tuple[int | None, str]] = dict(
    sorted(
        [(label, (None, reason)) for reason, labels in _LEFT_OUT.items() for label in labels.split()]
        + [(label, (one, _REASONS.get(label, ''))) for one, labels in _LABELS_OF.items() for label in labels.split()]
    )
)

MULTI_INSTANCE = frozenset({17, 22, 23, 24})  # glove, sock, shoe, bag: one instance per connected component
MIN_AREA_PX = 50  # smaller components are annotation specks


class TrainRow(NamedTuple):
    """One line of train.csv."""

    image_id: str
    encoded_pixels: str
    height: int
    width: int
    class_id: str


def category_lookup(names: list[str], source: str = 'label list') -> np.ndarray:
    """Convert label names, in the order of their numbers, to category ids.

    Returns:
        (256,) int16 by label number: -1 for a label left out, -2 for a number without a name.

    Raises:
        ValueError: a name that `LABELS` does not hold; `source` is the file to name.
    """
    unknown = [name for name in names if name not in LABELS]
    if unknown:
        raise ValueError(f'{source}: labels without a category mapping: {", ".join(unknown)}')
    table = np.full(256, -2, np.int16)
    for number, name in enumerate(names):
        category = LABELS[name][0]
        table[number] = -1 if category is None else category
    return table


def split_instances(mask: np.ndarray, multi: bool) -> list[np.ndarray]:
    """Split a category's (H, W) bool mask into its instances, without 8-connected components under `MIN_AREA_PX`.

    Args:
        mask: of one category.
        multi: one instance per component instead of one in all.

    Returns:
        (H, W) bool masks, by the first pixel in column-major order (left to right); none where nothing is left.
    """
    count, components, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    kept = [index for index in range(1, count) if stats[index, cv2.CC_STAT_AREA] >= MIN_AREA_PX]
    if not kept:
        return []
    if not multi:
        return [np.isin(components, kept)]
    masks = [components == index for index in kept]
    return sorted(masks, key=lambda one: int(np.argmax(one.ravel(order='F'))))


def instances(categories: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield category id and mask of every instance of an (H, W) map of category ids, negative for none."""
    for category in np.unique(categories[categories >= 0]).tolist():
        for mask in split_instances(categories == category, category in MULTI_INSTANCE):
            yield category, mask


def _load_mat(path: Path, key: str) -> np.ndarray:
    """Read one variable of a .mat file; ValueError naming the file for whatever is wrong with it."""
    if not path.is_file():
        raise ValueError(f'{path}: no such file')
    try:
        return loadmat(path, variable_names=[key])[key]
    except KeyError:
        raise ValueError(f'{path}: holds no {key!r}') from None
    except Exception as error:  # scipy raises a dozen kinds on damaged files, zlib's and struct's among them
        raise ValueError(f'{path}: unreadable ({" ".join(str(error).split()) or type(error).__name__})') from error


def read_label_names(source: Path) -> list[str]:
    """Read the label names of a CCP folder; position = label number."""
    return [str(np.ravel(name)[0]) for name in _load_mat(source / 'label_list.mat', 'label_list').ravel()]


def read_label_map(source: Path, stem: str) -> np.ndarray:
    """Read a photo's label numbers, checked against the photo's size.

    Returns:
        (H, W) uint8.

    Raises:
        ValueError: an unreadable file, another type than uint8, or a shape other than the photo's.
    """
    path, photo = source / 'annotations' / 'pixel-level' / f'{stem}.mat', source / 'photos' / f'{stem}.jpg'
    labels = _load_mat(path, 'groundtruth')
    if labels.dtype != np.uint8:
        raise ValueError(f'{path}: groundtruth is {labels.dtype}, not uint8')
    try:
        with Image.open(photo) as image:
            width, height = image.size
    except OSError as error:
        raise ValueError(f'{photo}: unreadable ({type(error).__name__})') from error
    if labels.shape != (height, width):
        shape = ' x '.join(map(str, labels.shape))
        raise ValueError(f'{path}: label map of {shape} (H x W), but {photo.name} is {height} x {width}')
    return labels


def photo_rows(source: Path, stem: str, table: np.ndarray) -> list[TrainRow]:
    """Return the train.csv rows of one annotated photo; `table` comes from `category_lookup`."""
    labels = read_label_map(source, stem)
    categories = table[labels]  # (H, W)
    if (categories == -2).any():
        path = source / 'annotations' / 'pixel-level' / f'{stem}.mat'
        raise ValueError(f'{path}: label {int(labels[categories == -2].max())} is not in label_list.mat')
    height, width = labels.shape
    return [
        TrainRow(f'{stem}.jpg', runs_to_kaggle(mask_to_runs(mask)), height, width, str(category))
        for category, mask in instances(categories)
    ]


def list_photos(source: Path) -> tuple[list[str], list[str]]:
    """List the stems of annotated and of unannotated photos, sorted.

    Raises:
        ValueError: a folder without annotated photos, or an annotation without its photo.
    """
    photos = {path.stem for path in (source / 'photos').glob('*.jpg')}
    labelled = {path.stem for path in (source / 'annotations' / 'pixel-level').glob('*.mat')}
    if not labelled:
        raise ValueError(f'{source}: no annotations/pixel-level/*.mat; is this a CCP folder?')
    missing = sorted(labelled - photos)
    if missing:
        raise ValueError(f'{source / "photos" / missing[0]}.jpg: annotated photo is missing ({len(missing)} in all)')
    return sorted(labelled), sorted(photos - labelled)


def _convert_photo(job: tuple[str, bool], source: Path, target: Path, table: np.ndarray) -> list[TrainRow]:
    """Copy one photo and return its rows: none for a test photo."""
    stem, annotated = job
    rows = photo_rows(source, stem, table) if annotated else []
    with atomic_path(target / ('train' if annotated else 'test') / f'{stem}.jpg') as temporary:
        shutil.copyfile(source / 'photos' / f'{stem}.jpg', temporary)
    return rows


def convert_photos(source: Path, target: Path, workers: int | None = None) -> Iterator[list[TrainRow]]:
    """Copy every photo, on `workers` processes (default: all cores), and yield the rows of each in sorted order.

    Annotated photos go to `target`/train, the others to `target`/test. An older train.csv goes first, so that the
    table never describes photos of another conversion.
    """
    annotated, unannotated = list_photos(source)
    table = category_lookup(read_label_names(source), str(source / 'label_list.mat'))
    jobs = [(stem, True) for stem in annotated] + [(stem, False) for stem in unannotated]
    for folder in ('train', 'test'):
        (target / folder).mkdir(parents=True, exist_ok=True)
    (target / 'train.csv').unlink(missing_ok=True)
    work = partial(_convert_photo, source=source, target=target, table=table)
    with WorkerPool(workers) as pool:
        yield from pool.map(work, jobs)


def write_tables(target: Path, rows: list[TrainRow], test_stems: list[str]) -> None:
    """Write label_descriptions.json, sample_submission.csv and, last, train.csv."""
    write_labels(target)
    test_rows = [(f'{stem}.jpg', '1 1', 0) for stem in test_stems]
    for name, columns, lines in (
        ('sample_submission.csv', SUBMISSION_COLUMNS, test_rows),
        ('train.csv', COLUMNS, rows),
    ):
        write_text(target / name, pd.DataFrame(lines, columns=columns).to_csv(index=False, lineterminator='\n'))
