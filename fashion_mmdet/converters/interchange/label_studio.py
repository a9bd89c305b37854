"""Label Studio's JSON: a list of tasks, an object a brush region, its attributes choices of that region.

Source: labelstud.io/guide, "Export annotations" and "Import pre-annotations". Truth goes into `annotations`,
predictions with their scores into `predictions`.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from xml.sax.saxutils import quoteattr

import numpy as np

from fashion_mmdet.classes import ATTRIBUTES, CATEGORIES, PALETTE
from fashion_mmdet.converters.interchange import brush_rle
from fashion_mmdet.converters.interchange.intake import Intake, Labelled, Photo, check_photo
from fashion_mmdet.converters.interchange.json_stream import read_members
from fashion_mmdet.converters.interchange.naming import attribute_names, file_name, hex_colour
from fashion_mmdet.converters.interchange.polygons import polygons_to_runs
from fashion_mmdet.datasets.records import Record
from fashion_mmdet.masks.rle import coco_to_runs
from fashion_mmdet.masks.transform import Runs
from fashion_mmdet.utils.files import atomic_path, write_text
from fashion_mmdet.utils.json_files import COUNT, OBJECT, TEXT, check_fields, list_of

UPLOAD_PREFIX = re.compile('^[0-9a-f]{8}-')  # Label Studio puts it before the name of an uploaded photo
LOCAL_FILES = '/data/local-files/?d='  # how Label Studio names files of a local storage
REGION = {
    'id': TEXT, 'type': TEXT, 'value': OBJECT, 'original_width': COUNT, 'original_height': COUNT,
    'value.rle': list_of(COUNT),
}  # fmt: skip
TASK = {'data': OBJECT, 'data.image': TEXT, 'data.image_id': TEXT, 'annotations': list_of(OBJECT)}


def write_label_studio(path: str | os.PathLike, records: Iterable[Record], photos: str = LOCAL_FILES) -> int:
    """Write tasks to import into a project, and beside them FILE.config.xml, the project's labelling interface.

    Args:
        path: JSON to write.
        records: images with objects; where these have scores, they are predictions.
        photos: what comes before a photo's file name in its address.

    Returns:
        The number of regions.
    """
    regions = 0
    write_text(Path(path).with_suffix('.config.xml'), _labelling_config())
    with atomic_path(path) as temporary, open(temporary, 'w', encoding='utf-8') as file:
        file.write('[')
        for number, record in enumerate(records):
            file.write((',\n' if number else '\n') + json.dumps(_task(record, photos), separators=(',', ':')))
            regions += len(record.instances)
        file.write('\n]\n')
    return regions


def _task(record: Record, photos: str) -> dict:
    results = [result for number in range(len(record.instances)) for result in _results(record, number)]
    scores = [instance.score for instance in record.instances if instance.score is not None]
    name = file_name(record.image_id)
    task = {'data': {'image': photos + quote(name), 'image_id': name}}
    if scores:
        return {**task, 'predictions': [{'model_version': 'fashion_mmdet', 'score': max(scores), 'result': results}]}
    return {**task, 'annotations': [{'result': results}]}


def _results(record: Record, number: int) -> Iterator[dict]:
    """Yield an object's brush region and, where it has attributes, their choices under the same id."""
    instance = record.instances[number]
    common = dict(
        id=f'object{number}',
        to_name='image',
        original_width=record.width,
        original_height=record.height,
        image_rotation=0,
    )
    rle = brush_rle.encode(coco_to_runs(instance.mask), record.height, record.width)
    value = dict(format='rle', rle=rle, brushlabels=[CATEGORIES[instance.category]])
    score = {} if instance.score is None else {'score': round(instance.score, 6)}
    yield dict(common, from_name='label', type='brushlabels', value=value, **score)
    if instance.attributes:
        choices = dict(choices=attribute_names(instance.attributes))
        yield dict(common, from_name='attributes', type='choices', value=choices)


def _labelling_config() -> str:
    labels = '\n'.join(
        f'    <Label value={quoteattr(name)} background="{hex_colour(colour)}"/>'
        for name, colour in zip(CATEGORIES, PALETTE, strict=True)
    )
    choices = '\n'.join(f'    <Choice value={quoteattr(name)}/>' for name in ATTRIBUTES)
    return (
        '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
        f'  <BrushLabels name="label" toName="image">\n{labels}\n  </BrushLabels>\n'
        '  <Choices name="attributes" toName="image" choice="multiple" perRegion="true">\n'
        f'{choices}\n  </Choices>\n</View>\n'
    )


