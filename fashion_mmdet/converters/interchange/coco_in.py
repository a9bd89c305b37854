"""COCO's JSON, Fashionpedia's with attributes among it, as labels of the one layout.

Source: cocodataset.org/#format-data; Fashionpedia (github.com/KMnP/fashionpedia-api) adds a list `attributes` and
`attribute_ids` to each annotation. The file is read twice: images and names first, then the annotations one by one.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from fashion_mmdet.converters.interchange.intake import Intake, Labelled, Photo, check_photo
from fashion_mmdet.converters.interchange.json_stream import read_members
from fashion_mmdet.converters.interchange.polygons import polygons_to_runs
from fashion_mmdet.masks.rle import coco_to_runs, unite
from fashion_mmdet.masks.transform import Runs
from fashion_mmdet.utils.json_files import COUNT, OBJECT, TEXT, Kind, check_fields, list_of

Id = int | str
ID = Kind('whole number or text', lambda value: isinstance(value, str) or COUNT.holds(value))
CROWD = Kind('0 or 1', lambda value: value in (0, 1))  # some tools write true and false
IMAGE = {'id': ID, 'file_name': TEXT, 'height': COUNT, 'width': COUNT}
NAMED = {'id': ID, 'name': TEXT}
ANNOTATION = {'image_id': ID, 'category_id': ID, 'id': ID, 'iscrowd': CROWD, 'attribute_ids': list_of(ID)}
RLE = {
    'size': list_of(COUNT, 2),
    'counts': Kind(
        'text or list of whole numbers', lambda value: isinstance(value, str) or list_of(COUNT).holds(value)
    ),
}


class Header(NamedTuple):
    """Photos, names of categories and of attributes by the file's own ids."""

    photos: dict[Id, Photo]
    categories: dict[Id, str]
    attributes: dict[Id, str]


def read_header(path: str | os.PathLike) -> Header:
    """Read everything but the annotations.

    Raises:
        ValueError: broken JSON, a missing list, a damaged entry, an id or file name given twice; names file and entry.
    """
    header, numbers, file_names = Header({}, {}, {}), dict.fromkeys(('images', 'categories', 'attributes'), 0), set()
    has_annotations = False
    for key, entry in read_members(path):
        has_annotations |= key == 'annotations'
        if key not in numbers:
            continue
        numbers[key] += 1
        fields, target = (IMAGE, header.photos) if key == 'images' else (NAMED, getattr(header, key))
        where = f'{path}: {key} {numbers[key]}'
        _check(where, entry, fields, required=fields)
        if entry['id'] in target:
            raise ValueError(f'{where}: the id {entry["id"]!r:.60} comes twice')
        if key == 'images':
            if entry['file_name'] in file_names:
                raise ValueError(f'{where}: the file_name {entry["file_name"][:80]!r} comes twice')
            file_names.add(entry['file_name'])
            target[entry['id']] = check_photo(where, entry['file_name'], entry['height'], entry['width'])
        else:
            target[entry['id']] = entry['name']
    for key, found in (('images', header.photos), ('categories', header.categories), ('annotations', has_annotations)):
        if not found:
            raise ValueError(f'{path}: has no {key}; a COCO file has images, categories and annotations')
    return header


def read_coco(path: str | os.PathLike, intake: Intake) -> Iterator[Labelled]:
    """Yield the objects of a COCO file in its order.

    Raises:
        ValueError: as `read_header`, and a damaged annotation; names file and annotation. OSError.
    """
    header, seen, number = read_header(path), set(), 0
    for key, entry in read_members(path):
        if key != 'annotations':
            continue
        number += 1
        where = f'{path}: annotation {number}'
        _check(where, entry, ANNOTATION, required=('image_id', 'category_id'))
        if 'id' in entry:
            where += f' (id {entry["id"]!r:.40})'
            if entry['id'] in seen:
                raise ValueError(f'{where}: the id comes twice')
            seen.add(entry['id'])
        labelled = _read_annotation(where, entry, header, intake)
        if labelled is not None:
            yield labelled


def _read_annotation(where: str, entry: dict, header: Header, intake: Intake) -> Labelled | None:
    photo = _find(where, header.photos, entry['image_id'], 'image')
    name = _find(where, header.categories, entry['category_id'], 'category')
    attributes = []
    for one in entry.get('attribute_ids') or ():
        if header.attributes:
            attributes.append(_find(where, header.attributes, one, 'attribute'))
        else:
            intake.skip('attribute id, but the file has no list of attributes', str(one))
    category = intake.category(name)
    if category is None:
        return None
    if entry.get('iscrowd') and not intake.keep_crowd:
        intake.skip('crowd', name)
        return None
    if not entry.get('segmentation'):
        intake.skip('box without a mask', name)
        return None
    try:
        runs = read_segmentation(entry['segmentation'], photo.height, photo.width)
    except ValueError as error:
        raise ValueError(f'{where}: segmentation: {error}') from None
    return intake.take(photo, name, category, attributes, runs)


def read_segmentation(segmentation: Any, height: int, width: int) -> Runs:
    """Convert a COCO segmentation: RLE (compressed or a list of counts), polygons, or a list of RLEs, all united.

    Raises:
        ValueError: none of these, or not of a photo of that height and width.
    """
    if isinstance(segmentation, list) and not any(isinstance(part, Mapping) for part in segmentation):
        return polygons_to_runs(segmentation, height, width)
    runs = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for part in segmentation if isinstance(segmentation, list) else [segmentation]:
        _check('RLE', part, RLE, required=RLE)
        if part['size'] != [height, width]:
            raise ValueError(f'a mask of {part["size"]} for a photo of [{height}, {width}] (height, width)')
        runs = unite(runs, coco_to_runs(part))
    return runs


def _check(where: str, entry: Any, fields: Mapping[str, Kind], required: Any) -> None:
    if not OBJECT.holds(entry):
        raise ValueError(f'{where}: an object is wanted, not {entry!r:.60}')
    check_fields(entry, fields, where, required)


def _find(where: str, table: Mapping[Id, Any], key: Id, kind: str) -> Any:
    if key not in table:
        raise ValueError(f'{where}: no {kind} has the id {key!r:.60}')
    return table[key]
