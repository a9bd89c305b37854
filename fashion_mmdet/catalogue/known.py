"""Photos whose garments are known: the same garment on other photos, or the same category; read from three layouts."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.datasets.images import photo_path, read_size
from fashion_mmdet.datasets.split import stratified_split
from fashion_mmdet.evaluation.truths import Truths
from fashion_mmdet.masks.rle import mask_to_runs, runs_to_coco

FIRST_PART = 27  # from here on categories are parts, which nobody looks for alone
QUERY, GALLERY, BOTH = 'query', 'gallery', 'both'
PARTITION, BOXES = 'list_eval_partition.txt', 'list_bbox_inshop.txt'


@dataclass(frozen=True)
class KnownPhoto:
    """A photo and its garments.

    Attributes:
        path: of the file.
        masks: COCO RLE of the photo's size.
        labels: what the garments of equal ones have in common.
        role: whether it asks, is searched, or both; a garment never finds those of its own photo.
    """

    path: Path
    masks: list[dict]
    labels: list[str]
    role: str


def read_pairs(root: Path) -> list[KnownPhoto]:
    """Read a sample of `make_sample --views`: the first photo of each outfit asks, the others are searched.

    Raises:
        OSError, ValueError: no such sample, or its two tables do not fit.
    """
    truths, table = Truths(root / 'train.csv'), root / 'train_identities.csv'
    names: dict[str, list[str]] = {}
    with open(table, newline='') as file:
        for row in csv.DictReader(file):
            names.setdefault(row['ImageId'], []).append(row['Identity'])
    found, seen = [], set()
    for image_id, identities in names.items():
        truth = truths[image_id]
        if len(truth.masks) != len(identities):
            raise ValueError(
                f'{table}: {len(identities)} identities of {image_id}, whose objects are {len(truth.masks)}'
            )
        kept = np.flatnonzero(truth.categories < FIRST_PART)
        outfit = identities[0].rsplit('_', 1)[0]
        found.append(
            KnownPhoto(
                photo_path(root / 'train', image_id),
                [truth.masks[index] for index in kept],
                [identities[index] for index in kept],
                GALLERY if outfit in seen else QUERY,
            )
        )
        seen.add(outfit)
    return found


def read_categories(root: Path, val_fraction: float | None = None, seed: int = 0) -> list[KnownPhoto]:
    """Read a data set of the Kaggle layout: each garment asks for those of its category.

    Args:
        root: folder of train.csv and train/.
        val_fraction: take only the photos that a training with this share and seed holds out; None for all.
        seed: of the split.
    """
    index = Truths(root / 'train.csv').index
    chosen = range(len(index))
    if val_fraction is not None:
        _, chosen = stratified_split(index.labels(), val_fraction, seed)
    found = []
    for position in chosen:
        record = index.record(int(position))
        kept = [one for one in record.instances if one.category < FIRST_PART]
        masks, labels = [one.mask for one in kept], [CATEGORIES[one.category] for one in kept]
        found.append(KnownPhoto(photo_path(root / 'train', record.image_id), masks, labels, BOTH))
    return found


def read_inshop(root: Path) -> Iterator[KnownPhoto]:
    """Read DeepFashion In-shop Clothes Retrieval: its query and gallery photos, the item within its box.

    Both lists may lie in `root` or in its folders Eval and Anno; the photos are `root/img` or `root/Img/img`.

    Raises:
        OSError, ValueError: a file is missing, or a line has another form.
    """
    boxes = {name: list(map(int, rest[-4:])) for name, *rest in _read_list(_find(root, BOXES, 'Anno'), 7, (3, 7))}
    lines = list(_read_list(_find(root, PARTITION, 'Eval'), 3, ()))
    photos = root if (root / 'img').is_dir() else root / 'Img'
    for name, item, status in lines:
        if status not in (QUERY, GALLERY):
            continue  # train
        if name not in boxes:
            raise ValueError(f'{root}: {BOXES} has no box of {name}')
        path = photo_path(photos, name)
        yield KnownPhoto(path, [_box_mask(boxes[name], *read_size(path))], [item], status)


def _find(root: Path, name: str, folder: str) -> Path:
    return root / name if (root / name).exists() else root / folder / name


def _read_list(path: Path, columns: int, numbers: tuple[int, ...]) -> Iterator[list[str]]:
    """Read a list of DeepFashion: the number of lines, the names of the columns, the lines.

    Args:
        path: of the file.
        columns: how many words a line has.
        numbers: first and last (exclusive) of the words that must be whole numbers; () for none.
    """
    with open(path) as file:
        count, _ = file.readline().strip(), file.readline()
        number = 0
        for number, line in enumerate(file, 1):
            words = line.split()
            if len(words) != columns or not all(
                word.lstrip('-').isdigit() for word in words[slice(*numbers or (0, 0))]
            ):
                raise ValueError(
                    f'{path}, line {number + 2}: {line.strip()[:80]!r} has not the {columns} words of the list'
                )
            yield words
    if count != str(number):
        raise ValueError(f'{path}: {number} lines, its first line says {count[:20]!r}; the file is cut off')


def _box_mask(box: list[int], height: int, width: int) -> dict:
    """Fill a box x1, y1, x2, y2, clipped to the photo; where nothing is left of it, the whole photo."""
    x1, y1, x2, y2 = box
    mask = np.zeros((height, width), bool)
    mask[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] = True
    return runs_to_coco(mask_to_runs(mask if mask.any() else ~mask), height, width)
