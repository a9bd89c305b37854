"""The formats by name: which one a file is in, its reader, its writer."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from fashion_mmdet.converters.interchange.coco_in import read_coco
from fashion_mmdet.converters.interchange.coco_out import write_coco
from fashion_mmdet.converters.interchange.cvat import read_cvat, write_cvat
from fashion_mmdet.converters.interchange.intake import Intake, Labelled, Photo
from fashion_mmdet.converters.interchange.json_stream import first_character
from fashion_mmdet.converters.interchange.label_studio import read_label_studio, write_label_studio
from fashion_mmdet.converters.interchange.layout import TRAIN, gather_photos
from fashion_mmdet.converters.interchange.yolo import DATA, IMAGES, read_yolo, write_yolo
from fashion_mmdet.datasets.audit import Audit
from fashion_mmdet.datasets.records import Record
from fashion_mmdet.masks.rle import coco_to_runs

LAYOUT, DUMP = 'train', 'dump'  # the one layout; raw predictions, which only come in
KINDS = {
    '.csv': LAYOUT,
    '.parquet': DUMP,
    '.xml': 'cvat',
    '.yaml': 'yolo',
    '.yml': 'yolo',
    '.json': 'coco',
}
READERS: dict[str, Callable[[Path, Intake], Iterator[Labelled]]] = {
    'coco': read_coco,
    'cvat': read_cvat,
    'labelstudio': read_label_studio,
    'yolo': read_yolo,
}
WRITERS: dict[str, Callable[[Path, Iterable[Record]], object]] = {
    'coco': write_coco,
    'cvat': write_cvat,
    'labelstudio': write_label_studio,
    'yolo': write_yolo,
}


def find_source(path: Path) -> tuple[str, Path]:
    """Tell a source's format, and which file of a folder to read.

    Raises:
        ValueError: no such file, or none of the formats.
    """
    if path.is_dir():
        for name, kind in ((DATA, 'yolo'), (TRAIN, LAYOUT)):
            if (path / name).is_file():
                return kind, path / name
        advice = '; tools/convert_ccp.py reads CCP' if (path / 'label_list.mat').is_file() else ''
        raise ValueError(f'{path}: neither {DATA} nor {TRAIN} in this folder{advice}')
    if not path.is_file():
        raise ValueError(f'{path}: no such file')
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f'{path}: known are files that end with {", ".join(KINDS)}')
    if kind == 'coco' and first_character(path) == '[':
        kind = 'labelstudio'
    return kind, path


def to_labels(records: Iterable[Record]) -> Iterator[Labelled]:
    """Yield the objects of images one by one; scores are left behind."""
    for record in records:
        photo = Photo(record.image_id, record.height, record.width)
        for instance in record.instances:
            yield Labelled(photo, instance.category, instance.attributes, coco_to_runs(instance.mask))


def note_photos(records: Iterable[Record], photos: list[Photo]) -> Iterator[Record]:
    """Yield images as they come and append their photos to a list."""
    for record in records:
        photos.append(Photo(record.image_id, record.height, record.width))
        yield record


def link_yolo_photos(wanted: Iterable[Photo], photos: Path, target: Path) -> Audit:
    """Link photos to where `write_yolo` names them; returns what is wrong with some."""
    audit = Audit()
    gather_photos(wanted, photos, target / IMAGES / 'train', audit)
    return audit
