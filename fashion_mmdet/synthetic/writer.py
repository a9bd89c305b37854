"""Writes a generated sample in the Kaggle layout; the same bytes whatever the number of processes."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fashion_mmdet.classes import ATTRIBUTES, CATEGORIES
from fashion_mmdet.masks.rle import mask_to_runs, runs_to_kaggle
from fashion_mmdet.synthetic.canvas import Object
from fashion_mmdet.synthetic.person import min_area_px, paint_person
from fashion_mmdet.synthetic.sizes import check_size, imaterialist_size
from fashion_mmdet.utils.files import atomic_path, write_bytes, write_text
from fashion_mmdet.utils.parallel import WorkerPool, count_cores

TRAIN_HEADER = 'ImageId,EncodedPixels,Height,Width,ClassId\n'
SUBMISSION_HEADER = 'ImageId,EncodedPixels,ClassId\n'
TABLES = ('train.csv', 'test_truth.csv', 'sample_submission.csv')
JPEG_QUALITY = 90
NAMES = {'train': 'sample_{:06d}.jpg', 'test': 'sample_test_{:06d}.jpg'}
OWN_NAME = re.compile(r'sample_(test_)?\d{6}\.jpg')


@dataclass(frozen=True)
class _Job:
    """One image to draw; all that a process needs to know."""

    root: Path
    split: str
    index: int
    seed: int
    height: int
    width: int
    sizes: str | None

    @property
    def name(self) -> str:
        return NAMES[self.split].format(self.index)


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
) -> None:
    """Draw a sample and write it in the Kaggle layout.

    An image depends on seed, split and its number only: a larger sample begins with the smaller one. An older sample in
    the folder gives way; train.csv is written last.

    Args:
        root: the folder; made where missing.
        images, test_images: how many to draw for train/ and test/.
        height, width: pixels, of every image.
        seed: 0 or more.
        sizes: 'imaterialist' draws each image's size as the competition's might be, instead of height and width.
        workers: processes; all cores where None.
        progress: show a bar.

    Raises:
        ValueError: a number out of range, or a folder that holds other data than a generated sample.
        OSError: a file could not be written; train.csv is then missing.
    """
    root = Path(root)
    check_arguments(images, test_images, height, width, seed, sizes, workers)
    _make_room(root)
    jobs = {
        split: [_Job(root, split, index, seed, height, width, sizes) for index in range(count)]
        for split, count in (('train', images), ('test', test_images))
    }
    write_text(root / 'label_descriptions.json', _label_descriptions())
    submission = ''.join(f'{job.name},1 1,0\n' for job in jobs['test'])
    write_text(root / 'sample_submission.csv', SUBMISSION_HEADER + submission)
    for split, table in (('test', 'test_truth.csv'), ('train', 'train.csv')):
        (root / split).mkdir(exist_ok=True)
        with atomic_path(root / table) as temporary, open(temporary, 'w', newline='') as file:
            file.write(TRAIN_HEADER)
            drawn = _draw_all(jobs[split], workers or count_cores())
            for rows in _track(drawn, len(jobs[split]), split, progress):
                file.write(rows)


def check_arguments(
    images: int, test_images: int, height: int, width: int, seed: int, sizes: str | None, workers: int | None
) -> None:
    """Refuse arguments that make no sense.

    Raises:
        ValueError: naming the argument and its value.
    """
    for name, value, least in (('images', images, 0), ('test images', test_images, 0), ('seed', seed, 0)):
        if value < least:
            raise ValueError(f'{name} {value}: {least} or more, please')
    if workers is not None and workers < 1:
        raise ValueError(f'workers {workers}: 1 or more, please')
    if sizes not in (None, 'imaterialist'):
        raise ValueError(f'sizes {sizes!r}: imaterialist or nothing, please')
    check_size(height, width)


def encode_rows(name: str, height: int, width: int, objects: Iterator[Object]) -> str:
    """Write one image's objects as lines of train.csv."""
    lines = []
    for item in objects:
        class_id = '_'.join(map(str, (item.category, *item.attributes)))
        columns = np.flatnonzero(item.mask.any(axis=0))
        starts, ends = mask_to_runs(item.mask[:, columns[0] : columns[-1] + 1])  # whole columns: an offset, no more
        offset = int(columns[0]) * height
        lines.append(f'{name},{runs_to_kaggle((starts + offset, ends + offset))},{height},{width},{class_id}\n')
    return ''.join(lines)


def _draw_one(job: _Job) -> str:
    """Draw and write one image; returns its lines of the table."""
    key = [job.seed, int(job.split == 'test'), job.index]
    height, width = job.height, job.width
    if job.sizes:
        height, width = imaterialist_size(np.random.default_rng([*key, 1]))
    canvas = paint_person(height, width, np.random.default_rng(key))
    bgr = cv2.cvtColor(canvas.image, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    write_bytes(job.root / job.split / job.name, jpeg.tobytes())
    return encode_rows(job.name, height, width, canvas.objects(min_area_px(height, width)))


def _draw_all(jobs: list[_Job], workers: int) -> Iterator[str]:
    """Draw all images, in several processes where that pays; yields their lines in order."""
    # A process takes as long to start as some ten images to draw.
    with WorkerPool(max(1, min(workers, len(jobs) // 8))) as pool:
        yield from pool.map(_draw_one, jobs)


def _track(rows: Iterator[str], total: int, split: str, progress: bool) -> Iterator[str]:
    if not progress or not total:
        return rows
    from rich.progress import track

    return iter(track(rows, f'drawing {split}', total=total))


def _make_room(root: Path) -> None:
    """Remove an older sample; refuse a folder with other data in it.

    Raises:
        ValueError: naming the first file that no sample has.
    """
    old = [path for split in NAMES for path in sorted((root / split).glob('*.jpg'))]
    strange = [path for path in old if not OWN_NAME.fullmatch(path.name)]
    tables = [root / table for table in TABLES if (root / table).exists()]
    for table in tables:
        with open(table) as file:
            strange += [table for line in [*file.readlines(2000)[1:2]] if not OWN_NAME.match(line)]
    if strange:
        raise ValueError(f'{strange[0]} is not from a generated sample: choose another folder')
    for path in [*tables, *old]:
        path.unlink()


def _label_descriptions() -> str:
    """Write the classes as the competition's label_descriptions.json does."""
    groups = {'categories': CATEGORIES, 'attributes': ATTRIBUTES}
    content = {key: [{'id': index, 'name': name} for index, name in enumerate(names)] for key, names in groups.items()}
    return json.dumps(content, indent=1) + '\n'
