"""Write a generated sample in the Kaggle layout; the same bytes whatever the number of processes."""

import contextlib
import io
import os
import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TextIO

import cv2
import numpy as np

from fashion_mmdet.datasets.layouts import write_labels
from fashion_mmdet.masks.rle import mask_to_runs, runs_to_kaggle
from fashion_mmdet.synthetic.canvas import Object
from fashion_mmdet.synthetic.person import min_area_px, paint_person
from fashion_mmdet.synthetic.sizes import SIDE_PX, imaterialist_size
from fashion_mmdet.utils.checks import COUNT, NATURAL, check_choice, check_number
from fashion_mmdet.utils.files import atomic_path, write_bytes, write_text
from fashion_mmdet.utils.parallel import WorkerPool, count_cores
from fashion_mmdet.utils.progress import track

TRAIN_HEADER = 'ImageId,EncodedPixels,Height,Width,ClassId\n'
SUBMISSION_HEADER = 'ImageId,EncodedPixels,ClassId\n'
IDENTITY_HEADER = 'ImageId,ClassId,Identity\n'
TABLES = {'test': 'test_truth.csv', 'train': 'train.csv'}  # by split, in the order of writing
IDENTITIES = {'test': 'test_identities.csv', 'train': 'train_identities.csv'}
JPEG_QUALITY = 90
NAMES = {'train': 'sample_{:06d}.jpg', 'test': 'sample_test_{:06d}.jpg'}
OWN_NAME = re.compile(r'sample_(test_)?\d{6}\.jpg')


def make_sample(
    root: str | os.PathLike,
    images: int,
    test_images: int = 0,
    height: int = 384,
    width: int = 256,
    seed: int = 0,
    sizes: str | None = None,
    workers: int | None = None,
    progress: bool = False,
    views: int = 1,
) -> None:
    """Draw a sample and write it in the Kaggle layout.

    An image depends on seed, split and its number only: a larger sample begins with the smaller one. An older sample in
    the folder gives way; train.csv is written last.

    Args:
        root: folder to write; made where missing.
        images, test_images: how many to draw for train/ and test/.
        height, width: pixels, of every image.
        seed: 0 or more.
        sizes: 'imaterialist' draws each image's size as the competition's might be, instead of height and width.
        workers: processes; all cores where None.
        progress: show a bar.
        views: so many images in a row show the same clothes on other people, in other poses and light. With 2 or more,
            IDENTITIES beside the tables say what is the same: a line for every row of the table, in its order; sleeves,
            pockets and other parts have identities of their own.

    Raises:
        ValueError: a number out of range, or a folder that holds other data than a generated sample.
        OSError: a file could not be written; train.csv is then missing.
    """
    for name, value in (('images', images), ('test_images', test_images), ('seed', seed)):
        check_number(name, value, NATURAL)
    for name, value in (('height', height), ('width', width)):
        check_number(name, value, SIDE_PX)
    check_number('workers', workers, COUNT, optional=True)
    check_number('views', views, COUNT)
    if sizes is not None:
        check_choice('sizes', sizes, ('imaterialist',))
    root = Path(root)
    _remove_old_sample(root)
    write_labels(root)
    submission = ''.join(f'{NAMES["test"].format(index)},1 1,0\n' for index in range(test_images))
    write_text(root / 'sample_submission.csv', SUBMISSION_HEADER + submission)
    draw = partial(_draw_one, root=root, seed=seed, size=None if sizes else (height, width), views=views)
    for split, count in (('test', test_images), ('train', images)):
        (root / split).mkdir(exist_ok=True)
        # A process takes as long to start as some ten images to draw.
        with (
            _identity_table(root / IDENTITIES[split] if views > 1 else None) as identities,
            atomic_path(root / TABLES[split]) as temporary,
            open(temporary, 'w', newline='') as file,
            WorkerPool(max(1, min(workers or count_cores(), count // 8))) as pool,
        ):
            drawn = pool.map(draw, [(split, index) for index in range(count)])
            file.write(TRAIN_HEADER)
            for rows, same in track(drawn, f'drawing {split}', count) if progress and count else drawn:
                file.write(rows)
                identities.write(same)


@contextlib.contextmanager
def _identity_table(path: Path | None) -> Iterator[TextIO]:
    """Open the table of identities, which has its name once the block ends; without a path nothing is kept."""
    if path is None:
        yield io.StringIO()
        return
    with atomic_path(path) as temporary, open(temporary, 'w', newline='') as file:
        file.write(IDENTITY_HEADER)
        yield file


def encode_rows(name: str, height: int, width: int, objects: Iterable[Object]) -> str:
    """Write one image's objects as lines of train.csv."""
    lines = []
    for item in objects:
        columns = np.flatnonzero(item.mask.any(axis=0))
        starts, ends = mask_to_runs(item.mask[:, columns[0] : columns[-1] + 1])  # whole columns: an offset, no more
        offset = int(columns[0]) * height
        runs = runs_to_kaggle((starts + offset, ends + offset))
        lines.append(f'{name},{runs},{height},{width},{_class_id(item)}\n')
    return ''.join(lines)


def _class_id(item: Object) -> str:
    return '_'.join(map(str, (item.category, *item.attributes)))


def _draw_one(job: tuple[str, int], root: Path, seed: int, size: tuple[int, int] | None, views: int) -> tuple[str, str]:
    """Draw and write one image of a split and number; returns its lines of the table and of the identities."""
    split, index = job
    name, key = NAMES[split].format(index), [seed, int(split == 'test'), index]
    height, width = size or imaterialist_size(np.random.default_rng([*key, 1]))
    outfit = index // views
    clothes = np.random.default_rng([*key[:2], outfit, 2]) if views > 1 else None
    canvas = paint_person(height, width, np.random.default_rng(key), clothes)
    bgr = cv2.cvtColor(canvas.image, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    write_bytes(root / split / name, jpeg.tobytes())
    same: list[str] = []

    def note(item: Object) -> Object:
        same.append(f'{name},{_class_id(item)},outfit_{outfit:06d}_{item.number:02d}\n')
        return item

    rows = encode_rows(name, height, width, map(note, canvas.objects(min_area_px(height, width))))
    return rows, ''.join(same)


def _remove_old_sample(root: Path) -> None:
    """Remove an older sample; refuse a folder with other data in it.

    Raises:
        ValueError: naming the first file that no sample has.
    """
    old = [path for split in NAMES for path in sorted((root / split).glob('*.jpg'))]
    strange = [path for path in old if not OWN_NAME.fullmatch(path.name)]
    names = (*TABLES.values(), *IDENTITIES.values(), 'sample_submission.csv')
    tables = [root / name for name in names if (root / name).exists()]
    for table in tables:
        with open(table) as file:
            strange += [table for line in file.readlines(2000)[1:2] if not OWN_NAME.match(line)]
    if strange:
        raise ValueError(f'{strange[0]} is not from a generated sample: choose another folder')
    for path in [*tables, *old]:
        path.unlink()