def read_label_studio(path: str | os.PathLike, intake: Intake) -> Iterator[Labelled]:
    """Yield the brush and polygon regions of exported tasks (JSON, not JSON-MIN), holding one task.

    Of several annotations of a task the last one that was not cancelled counts; where a task has no `annotations` at
    all, its last prediction. A photo's name is `data.image_id`, which `write_label_studio` writes, else the path in
    `data.image`.

    Raises:
        ValueError: not such a file, or a damaged entry; names file, task and region. OSError.
    """
    seen: set[str] = set()
    for number, (key, task) in enumerate(read_members(path), 1):
        where = f'{path}: task {number}'
        if key or not OBJECT.holds(task):
            raise ValueError(f'{where}: Label Studio exports a list of tasks; this is something else')
        check_fields(task, TASK, where, required=('data',))
        image_id = _image_id(where, task['data'])
        if image_id in seen:
            raise ValueError(f'{where}: the photo {image_id[:80]!r} comes twice')
        seen.add(image_id)
        yield from _read_regions(where, image_id, _choose_results(where, task, intake), intake)


def _image_id(where: str, data: Mapping) -> str:
    if data.get('image_id'):
        return data['image_id']
    if not data.get('image'):
        raise ValueError(f'{where}: has no data.image')
    try:
        address = urlsplit(data['image'])
    except ValueError as error:
        raise ValueError(f'{where}: data.image: {error}') from None
    if address.query.startswith('d='):
        return unquote(address.query[2:])
    name = unquote(Path(address.path).name)
    return UPLOAD_PREFIX.sub('', name) if '/data/upload/' in address.path else name


def _choose_results(where: str, task: Mapping, intake: Intake) -> list[Any]:
    kind = 'annotations' if 'annotations' in task else 'predictions'
    if not list_of(OBJECT).holds(task.get(kind) or []):
        raise ValueError(f'{where}: {kind} is no list of objects')
    given = [one for one in task.get(kind) or [] if not one.get('was_cancelled')]
    for _ in given[:-1]:
        intake.skip(f'{kind} before the last of a task', 'all')
    results = (given[-1].get('result') or []) if given else []
    if not list_of(OBJECT).holds(results):
        raise ValueError(f'{where}: result is no list of objects')
    return results


def _read_regions(where: str, image_id: str, results: list[Mapping], intake: Intake) -> Iterator[Labelled]:
    for number, region in enumerate(results, 1):
        check_fields(region, REGION, f'{where}: result {number}', required=('type', 'value'))
    choices = [one for one in results if one['type'] == 'choices']
    attributes: dict[str | None, list[str]] = {}
    for one in choices:
        attributes.setdefault(one.get('id'), []).extend(_texts(where, one['value'], 'choices'))
    for number, region in enumerate(results, 1):
        if region['type'] == 'choices':
            continue
        here, value = f'{where}: result {number}', region['value']
        names = [name for key in ('brushlabels', 'polygonlabels', 'labels') for name in _texts(here, value, key)]
        name = names[0] if names else ''
        if not ('rle' in value or ('points' in value and region['type'].startswith('polygon'))):
            intake.skip(f'a region of type {region["type"][:40]}, no mask', name)
            continue
        category = intake.category(name)
        if category is None:
            continue
        sizes = [region.get(key) for key in ('original_height', 'original_width')]
        if None in sizes:
            raise ValueError(f'{here}: has no original_height or original_width')
        photo = check_photo(here, image_id, *sizes)
        labelled = intake.take(
            photo, name, category, attributes.get(region.get('id'), ()), _read_mask(here, value, photo)
        )
        if labelled is not None:
            yield labelled


def _read_mask(where: str, value: Mapping, photo: Photo) -> Runs:
    try:
        if 'rle' not in value:
            points = np.array(value['points'], float)
            if points.ndim != 2 or points.shape[1] != 2:
                raise ValueError('points are no pairs of numbers')
            polygon = points * [photo.width / 100, photo.height / 100]  # Label Studio counts in per cent
            return polygons_to_runs([polygon.ravel().tolist()], photo.height, photo.width)
        packed = np.array(value['rle'], np.int64)
        if packed.size and packed.max() > 255:
            raise ValueError('the rle holds numbers above 255')
        return brush_rle.decode(packed.astype(np.uint8), photo.height, photo.width)
    except (TypeError, ValueError) as error:
        raise ValueError(f'{where}: {error}') from None


def _texts(where: str, value: Mapping, key: str) -> list[str]:
    found = value.get(key) or []
    if not list_of(TEXT).holds(found):
        raise ValueError(f'{where}: {key} is no list of texts')
    return found
