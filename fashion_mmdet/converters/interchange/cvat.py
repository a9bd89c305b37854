"""CVAT for images 1.1: an XML file with masks as run lengths.

Source: docs.cvat.ai, "XML annotation format" and "Run-length encoding". A <mask> has its box (left, top, width,
height, pixels) and in `rle` the lengths of stretches off, on, off, on ... along the rows of that box.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from fashion_mmdet.classes import CATEGORIES, PALETTE
from fashion_mmdet.converters.interchange.intake import Intake, Labelled, Photo, check_photo
from fashion_mmdet.converters.interchange.naming import (
    attribute_names,
    file_name,
    hex_colour,
)
from fashion_mmdet.converters.interchange.polygons import polygons_to_runs
from fashion_mmdet.datasets.records import Instance, Record
from fashion_mmdet.masks.rle import coco_to_runs
from fashion_mmdet.masks.transform import Runs, crop, place
from fashion_mmdet.masks.transpose import counts_to_runs, runs_to_counts, transpose
from fashion_mmdet.utils.files import atomic_path, write_text

TEXT_FIELDS = ('attributes', 'score')
SEPARATOR = '; '  # no name of an attribute has a semicolon
NOT_IN_XML = re.compile('[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')
WHOLE = re.compile(r'\d{1,9}', re.ASCII)
LENGTHS = re.compile(r'\s*\d{1,10}\s*(,\s*\d{1,10}\s*)*', re.ASCII)


def write_cvat(path: str | os.PathLike, records: Iterable[Record]) -> int:
    """Write annotations to upload to a task, and beside them FILE.labels.json, the task's labels ("Raw" in CVAT).

    Attributes go into one text field of the label, names joined by '; ', a prediction's score into another.

    Returns:
        The number of masks.

    Raises:
        ValueError: an ImageId that XML cannot hold.
    """
    masks = 0
    write_text(Path(path).with_suffix('.labels.json'), json.dumps(_labels(), indent=1) + '\n')
    with atomic_path(path) as temporary, open(temporary, 'w', encoding='utf-8') as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n' + _meta())
        for number, record in enumerate(records):
            if NOT_IN_XML.search(record.image_id):
                raise ValueError(f'ImageId {record.image_id!r:.80}: XML cannot hold its characters')
            name = quoteattr(file_name(record.image_id))
            file.write(f'<image id="{number}" name={name} width="{record.width}" height="{record.height}">\n')
            file.writelines(_format_mask(instance, record.height, record.width) for instance in record.instances)
            file.write('</image>\n')
            masks += len(record.instances)
        file.write('</annotations>\n')
    return masks


def encode(runs: Runs, box: tuple[int, int, int, int], size: tuple[int, int]) -> list[int]:
    """Return the counts along the rows of the box x1, y1, x2, y2 of a mask of `size` (H, W)."""
    height, width = box[3] - box[1], box[2] - box[0]
    return runs_to_counts(transpose(crop(runs, size, box), height, width), height * width).tolist()


def decode(counts: np.ndarray, box: tuple[int, int, int, int], size: tuple[int, int]) -> Runs:
    """Return the runs of a mask of `size` (H, W) from the counts along the rows of its box x1, y1, x2, y2.

    Raises:
        ValueError: a box that does not lie in the photo, or counts that do not add up to it.
    """
    height, width = box[3] - box[1], box[2] - box[0]
    if not (0 <= box[0] < box[2] <= size[1] and 0 <= box[1] < box[3] <= size[0]):
        raise ValueError(f'the box {box} (x1, y1, x2, y2) does not lie in the photo of {size[0]}x{size[1]}')
    if counts.sum() != height * width:
        raise ValueError(f'the rle does not add up to the {height}x{width} pixels of its box')
    return place(transpose(counts_to_runs(counts), width, height), (height, width), size, box[1], box[0])


def _format_mask(instance: Instance, height: int, width: int) -> str:
    x1, y1, x2, y2 = instance.bbox
    rle = ', '.join(map(str, encode(coco_to_runs(instance.mask), instance.bbox, (height, width))))
    source = 'manual' if instance.score is None else 'auto'
    texts = (
        SEPARATOR.join(attribute_names(instance.attributes)),
        '' if instance.score is None else f'{instance.score:.4f}',
    )
    fields = ''.join(
        f'<attribute name="{name}">{escape(text)}</attribute>' for name, text in zip(TEXT_FIELDS, texts, strict=True)
    )
    return (
        f'<mask label={quoteattr(CATEGORIES[instance.category])} source="{source}" occluded="0" rle="{rle}" '
        f'left="{x1}" top="{y1}" width="{x2 - x1}" height="{y2 - y1}" z_order="0">{fields}</mask>\n'
    )


def _labels() -> list[dict]:
    fields = [dict(name=name, mutable=False, input_type='text', default_value='', values=['']) for name in TEXT_FIELDS]
    return [
        dict(name=name, color=hex_colour(colour), type='any', attributes=fields)
        for name, colour in zip(CATEGORIES, PALETTE, strict=True)
    ]


def _meta() -> str:
    fields = ''.join(
        f'<attribute><name>{name}</name><mutable>False</mutable><input_type>text</input_type>'
        '<default_value></default_value><values></values></attribute>'
        for name in TEXT_FIELDS
    )
    labels = '\n'.join(
        f'<label><name>{escape(one["name"])}</name><color>{one["color"]}</color><type>{one["type"]}</type>'
        f'<attributes>{fields}</attributes></label>'
        for one in _labels()
    )
    return f'<meta><task><mode>annotation</mode><labels>\n{labels}\n</labels></task></meta>\n'


def read_cvat(path: str | os.PathLike, intake: Intake) -> Iterator[Labelled]:
    """Yield the masks and polygons of a CVAT file in its order, holding one image; other shapes are counted.

    Raises:
        ValueError: not such a file, or a damaged entry; names file, image and shape. OSError.
    """
    root, seen = None, set()
    for event, element in _parse(path):
        if root is None:
            root = element
            if root.tag != 'annotations':
                raise ValueError(f'{path}: <{root.tag[:40]}>, but a CVAT file begins with <annotations>')
        if event == 'end' and element.tag == 'image':
            yield from _read_image(f'{path}: image {len(seen) + 1}', element, seen, intake)
            root.clear()
        elif event == 'start' and element.tag == 'track':
            raise ValueError(f'{path}: tracks of "CVAT for video"; export the task as "CVAT for images 1.1"')


def _parse(path: str | os.PathLike) -> Iterator[tuple[str, ElementTree.Element]]:
    try:
        yield from ElementTree.iterparse(path, events=('start', 'end'))
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # the latter two of a foreign encoding
        raise ValueError(f'{path}: broken XML: {error}') from None


def _read_image(where: str, element: ElementTree.Element, seen: set[str], intake: Intake) -> Iterator[Labelled]:
    name = element.get('name', '')
    photo = check_photo(where, name, _whole(where, element, 'height'), _whole(where, element, 'width'))
    if name in seen:
        raise ValueError(f'{where}: the name {name[:80]!r} comes twice')
    seen.add(name)
    for number, shape in enumerate(element, 1):
        label = shape.get('label', '')
        if shape.tag not in ('mask', 'polygon'):
            intake.skip(f'a {shape.tag}, no mask', label)
            continue
        category = intake.category(label)
        if category is None:
            continue
        here = f'{where}: {shape.tag} {number}'
        try:
            runs = _read_shape(here, shape, photo)
        except ValueError as error:
            text = str(error)
            raise ValueError(text if text.startswith(here) else f'{here}: {text}') from None
        texts = [one.text or '' for one in shape.iter('attribute') if one.get('name') == 'attributes']
        labelled = intake.take(
            photo, label, category, [name.strip() for name in ';'.join(texts).split(';') if name.strip()], runs
        )
        if labelled is not None:
            yield labelled


def _read_shape(where: str, shape: ElementTree.Element, photo: Photo) -> Runs:
    size = photo.height, photo.width
    if shape.tag == 'polygon':
        return polygons_to_runs([_read_points(shape.get('points', ''))], *size)
    left, top, width, height = (_whole(where, shape, name) for name in ('left', 'top', 'width', 'height'))
    text = shape.get('rle', '')
    if not LENGTHS.fullmatch(text):
        raise ValueError(f'rle is no list of whole numbers: {text!r:.60}')
    counts = np.array(text.split(','), np.int64)
    return decode(counts, (left, top, left + width, top + height), size)


def _read_points(text: str) -> list[float]:
    try:
        return [float(number) for point in text.split(';') for number in point.split(',')]
    except ValueError:
        raise ValueError(f'points are no numbers x,y;x,y ...: {text!r:.60}') from None


def _whole(where: str, element: ElementTree.Element, name: str) -> int:
    text = element.get(name, '')
    if not WHOLE.fullmatch(text):
        raise ValueError(f'{where}: {name} is no whole number: {text!r:.40}')
    return int(text)
