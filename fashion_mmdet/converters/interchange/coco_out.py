"""Write COCO's JSON, in Fashionpedia's form where objects have attributes."""

import json
import os
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import TextIO

from fashion_mmdet import __version__
from fashion_mmdet.classes import ATTRIBUTES, CATEGORIES
from fashion_mmdet.converters.interchange.naming import file_name, group_of
from fashion_mmdet.datasets.records import Record
from fashion_mmdet.masks.rle import area, coco_to_runs
from fashion_mmdet.utils.files import atomic_path


def write_coco(path: str | os.PathLike, records: Iterable[Record]) -> int:
    """Write images and objects; masks as compressed RLE with `iscrowd` 0, which alone keeps every pixel.

    Category and attribute ids are the competition's and Fashionpedia's, from 0. Predicted objects have a `score`.
    Annotations come first in the file, so that only a line per image is held in memory.

    Returns:
        The number of objects.
    """
    images, objects = [], 0
    with atomic_path(path) as temporary, open(temporary, 'w', encoding='utf-8') as file:
        file.write('{\n"info": ' + json.dumps(_info()))
        file.write(',\n"licenses": ' + json.dumps([{'id': 1, 'name': 'unknown', 'url': ''}]))
        file.write(',\n"categories": ' + json.dumps(_categories()))
        file.write(',\n"attributes": ' + json.dumps([dict(id=one, name=name) for one, name in enumerate(ATTRIBUTES)]))
        file.write(',\n"annotations": [')
        for image_id, record in enumerate(records, 1):
            images.append(
                dict(
                    id=image_id,
                    file_name=file_name(record.image_id),
                    height=record.height,
                    width=record.width,
                    license=1,
                )
            )
            for entry in _annotations(record, image_id, objects + 1):
                _write_item(file, entry, first=objects == 0)
                objects += 1
        file.write('\n],\n"images": [')
        for position, image in enumerate(images):
            _write_item(file, image, first=position == 0)
        file.write('\n]\n}\n')
    return objects


def _annotations(record: Record, image_id: int, first_id: int) -> Iterator[dict]:
    for annotation_id, instance in enumerate(record.instances, first_id):
        x1, y1, x2, y2 = instance.bbox
        entry = dict(
            id=annotation_id,
            image_id=image_id,
            category_id=instance.category,
            segmentation=instance.mask,
            area=area(coco_to_runs(instance.mask)),
            bbox=[x1, y1, x2 - x1, y2 - y1],
            iscrowd=0,
            attribute_ids=list(instance.attributes),
        )
        yield entry if instance.score is None else {**entry, 'score': round(instance.score, 6)}


def _write_item(file: TextIO, item: dict, first: bool) -> None:
    file.write(('\n' if first else ',\n') + json.dumps(item))


def _info() -> dict:
    now = datetime.now(timezone.utc)
    return dict(
        description='Clothing in the categories and attributes of iMaterialist (Fashion) 2019',
        version=__version__,
        year=now.year,
        contributor='fashion_mmdet',
        url='',
        date_created=now.strftime('%Y/%m/%d'),
    )


def _categories() -> list[dict]:
    return [dict(id=one, name=name, supercategory=group_of(one)) for one, name in enumerate(CATEGORIES)]
