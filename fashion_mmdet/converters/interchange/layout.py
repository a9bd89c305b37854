"""Write labels into the one layout: train.csv, label_descriptions.json and, where they are at hand, the photos."""

import filecmp
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fashion_mmdet.classes import format_class_id
from fashion_mmdet.converters.interchange.intake import Labelled, Photo
from fashion_mmdet.datasets.audit import Audit
from fashion_mmdet.datasets.images import find_problem, photo_path
from fashion_mmdet.datasets.layouts import write_labels
from fashion_mmdet.datasets.records import COLUMNS
from fashion_mmdet.masks import rle_kernels
from fashion_mmdet.utils.files import atomic_path
from fashion_mmdet.utils.progress import track

TRAIN = 'train.csv'


def write_layout(target: Path, labels: Iterable[Labelled], photos: Path | None = None) -> Audit:
    """Write a data set; train.csv gets its name last, so that nothing trains on half of it.

    Args:
        target: folder to write.
        labels: objects, row by row in their order; no mask is held.
        photos: folder of the photos, which are linked into `target`/train, or copied; None for none.

    Returns:
        What is wrong with the photos; their rows are written all the same, and reading the data set drops them.

    Raises:
        ValueError: a train.csv is there already, there is no object, no photo can be used, or a photo of another
            content has its name. OSError.
    """
    path = target / TRAIN
    if path.exists():
        raise ValueError(f'{path}: is there already; delete it or choose another folder')
    found: dict[str, Photo] = {}
    with atomic_path(path) as temporary:
        with open(temporary, 'w', encoding='utf-8', newline='\n') as file:
            file.write(','.join(COLUMNS) + '\n')
            for one in labels:
                found.setdefault(one.photo.image_id, one.photo)
                file.write(_format_row(one))
        if not found:
            raise ValueError(f'{target}: no object to write')
        audit = Audit()
        if photos is not None:
            gather_photos(track(found.values(), 'photos'), photos, target / 'train', audit)
            if sum(audit.counts.values()) == len(found):
                raise ValueError(f'{photos}: none of the {len(found)} photos can be used: {audit.summary()}')
        write_labels(target)
    return audit


def _format_row(labelled: Labelled) -> str:
    """Return a line of train.csv; only the name can need quotes, for which the csv module would search all runs."""
    name, height, width = labelled.photo
    if ',' in name or '"' in name:
        name = '"' + name.replace('"', '""') + '"'
    edges = np.stack(labelled.runs, axis=1).ravel()
    codes, _ = rle_kernels.write_kaggle(edges, np.array([0, edges.size]))
    class_id = format_class_id(labelled.category, labelled.attributes)
    return f'{name},{codes.tobytes().decode("ascii")},{height},{width},{class_id}\n'


def gather_photos(wanted: Iterable[Photo], source: Path, target: Path, audit: Audit) -> None:
    """Link photos into a folder, or copy them where that cannot be; one that cannot be used goes to the audit.

    Raises:
        ValueError: another file of that name is there; nothing is overwritten.
    """
    for photo in wanted:
        path = photo_path(source, photo.image_id)
        problem = find_problem(path, photo.height, photo.width)
        if problem is not None:
            audit.add(*problem)
        else:
            _link(path, target / path.relative_to(source))


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except FileExistsError:
        if not (os.path.samefile(source, target) or filecmp.cmp(source, target, shallow=False)):
            raise ValueError(f'{target}: another file than {source}; nothing is overwritten') from None
    except OSError:  # another file system, or one without links
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
