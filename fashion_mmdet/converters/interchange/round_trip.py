"""Write a data set in each format, read it back, and compare every mask."""

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pycocotools import mask as coco_mask

from fashion_mmdet.converters.interchange.formats import READERS, WRITERS
from fashion_mmdet.converters.interchange.intake import Intake
from fashion_mmdet.converters.interchange.layout import write_layout
from fashion_mmdet.converters.interchange.yolo import DATA, IMAGES
from fashion_mmdet.datasets.index import Index
from fashion_mmdet.datasets.index_store import open_index
from fashion_mmdet.datasets.records import Instance
from fashion_mmdet.utils.files import own_tempdir
from fashion_mmdet.utils.parallel import WorkerPool

FILES = {'coco': 'labels.json', 'cvat': 'labels.xml', 'labelstudio': 'tasks.json', 'yolo': 'yolo'}


@dataclass(frozen=True)
class RoundTrip:
    """What a format kept.

    Attributes:
        kind: format.
        masks: objects written.
        identical: objects that came back with the same pixels, category and (YOLO has none) attributes.
        mean_lost, worst_lost: 1 - IoU of the mask before and after; 1 for one that did not come back.
        file_bytes: what was written.
        write_s, read_s: seconds of one core.
        peak_bytes: memory above that of the process before.
    """

    kind: str
    masks: int
    identical: int
    mean_lost: float
    worst_lost: float
    file_bytes: int
    write_s: float
    read_s: float
    peak_bytes: int


def check_formats(csv: Path) -> Iterator[RoundTrip]:
    """Check every format, each in a process of its own; a CSV like train.csv, for YOLO with its photos in train/."""
    for kind in WRITERS:
        with WorkerPool(2) as pool:  # of one process: there is one item
            yield from pool.map(check_format, [(kind, csv)])


def check_format(job: tuple[str, Path]) -> RoundTrip:
    """Take a data set through one format and back."""
    kind, csv = job
    photos = csv.parent / 'train'
    if kind == 'yolo' and not photos.is_dir():
        raise ValueError(f'{photos}: no such folder; YOLO is checked with the photos, for their sizes')
    index = open_index(csv)
    with own_tempdir(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before, start = peak_bytes(), time.process_time()
        path = folder / FILES[kind]
        WRITERS[kind](path, (index.record(position) for position in range(len(index))))
        write_s, start = time.process_time() - start, time.process_time()
        size = sum(one.stat().st_size for one in folder.rglob('*') if one.is_file())
        if kind == 'yolo':
            (path / IMAGES).mkdir()
            (path / IMAGES / 'train').symlink_to(photos.resolve())
            path /= DATA
        write_layout(folder / 'back', READERS[kind](path, Intake()))
        read_s, peak = time.process_time() - start, peak_bytes() - before
        lost, identical = compare(index, open_index(folder / 'back' / 'train.csv'), with_attributes=kind != 'yolo')
    mean = sum(lost) / max(len(lost), 1)
    return RoundTrip(kind, len(lost), identical, mean, max(lost, default=0.0), size, write_s, read_s, peak)


def peak_bytes() -> int:
    """Return the most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == 'darwin' else peak * 1024


def compare(before: Index, after: Index, with_attributes: bool) -> tuple[list[float], int]:
    """Compare the objects of two data sets in their order.

    Returns:
        1 - IoU of every object of the first, 1 where the second lacks it; and how many are the same in all.
    """
    lost, identical = [], 0
    for position in range(len(before)):
        record = before.record(position)
        others: list[Instance] = []
        if record.image_id in after:
            other = after.find(record.image_id)
            others = other.instances if (other.height, other.width) == (record.height, record.width) else []
        for number, one in enumerate(record.instances):
            if number >= len(others) or others[number].category != one.category:
                lost.append(1.0)
                continue
            same = others[number].mask == one.mask
            lost.append(0.0 if same else 1 - float(coco_mask.iou([one.mask], [others[number].mask], [0])[0, 0]))
            identical += same and (not with_attributes or others[number].attributes == one.attributes)
    return lost, identical
