"""Labels go into other tools' formats and come back."""

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import builders
import cv2
import numpy as np
import pytest
import yaml
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.converters import ccp
from fashion_mmdet.converters.interchange import brush_rle, cvat, json_stream, polygons, round_trip
from fashion_mmdet.converters.interchange.formats import READERS, WRITERS
from fashion_mmdet.converters.interchange.intake import Intake, read_name_map
from fashion_mmdet.converters.interchange.layout import write_layout
from fashion_mmdet.converters.interchange.round_trip import FILES, check_format, compare
from fashion_mmdet.converters.interchange.yolo_polygons import mask_to_polygon, polygon_to_mask
from fashion_mmdet.datasets.index import Index
from fashion_mmdet.datasets.index_store import open_index
from fashion_mmdet.datasets.records import Record
from fashion_mmdet.masks.rle import coco_to_runs, kaggle_to_runs, mask_to_runs, runs_to_kaggle, runs_to_mask
from fashion_mmdet.masks.transpose import transpose
from fashion_mmdet.utils.parallel import WorkerPool
from tests.conftest import find_ccp, run_here
from tools import convert as tool

REAL = find_ccp()
EXACT = ('coco', 'cvat', 'labelstudio')
SIZE = (9, 14)


def ring() -> np.ndarray:
    """Draw a square with a hole in which another square lies."""
    mask = builders.block(1, 1, 8, 8, SIZE)
    mask[2:7, 2:7] = False
    mask[4:6, 4:6] = True
    return mask


def parts() -> np.ndarray:
    """Draw three parts, two of which touch at a corner only."""
    return (
        builders.block(0, 0, 3, 2, SIZE) | builders.block(3, 2, 5, 5, SIZE) | builders.block(10, 6, 14, 9, SIZE)
    )  # fmt: skip


MASKS = {
    'ring': ring(),
    'parts': parts(),
    'first pixel': builders.block(0, 0, 1, 1, SIZE),
    'last pixel': builders.block(13, 8, 14, 9, SIZE),
    'full frame': np.ones(SIZE, bool),
    'row': builders.block(0, 4, 14, 5, SIZE),
    'column': builders.block(6, 0, 7, 9, SIZE),
    'chequers': np.indices(SIZE).sum(axis=0) % 2 == 0,
}


def write_masks(folder: Path, masks: dict[str, np.ndarray], class_ids: tuple[str, ...] = ('10_3_20', '23')) -> Path:
    """Write a train.csv and photos; a photo holds the masks of one size."""
    rows = []
    for number, mask in enumerate(masks.values()):
        name = f'{mask.shape[0]}x{mask.shape[1]}.png'
        (folder / 'train').mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / 'train' / name), np.zeros((*mask.shape, 3), np.uint8))
        runs = runs_to_kaggle(mask_to_runs(mask))
        rows.append(f'{name},{runs},{mask.shape[0]},{mask.shape[1]},{class_ids[number % len(class_ids)]}')
    return builders.write_csv(folder, *rows)


def records_of(index: Index) -> Iterator[Record]:
    return (index.record(position) for position in range(len(index)))


def back_again(kind: str, csv: Path, folder: Path, intake: Intake | None = None) -> Index:
    """Write a data set in a format, read it, and index what came back."""
    path = folder / FILES[kind]
    WRITERS[kind](path, records_of(open_index(csv)))
    write_layout(folder / 'back', READERS[kind](path, intake or Intake()))
    return open_index(folder / 'back' / 'train.csv')


# Round trips.


@pytest.mark.parametrize('kind', EXACT)
def test_masks_with_holes_parts_one_pixel_and_full_frame_come_back_to_the_pixel(kind: str, tmp_path: Path):
    index = open_index(write_masks(tmp_path, MASKS))
    after = back_again(kind, tmp_path / 'train.csv', tmp_path)
    assert list(records_of(after)) == list(records_of(index))
    assert after.record(0).instances[0].attributes == (3, 20)


@pytest.mark.parametrize('kind', EXACT)
def test_any_masks_come_back_to_the_pixel(kind: str, tmp_path: Path):
    rng = np.random.default_rng(7)
    drawn = {}
    for number in range(40):
        height, width = builders.random_side(rng), builders.random_side(rng)
        mask = builders.random_mask(rng, height, width)
        mask[rng.integers(height), rng.integers(width)] = True  # none is empty
        drawn[str(number)] = mask
    index = open_index(write_masks(tmp_path, drawn))
    after = back_again(kind, tmp_path / 'train.csv', tmp_path)
    assert list(records_of(after)) == list(records_of(index))


@pytest.mark.skipif(not REAL.is_dir(), reason=f'no CCP folder at {REAL} (FASHION_CCP)')
def test_ccp_comes_back_and_yolo_loses_little(tmp_path: Path):
    """20 photos spread over the data set; a polygon's bridges between the parts of a mask are all that YOLO loses."""
    stems = ccp.list_photos(REAL)[0]
    table = ccp.category_lookup(ccp.read_label_names(REAL))
    rows = [row for stem in stems[:: len(stems) // 20] for row in ccp.photo_rows(REAL, stem, table)]
    builders.write_csv(tmp_path, *(','.join(map(str, row)) for row in rows))
    (tmp_path / 'train').symlink_to(REAL / 'photos')
    for kind in FILES:
        found = check_format((kind, tmp_path / 'train.csv'))
        assert found.masks == len(rows) > 80
        assert found.mean_lost < 0.01
        if kind in EXACT:
            assert (found.identical, found.worst_lost) == (len(rows), 0)


def test_a_comparison_sees_a_lost_object_another_category_and_other_pixels(tmp_path: Path):
    """Of three objects of 4 pixels one lost half, one changed its category, one is gone: lost 0.5, 1, 1."""
    before = builders.write_csv(tmp_path / 'a', 'x.jpg,1 4,3,4,1', 'x.jpg,5 4,3,4,2', 'y.jpg,1 4,3,4,3')
    after = builders.write_csv(tmp_path / 'b', 'x.jpg,1 2,3,4,1', 'x.jpg,5 4,3,4,9')
    assert compare(open_index(before), open_index(after), True) == ([0.5, 1.0, 1.0], 0)


def test_attributes_count_where_the_format_has_them(tmp_path: Path):
    before = builders.write_csv(tmp_path / 'a', 'x.jpg,1 4,3,4,1_5')
    after = builders.write_csv(tmp_path / 'b', 'x.jpg,1 4,3,4,1')
    assert compare(open_index(before), open_index(after), True) == ([0.0], 0)
    assert compare(open_index(before), open_index(after), False) == ([0.0], 1)


def test_rows_of_a_mask_are_columns_of_its_transpose():
    rng = np.random.default_rng(1)
    for _ in range(60):
        mask = builders.random_mask(rng, builders.random_side(rng), builders.random_side(rng))
        turned = transpose(mask_to_runs(mask), *mask.shape)
        np.testing.assert_array_equal(turned, mask_to_runs(mask.T))


# COCO.


def coco_file(folder: Path, *annotations: dict, **changes) -> Path:
    """Write a COCO file of one photo of 9x14 with two categories and two attributes, one of them ours."""
    content = dict(
        images=[dict(id=7, file_name='a.jpg', height=9, width=14)],
        categories=[dict(id=1, name='dress'), dict(id=2, name='spaceship')],
        attributes=[dict(id=5, name='midi'), dict(id=6, name='glows')],
        annotations=[{'id': number, 'image_id': 7, **one} for number, one in enumerate(annotations)],
    )
    path = folder / 'coco.json'
    path.write_text(json.dumps({**content, **changes}))
    return path


def dress(segmentation: object, **more) -> dict:
    return dict(category_id=1, segmentation=segmentation, **more)


def read_masks(path: Path, intake: Intake | None = None) -> list[np.ndarray]:
    return [runs_to_mask(one.runs, *SIZE) for one in READERS['coco'](path, intake or Intake())]


@pytest.mark.parametrize('as_list', [False, True])
def test_compressed_and_uncompressed_rle_and_a_list_of_rles_are_read(tmp_path: Path, as_list: bool):
    """3 x 2 pixels from row 1, column 0: 1 off, 2 on, 7 off (9 a column), 2 on, 7 off, 2 on and the rest."""
    mask = builders.block(0, 1, 3, 3, SIZE)
    uncompressed = dict(size=list(SIZE), counts=[1, 2, 7, 2, 7, 2, 9 * 14 - 21])
    both = [builders.encode(mask), uncompressed]
    path = coco_file(tmp_path, *(dress([one] if as_list else one) for one in both))
    np.testing.assert_array_equal(read_masks(path), [mask, mask])


def test_polygons_of_an_object_are_united_as_pycocotools_does_even_where_one_lies_in_another(tmp_path: Path):
    drawn = [[1, 1, 12, 1, 12, 8, 1, 8], [3, 3, 6, 3, 6.5, 6.2], [-2, -2, 3, -1, 2, 4]]
    path = coco_file(tmp_path, dress(drawn), dress([*drawn, [1, 1, 2, 2]]))
    wanted = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(drawn, *SIZE))).astype(bool)
    assert wanted[3:6, 3:6].all()
    np.testing.assert_array_equal(read_masks(path), [wanted, wanted])


def test_crowds_boxes_empty_masks_and_foreign_names_are_left_out_and_counted(tmp_path: Path):
    box = [[0, 0, 4, 0, 4, 4, 0, 4]]
    empty = builders.encode(np.zeros(SIZE, bool))
    path = coco_file(
        tmp_path,
        dress(box, iscrowd=1),
        dress([]),
        dress(empty),
        dress([[1, 1, 2, 2]]),
        dict(category_id=2, segmentation=box),
        dress(box, attribute_ids=[5, 6]),
    )
    intake = Intake()
    (one,) = READERS['coco'](path, intake)
    assert (one.category, one.attributes) == (CATEGORIES.index('dress'), (7,))
    assert intake.left_out == {
        ('crowd', 'dress'): 1,
        ('box without a mask', 'dress'): 1,
        ('mask without a pixel', 'dress'): 2,
        ('no such category', 'spaceship'): 1,
        ('no such attribute', 'glows'): 1,
    }
    assert len(read_masks(path, Intake(keep_crowd=True))) == 2
    report = intake.report()
    assert 'spaceship' in report
    assert 'glows' in report


def test_attribute_ids_without_a_list_of_names_are_counted(tmp_path: Path):
    intake = Intake()
    (one,) = READERS['coco'](coco_file(tmp_path, dress(ANY, attribute_ids=[5]), attributes=[]), intake)
    assert one.attributes == ()
    assert intake.left_out == {('attribute id, but the file has no list of attributes', '5'): 1}


def test_names_do_not_move_the_terminals_cursor(tmp_path: Path):
    intake = Intake()
    intake.category('a\x1b[2J\nb')
    assert 'a?[2J?b' in intake.report()


def test_an_attribute_of_a_part_is_dropped_and_counted(tmp_path: Path):
    intake = Intake()
    path = coco_file(
        tmp_path,
        dress([[0, 0, 4, 0, 4, 4]], attribute_ids=[5]),
        categories=[dict(id=1, name='sleeve')],
    )
    (one,) = READERS['coco'](path, intake)
    assert one.attributes == ()
    assert intake.left_out == {('attribute of no main garment', 'midi'): 1}


ANY = [[0, 0, 4, 0, 4, 4]]


@pytest.mark.parametrize(
    ('annotation', 'message'),
    [
        (dress(dict(size=[14, 9], counts=[126])), r'annotation 1 \(id 0\): segmentation: a mask of \[14, 9\] for a'),
        (dress(dict(size=[9, 14], counts=[1, 2])), 'do not add up'),
        (dress(dict(size=[9, 14], counts=[1, -2, 127])), 'counts is no text or list of whole numbers'),
        (dress(dict(size=[9, 14], counts='\u00e9')), 'annotation 1'),
        (dress(dict(size=[9, 14], counts='~~~~')), 'annotation 1'),
        (dress(dict(size=[9, 14])), 'has no counts'),
        (dress(dict(size=['9', 14], counts=[126])), 'size is no list of 2 times whole number'),
        (dress('mask'), 'an object is wanted'),
        (dress([[0, 0, 4, 0, 4]]), 'must be a list of numbers'),
        (dress([['0', 0, 4, 0, 4, 4]]), 'must be a list of numbers'),
        (dress([[0, [0], 4, 0, 4, 4]]), 'annotation 1'),
        (dress([[0, 0, 4e9, 0, 4, 4]]), 'reaches far out of the photo'),
        (dict(category_id=3, segmentation=ANY), 'no category has the id 3'),
        (dict(category_id=-1, segmentation=ANY), 'category_id is no whole number or text'),
        (dress(ANY, image_id=8), 'no image has the id 8'),
        (dress(ANY, image_id=None), 'has no image_id'),
        (dress(ANY, attribute_ids=[99]), 'no attribute has the id 99'),
        (dress(ANY, attribute_ids='5'), 'attribute_ids is no list'),
        (dress(ANY, iscrowd='no'), 'iscrowd is no 0 or 1'),
    ],
)
def test_a_damaged_annotation_is_refused_in_one_line_with_file_and_record(tmp_path: Path, annotation: dict, message):
    path = coco_file(tmp_path, annotation)
    with pytest.raises(ValueError, match=message) as error:
        list(READERS['coco'](path, Intake()))
    assert str(error.value).startswith(f'{path}: annotation 1')
    assert len(str(error.value).splitlines()) == 1


def test_polygons_with_endless_edges_are_refused(tmp_path: Path, monkeypatch):
    """The triangle has edges of 4 px each by the longer of both axes, 12 in all; twice 24."""
    monkeypatch.setattr(polygons, 'MOST_EDGE_PX', 23)
    assert len(read_masks(coco_file(tmp_path, dress(ANY)))) == 1
    with pytest.raises(ValueError, match=r'annotation 1 .* 24 px of edges, more than 23'):
        read_masks(coco_file(tmp_path, dress(ANY * 2)))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            dict(images=[dict(id=7, file_name='../a.jpg', height=9, width=14)]),
            r"images 1: file name '../a.jpg' does not",
        ),
        (dict(images=[dict(id=7, file_name='/etc/a.jpg', height=9, width=14)]), 'does not name a photo inside'),
        (dict(images=[dict(id=7, file_name='a\ud800', height=9, width=14)]), 'does not name a photo inside'),
        (dict(images=[dict(id=7, file_name='a.jpg', height='9', width=14)]), 'height is no whole number'),
        (dict(images=[dict(id=7, file_name='a.jpg', height=9, width=2**30)]), 'cannot be'),
        (dict(images=[dict(id=7, file_name='a.jpg', height=9)]), 'has no width'),
        (dict(images=[dict(id=7, file_name='a.jpg', height=9, width=14)] * 2), 'images 2: the id 7 comes twice'),
        (
            dict(images=[dict(id=one, file_name='a.jpg', height=9, width=14) for one in (7, 8)]),
            "images 2: the file_name 'a.jpg' comes twice",
        ),
        (dict(images=[]), 'has no images'),
        (dict(images={'id': 7}), 'images 1: has no file_name'),
        (dict(categories=[]), 'has no categories'),
        (dict(categories=[dict(id=1, name='dress')] * 2), 'categories 2: the id 1 comes twice'),
        (dict(annotations=[[]]), 'annotation 1: an object is wanted'),
        (dict(annotations=[dict(id=1, image_id=7, category_id=2)] * 2), r'annotation 2 \(id 1\): the id comes twice'),
    ],
)
def test_a_damaged_list_is_refused_in_one_line_with_file_and_record(tmp_path: Path, changes: dict, message: str):
    path = coco_file(tmp_path, **changes)
    with pytest.raises(ValueError, match=message) as error:
        list(READERS['coco'](path, Intake()))
    assert str(error.value).startswith(str(path))
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize('kind', EXACT)
@pytest.mark.parametrize('content', [b'', b'{', b'[{]', b'{"images": [NaN]}', b'\xff\xfe', b'<a><b></a>', b'[' * 9999])
def test_a_file_that_is_not_of_the_format_is_refused_in_one_line(tmp_path: Path, kind: str, content: bytes):
    path = tmp_path / 'labels'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='labels: ') as error:
        list(READERS[kind](path, Intake()))
    assert len(str(error.value).splitlines()) == 1


def test_mmdet_and_pycocotools_load_what_is_written(tmp_path: Path):
    from mmcv.transforms import LoadImageFromFile
    from mmdet.datasets import CocoDataset
    from mmdet.datasets.transforms import LoadAnnotations

    write_masks(tmp_path, MASKS)
    path = tmp_path / 'labels.json'
    assert WRITERS['coco'](path, records_of(open_index(tmp_path / 'train.csv'))) == len(MASKS)
    dataset = CocoDataset(
        ann_file=str(path), data_prefix=dict(img=str(tmp_path / 'train')), metainfo=dict(classes=CATEGORIES)
    )
    loaded = LoadAnnotations(with_mask=True)(LoadImageFromFile()(dataset[0]))
    np.testing.assert_array_equal(loaded['gt_masks'].masks, np.array(list(MASKS.values()), np.uint8))
    np.testing.assert_array_equal(loaded['gt_bboxes_labels'], [10, 23] * 4)
    coco = COCO(str(path))
    for annotation, mask in zip(coco.loadAnns(coco.getAnnIds()), MASKS.values(), strict=True):
        np.testing.assert_array_equal(coco.annToMask(annotation), mask)
        assert (annotation['area'], annotation['iscrowd']) == (mask.sum(), 0)
        assert annotation['bbox'] == coco_mask.toBbox(annotation['segmentation']).tolist()
    assert {'info', 'licenses', 'images', 'annotations', 'categories'} <= set(coco.dataset)


def test_fiftyone_imports_the_coco_file(tmp_path: Path):
    fiftyone = pytest.importorskip('fiftyone', reason='FiftyOne is not installed')
    write_masks(tmp_path, MASKS)
    path = tmp_path / 'labels.json'
    WRITERS['coco'](path, records_of(open_index(tmp_path / 'train.csv')))
    dataset = fiftyone.Dataset.from_dir(
        dataset_type=fiftyone.types.COCODetectionDataset,
        data_path=str(tmp_path / 'train'),
        labels_path=str(path),
        label_types='segmentations',
    )
    found = dataset.first().segmentations.detections
    assert [int(one.mask.sum()) for one in found] == [int(mask.sum()) for mask in MASKS.values()]


# Streams of JSON.


@pytest.mark.parametrize('chunk', [1, 2, 7, 1 << 20])
def test_json_is_the_same_wherever_it_is_cut(tmp_path: Path, monkeypatch, chunk: int):
    monkeypatch.setattr(json_stream, 'CHUNK', chunk)
    path = tmp_path / 'a.json'
    content = {'a': [1, {'b': [1.5e3, None]}, 'x\u00e9\n"', []], 'n': 123456789, 'o': {'p': [True]}, 'e': [], 't': 'y'}
    path.write_text(json.dumps(content, indent=1))
    wanted = [('a', one) for one in content['a']] + [(key, content[key]) for key in 'not']
    assert list(json_stream.read_members(path)) == wanted
    path.write_text(json.dumps(content['a']))
    assert list(json_stream.read_members(path)) == [('', one) for one in content['a']]


@pytest.mark.parametrize(
    'text', ['{"a": [1 2]}', '{"a" 1}', '{1: 2}', '[1, 2', '{} {}', '[1,]', 'nul', '3', '[1e400x]']
)
def test_broken_json_is_refused(tmp_path: Path, text: str):
    path = tmp_path / 'a.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=r'a\.json: broken JSON'):
        list(json_stream.read_members(path))


# CVAT.


def test_cvat_counts_go_along_the_rows_of_the_box():
    """An L in a box of 2 x 3 (H x W): rows 100 and 111. Off 0, on 1, off 2, on 3. The box begins at column 4, row 1."""
    mask = np.zeros(SIZE, bool)
    mask[1, 4] = mask[2, 4:7] = True
    box = 4, 1, 7, 3
    counts = cvat.encode(mask_to_runs(mask), box, SIZE)
    assert counts == [0, 1, 2, 3]
    np.testing.assert_array_equal(runs_to_mask(cvat.decode(np.array(counts), box, SIZE), *SIZE), mask)


def test_cvat_counts_that_end_off_add_up_to_the_box():
    """Rows 11 and 10 of a box of 2 x 2: off 0, on 3, off 1; CVAT writes the last stretch too."""
    mask = np.zeros(SIZE, bool)
    mask[0, :2] = mask[1, 0] = True
    assert cvat.encode(mask_to_runs(mask), (0, 0, 2, 2), SIZE) == [0, 3, 1]


CVAT = '<annotations><image id="0" name="{name}" width="{width}" height="9">{shapes}</image></annotations>'
MASK = '<mask label="dress" rle="{rle}" left="{left}" top="0" width="2" height="2"/>'


def read_cvat(folder: Path, shapes: str, name: str = 'a.jpg', width: str = '14', intake: Intake | None = None) -> list:
    path = folder / 'labels.xml'
    path.write_text(CVAT.format(name=name, width=width, shapes=shapes))
    return list(READERS['cvat'](path, intake or Intake()))


def test_cvat_polygons_are_drawn_and_other_shapes_counted(tmp_path: Path):
    intake = Intake()
    shapes = '<polygon label="Dress" points="1,1;12.5,1;6,8"/><box label="dress" xtl="1"/><mask label="ship"/>'
    (one,) = read_cvat(tmp_path, shapes, intake=intake)
    wanted = coco_mask.decode(coco_mask.frPyObjects([[1, 1, 12.5, 1, 6, 8]], *SIZE))[:, :, 0]
    np.testing.assert_array_equal(runs_to_mask(one.runs, *SIZE), wanted)
    assert intake.left_out == {('a box, no mask', 'dress'): 1, ('no such category', 'ship'): 1}


@pytest.mark.parametrize(
    ('shapes', 'options', 'message'),
    [
        (MASK.format(rle='0, 3', left=0), {}, r'image 1: mask 1: the rle does not add up to the 2x2 pixels'),
        (MASK.format(rle='0, -4', left=0), {}, 'rle is no list of whole numbers'),
        (MASK.format(rle='0, 4x', left=0), {}, 'rle is no list of whole numbers'),
        (MASK.format(rle='0, 9999999999, 4', left=0), {}, 'does not add up'),
        (MASK.format(rle='0, 4', left=13), {}, 'does not lie in the photo'),
        (MASK.format(rle='0, 4', left=-1), {}, "left is no whole number: '-1'"),
        ('<polygon label="dress" points="1,1;nan,2;3,3"/>', {}, 'reaches far out'),
        ('<polygon label="dress" points="1,1;a,2;3,3"/>', {}, 'points are no numbers'),
        ('', dict(name='../a.jpg'), 'does not name a photo inside'),
        ('', dict(width='1e9'), "width is no whole number: '1e9'"),
        ('</image><image name="a.jpg" width="14" height="9">', {}, "image 2: the name 'a.jpg' comes twice"),
    ],
)
def test_a_damaged_cvat_file_is_refused_in_one_line(tmp_path: Path, shapes: str, options: dict, message: str):
    with pytest.raises(ValueError, match=message) as error:
        read_cvat(tmp_path, shapes, **options)
    assert str(error.value).startswith(str(tmp_path / 'labels.xml'))
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize('encoding', ['utf-7', 'utf-32', 'x', 'big5'])
def test_an_encoding_that_cannot_be_read_is_refused(tmp_path: Path, encoding: str):
    path = tmp_path / 'labels.xml'
    path.write_text(f'<?xml version="1.0" encoding="{encoding}"?><annotations/>')
    with pytest.raises(ValueError, match=r'labels\.xml: '):
        list(READERS['cvat'](path, Intake()))


def test_entities_that_grow_without_end_are_refused(tmp_path: Path):
    """Ten levels of ten references each would be 10 GB of text."""
    entities = '<!ENTITY e0 "0123456789">' + ''.join(
        f'<!ENTITY e{one} "{f"&e{one - 1};" * 10}">' for one in range(1, 10)
    )
    path = tmp_path / 'labels.xml'
    path.write_text(f'<!DOCTYPE annotations [{entities}]><annotations>&e9;</annotations>')
    with pytest.raises(ValueError, match='broken XML'):
        list(READERS['cvat'](path, Intake()))


def test_cvat_knows_the_labels_that_the_masks_use(tmp_path: Path):
    write_masks(tmp_path, MASKS)
    path = tmp_path / 'labels.xml'
    WRITERS['cvat'](path, records_of(open_index(tmp_path / 'train.csv')))
    root = ElementTree.parse(path).getroot()
    names = [one.text for one in root.iterfind('meta/task/labels/label/name')]
    assert (
        names == list(CATEGORIES) == [one['name'] for one in json.loads(path.with_suffix('.labels.json').read_text())]
    )
    assert {one.get('label') for one in root.iter('mask')} <= set(names)


# Label Studio.


def test_the_brush_packs_a_pixel_as_derived_by_hand():
    """One opaque pixel: 32 bits of 4; 00111, 0010, 0011, 0111, 1111; then 1 00 011 (4 less 1) 11111111.

    00111001 00011011 11111100 01111111 111, filled up with zeros: 57, 27, 252, 127, 224.
    """
    packed = brush_rle.encode((np.array([0]), np.array([1])), 1, 1)
    assert packed == [0, 0, 0, 4, 57, 27, 252, 127, 224]


def unpack_slowly(packed: list[int], height: int, width: int) -> np.ndarray:
    """Read the bits one by one, as the head of brush_rle.py describes them."""
    bits = ''.join(f'{one:08b}' for one in packed)
    at = 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return int(bits[at - count : at], 2)

    total, word = take(32), take(5) + 1
    sizes, values = [take(4) + 1 for _ in range(4)], []
    while len(values) < total:
        repeated = take(1)
        length = take(sizes[take(2)]) + 1
        values += [take(word)] * length if repeated else [take(word) for _ in range(length)]
    return np.array(values).reshape(height, width, 4)[:, :, 3] > 0


def test_the_brush_reads_as_its_description_says():
    """Lengths on both sides of each field's limit: 2, 4 and 64 pixels are 8, 16 and 256 bytes, 16,384 are 65,536."""
    rng = np.random.default_rng(3)
    masks = [builders.random_mask(rng, 30, 41) for _ in range(20)]
    for length in (1, 2, 3, 4, 5, 63, 64, 65, 16383, 16384, 16385, 40000):
        masks.append((np.arange(2 * 20001) < length).reshape(2, 20001))
    for mask in masks:
        packed = brush_rle.encode(mask_to_runs(mask), *mask.shape)
        np.testing.assert_array_equal(unpack_slowly(packed, *mask.shape), mask)
        back = brush_rle.decode(np.array(packed, np.uint8), *mask.shape)
        np.testing.assert_array_equal(runs_to_mask(back, *mask.shape), mask)


def test_the_brush_takes_what_other_packers_write():
    """Values one by one, of other colours: RGBA (9, 8, 7, 6) and (5, 4, 3, 0), as 8 values in one block."""
    bits = f'{8:032b}' + '00111' + '0010001101111111' + '000' + f'{7:03b}'
    bits += ''.join(f'{one:08b}' for one in (9, 8, 7, 6, 5, 4, 3, 0))
    bits += '0' * (-len(bits) % 8)
    packed = np.array([int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)], np.uint8)
    np.testing.assert_array_equal(brush_rle.decode(packed, 1, 2), ([0], [1]))


def test_label_studios_own_packer_gives_the_same():
    brush = pytest.importorskip('label_studio_sdk.converter.brush', reason='label-studio-sdk is not installed')
    rng = np.random.default_rng(4)
    for _ in range(10):
        mask = builders.random_mask(rng, 20, 31)
        ours, theirs = (
            brush_rle.encode(mask_to_runs(mask), 20, 31),
            brush.mask2rle(mask.astype(np.uint8) * 255),
        )
        assert ours == theirs[: len(ours)]
        assert theirs[len(ours) :] in ([], [0])  # it fills up a whole byte where none is open


def task(*results: dict, image: str = '/data/local-files/?d=a%20b.jpg', **more) -> dict:
    return {'data': {'image': image}, 'annotations': [{'result': list(results)}], **more}


def region(value: dict, kind: str = 'brushlabels', **more) -> dict:
    return {'id': 'r', 'type': kind, 'original_width': 14, 'original_height': 9, 'value': value, **more}


def read_tasks(folder: Path, *tasks: object, intake: Intake | None = None) -> list:
    path = folder / 'tasks.json'
    path.write_text(json.dumps(tasks))
    return list(READERS['labelstudio'](path, intake or Intake()))


def test_label_studio_polygons_attributes_and_the_last_annotation_are_read(tmp_path: Path):
    """Per cent of 14 x 9: 0, 50 and 100 are columns 0, 7, 14 and rows 0, 4.5, 9."""
    polygon = region(dict(points=[[0, 0], [100, 0], [50, 100]], polygonlabels=['dress']), 'polygonlabels')
    choices = region(dict(choices=['midi', 'glows']), 'choices')
    box = region(dict(x=1, rectanglelabels=['dress']), 'rectanglelabels')
    one = task(polygon, choices, box)
    one['annotations'] = [{'result': []}, *one['annotations'], {'was_cancelled': True, 'result': [polygon] * 3}]
    intake = Intake()
    (found,) = read_tasks(tmp_path, one, intake=intake)
    wanted = coco_mask.decode(coco_mask.frPyObjects([[0, 0, 14, 0, 7, 9]], *SIZE))[:, :, 0]
    np.testing.assert_array_equal(runs_to_mask(found.runs, *SIZE), wanted)
    assert (found.photo.image_id, found.attributes) == ('a b.jpg', (7,))
    assert intake.left_out == {
        ('annotations before the last of a task', 'all'): 1,
        ('a region of type rectanglelabels, no mask', ''): 1,
        ('no such attribute', 'glows'): 1,
    }


@pytest.mark.parametrize(
    ('address', 'image_id'),
    [
        ('/data/local-files/?d=x/a%20b.jpg', 'x/a b.jpg'),
        ('/data/upload/3/0a1b2c3d-a.jpg', 'a.jpg'),
        ('s3://bucket/x/a.jpg', 'a.jpg'),
        ('https://shop.example/0a1b2c3d-a.jpg?width=3', '0a1b2c3d-a.jpg'),
    ],
)
def test_label_studios_addresses_name_photos(tmp_path: Path, address: str, image_id: str):
    polygon = region(dict(points=[[0, 0], [100, 0], [50, 100]], polygonlabels=['dress']), 'polygonlabels')
    (found,) = read_tasks(tmp_path, task(polygon, image=address))
    assert found.photo.image_id == image_id


BRUSH = {'brushlabels': ['dress']}


@pytest.mark.parametrize(
    ('one', 'message'),
    [
        (task(region({**BRUSH, 'rle': [0, 0, 0, 4]})), 'task 1: result 1: the rle does not hold the 9x14 pixels'),
        (task(region({**BRUSH, 'rle': []})), 'does not hold'),
        (task(region({**BRUSH, 'rle': [0, 0, 1, 248, 57, 27]})), 'does not hold'),
        (task(region({**BRUSH, 'rle': [256]})), 'numbers above 255'),
        (task(region({**BRUSH, 'rle': [-1]})), 'rle is no list of whole number'),
        (task(region({**BRUSH, 'rle': 'abc'})), 'rle is no list of whole number'),
        (task(region({**BRUSH, 'rle': [1]}, original_width='14')), 'original_width is no whole number'),
        (task(region({**BRUSH, 'rle': [1]}, original_width=None)), 'has no original_height or original_width'),
        (task(region({'polygonlabels': ['dress'], 'points': [[1, 2, 3]]}, 'polygonlabels')), 'no pairs of numbers'),
        (task(region({'brushlabels': [3], 'rle': [1]})), 'brushlabels is no list of texts'),
        (task({'type': 'brushlabels'}), 'has no value'),
        (task(region({**BRUSH, 'rle': [1]}), image='?d=../x.jpg'), 'does not name a photo inside'),
        ({'annotations': []}, 'task 1: has no data'),
        ({'data': {}}, 'has no data.image'),
        ([], 'something else'),
    ],
)
def test_a_damaged_task_is_refused_in_one_line(tmp_path: Path, one: object, message: str):
    with pytest.raises(ValueError, match=message) as error:
        read_tasks(tmp_path, one)
    assert str(error.value).startswith(str(tmp_path / 'tasks.json'))
    assert len(str(error.value).splitlines()) == 1


# YOLO.


@pytest.mark.parametrize('name', [name for name in MASKS if name != 'parts'])
def test_a_polygon_keeps_a_mask_of_one_part_to_the_pixel(name: str):
    """`ring` has an island in its hole: the bridge to it costs the one pixel between them, see the next test."""
    mask = MASKS[name]
    if name == 'ring':
        mask = mask.copy()
        mask[4:6, 4:6] = False
    np.testing.assert_array_equal(polygon_to_mask(mask_to_polygon(mask), *mask.shape), mask)


def test_a_bridge_between_parts_is_all_that_is_lost():
    """Two blocks with three columns between them: the bridge is 3 pixels long."""
    mask = builders.block(0, 2, 3, 6, SIZE) | builders.block(6, 2, 9, 6, SIZE)
    drawn = polygon_to_mask(mask_to_polygon(mask), *SIZE)
    assert (mask & ~drawn).sum() == 0
    assert (drawn & ~mask).sum() == 3


def test_yolo_comes_back_with_what_its_summary_says(tmp_path: Path):
    write_masks(tmp_path, MASKS)
    index = open_index(tmp_path / 'train.csv')
    losses = WRITERS['yolo'](tmp_path / 'yolo', records_of(index))
    found = check_format(('yolo', tmp_path / 'train.csv'))
    assert losses.masks == found.masks == len(MASKS)
    assert losses.total / losses.masks == pytest.approx(found.mean_lost)
    assert losses.worst == pytest.approx(found.worst_lost)
    assert 0 < losses.worst < 0.5
    assert '9x14.png, object' in losses.summary()
    data = yaml.safe_load((tmp_path / 'yolo' / 'data.yaml').read_text())
    assert list(data['names'].values()) == list(CATEGORIES)
    lines = (tmp_path / 'yolo' / 'labels' / 'train' / '9x14.txt').read_text().splitlines()
    assert [line.split()[0] for line in lines] == ['10', '23'] * 4
    assert all(len(line.split()) >= 7 and len(line.split()) % 2 for line in lines)


def yolo_folder(folder: Path, line: str, data: str = 'train: images\nnames: [dress]') -> Path:
    """Write a data set of one photo of 9x14."""
    for name in ('images', 'labels'):
        (folder / name).mkdir()
    cv2.imwrite(str(folder / 'images' / 'a.jpg'), np.zeros((*SIZE, 3), np.uint8))
    (folder / 'labels' / 'a.txt').write_text(f'0 0.1 0.1 0.5 0.1 0.5 0.5\n{line}\n')
    (folder / 'data.yaml').write_text(data)
    return folder / 'data.yaml'


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('1 0 0 1 0 1 1', r'a\.txt:2: no class 1'),
        ('0 0 0 1 0 1', 'three points at least'),
        ('0 0 0 1 0 1 nan', 'between 0 and 1'),
        ('0 0 0 1 0 1 1.5', 'between 0 and 1'),
        ('x 0 0 1 0 1 1', 'class and numbers'),
        ('0 a 0 1 0 1 1', 'class and numbers'),
    ],
)
def test_a_damaged_yolo_line_is_refused_with_file_and_line(tmp_path: Path, line: str, message: str):
    with pytest.raises(ValueError, match=message):
        list(READERS['yolo'](yolo_folder(tmp_path, line), Intake()))


@pytest.mark.parametrize(
    'data',
    ['', '[]', 'names: [dress]', 'train: images', 'names: 3\ntrain: images', 'a: [', 'train: gone\nnames: [dress]'],
)
def test_a_damaged_data_yaml_is_refused(tmp_path: Path, data: str):
    with pytest.raises(ValueError, match=r'data\.yaml: '):
        list(READERS['yolo'](yolo_folder(tmp_path, '', data), Intake()))


def test_yolo_boxes_are_counted_and_a_broken_photo_named(tmp_path: Path):
    intake = Intake()
    path = yolo_folder(tmp_path, '0 0.5 0.5 0.2 0.2')
    assert len(list(READERS['yolo'](path, intake))) == 1
    assert intake.left_out == {('box without a mask', 'dress'): 1}
    photo = tmp_path / 'images' / 'a.jpg'
    photo.write_bytes(photo.read_bytes()[:200])
    with pytest.raises(ValueError, match=r'a\.jpg'):
        list(READERS['yolo'](path, intake))


def test_two_photos_with_one_label_file_are_refused(tmp_path: Path):
    csv = builders.write_csv(tmp_path, 'a.jpg,1 4,9,14,1', 'a.png,1 4,9,14,1')
    with pytest.raises(ValueError, match=r'a\.png: YOLO cannot tell it from a\.jpg'):
        WRITERS['yolo'](tmp_path / 'yolo', records_of(open_index(csv)))


# The map of names.


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('a.csv', 'frock,dress\n"hat, cap",Hat\nspaceship,\n'),
        ('a.yaml', 'frock: dress\n"hat, cap": hat\nspaceship:\n'),
        ('a.json', '{"frock": "dress", "hat, cap": "hat", "spaceship": ""}'),
    ],
)
def test_a_map_names_categories_or_drops_them(tmp_path: Path, name: str, content: str):
    (tmp_path / name).write_text(content)
    names = read_name_map(tmp_path / name)
    assert names == {'frock': 10, 'hat, cap': 14, 'spaceship': None}
    intake = Intake({**names, 'dress': None})
    assert [intake.category(one) for one in ('frock', 'spaceship', 'dress', 'Shoe', 'blouse', 'ufo')] == [
        10,
        None,
        None,
        23,
        0,
        None,
    ]
    assert intake.left_out == {
        ('category dropped by the map', 'spaceship'): 1,
        ('category dropped by the map', 'dress'): 1,
        ('no such category', 'ufo'): 1,
    }


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.csv', 'frock,gown\n', "'frock': no category 'gown'; one of shirt, blouse; top"),
        ('a.csv', 'frock,dress,x\n', 'every line must be'),
        ('a.csv', 'frock,dress\nfrock,hat\n', "'frock' comes twice"),
        ('a.yaml', '- frock\n', 'an object'),
        ('a.yaml', 'no: dress\n', 'both must be text'),
        ('a.yaml', 'a: [', 'no map of names'),
        ('a.json', '{', 'no map of names'),
    ],
)
def test_a_damaged_map_is_refused(tmp_path: Path, name: str, content: str, message: str):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        read_name_map(tmp_path / name)


# The tool.


def photo(folder: Path, name: str, size: tuple[int, int] = SIZE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / name), np.full((*size, 3), 99, np.uint8))
    return folder


def run(*arguments) -> str:
    result = run_here(tool.main, *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


def fail(*arguments) -> str:
    result = run_here(tool.main, *arguments)
    assert result.returncode == 2
    assert result.stderr.count('\n') == 1
    return result.stderr


def test_coco_becomes_a_data_set_with_photos_linked(tmp_path: Path):
    photos = photo(tmp_path / 'photos', 'a.jpg')
    (tmp_path / 'map.csv').write_text('spaceship,\n')
    path = coco_file(tmp_path, dress(ANY, attribute_ids=[5, 6]), dict(category_id=2, segmentation=ANY))
    said = run(path, tmp_path / 'data', '--photos', photos, '--map', tmp_path / 'map.csv')
    assert 'category dropped by the map  spaceship' in said
    (row,) = (tmp_path / 'data' / 'train.csv').read_text().splitlines()[1:]
    assert row.startswith('a.jpg,')
    assert row.endswith(',9,14,10_7')
    assert (tmp_path / 'data' / 'train' / 'a.jpg').samefile(photos / 'a.jpg')
    assert 'train.csv: is there already' in fail(path, tmp_path / 'data')


def test_photos_that_cannot_be_used_are_reported_and_none_is_overwritten(tmp_path: Path):
    photos = photo(tmp_path / 'photos', 'a.jpg')
    photo(photos, 'b.jpg', (5, 5))
    names = ('a.jpg', 'b.jpg', 'c.jpg')
    path = coco_file(
        tmp_path,
        *(dress(ANY, image_id=number) for number in range(3)),
        images=[dict(id=number, file_name=name, height=9, width=14) for number, name in enumerate(names)],
    )
    said = run(path, tmp_path / 'data', '--photos', photos)
    assert 'size_mismatch: 1' in said
    assert 'missing_file: 1' in said
    other = tmp_path / 'other'
    photo(other / 'train', 'a.jpg', (9, 15))
    before = (other / 'train' / 'a.jpg').read_bytes()
    assert 'nothing is overwritten' in fail(path, other, '--photos', photos)
    assert (other / 'train' / 'a.jpg').read_bytes() == before
    assert not (other / 'train.csv').exists()
    assert 'none of the 3 photos can be used' in fail(path, tmp_path / 'third', '--photos', tmp_path)


def test_a_dump_becomes_scored_predictions_in_every_format(tmp_path: Path):
    dump = builders.write_dump(
        tmp_path / 'val.parquet',
        [
            builders.make_raw('a.jpg', (10, 0.9, (2, 1, 9, 8)), (23, 0.4, (0, 0, 3, 3)), size=SIZE),
            builders.make_raw('b.jpg', size=(5, 6)),
        ],
    )
    assert '1 masks' in run(dump, tmp_path / 'a.json', '--to', 'coco')
    run(dump, tmp_path / 'low.json', '--to', 'coco', '--options', 'score_thr=0.3')
    content = json.loads((tmp_path / 'low.json').read_text())
    assert [image['file_name'] for image in content['images']] == ['a.jpg', 'b.jpg']
    assert [one['score'] for one in content['annotations']] == pytest.approx([0.9, 0.4])
    assert content['annotations'][0]['bbox'] == [2, 1, 7, 7]
    run(dump, tmp_path / 'tasks.json', '--to', 'labelstudio')
    first, second = json.loads((tmp_path / 'tasks.json').read_text())
    assert first['predictions'][0]['result'][0]['score'] == pytest.approx(0.9)
    assert second['annotations'] == [{'result': []}]
    run(dump, tmp_path / 'a.xml', '--to', 'cvat')
    assert 'name="score">0.9000<' in (tmp_path / 'a.xml').read_text()
    for name in ('a.json', 'tasks.json', 'a.xml'):
        run(tmp_path / name, tmp_path / f'back_{name}')
        (record,) = records_of(open_index(tmp_path / f'back_{name}' / 'train.csv'))
        np.testing.assert_array_equal(
            coco_mask.decode(record.instances[0].mask), builders.block(2, 1, 9, 8, SIZE).astype(np.uint8)
        )


def test_one_foreign_format_becomes_another(tmp_path: Path):
    said = run(coco_file(tmp_path, dress(ANY, attribute_ids=[5])), tmp_path / 'a.xml', '--to', 'cvat')
    assert 'dress' in said
    (one,) = READERS['cvat'](tmp_path / 'a.xml', Intake())
    assert (one.category, one.attributes) == (10, (7,))


def test_the_csv_of_2020_becomes_that_of_2019(tmp_path: Path):
    """2020 numbers `midi`, 2019's 7, anew, and leaves `.jpg` out."""
    header = 'ImageId,EncodedPixels,Height,Width,ClassId,AttributesIds'
    source = builders.write_csv(tmp_path / 'in', 'a,1 4,9,14,10,"118,200"', header=header)
    (tmp_path / 'in' / 'label_descriptions.json').write_text(
        json.dumps({'attributes': [{'id': 118, 'name': 'midi'}, {'id': 200, 'name': 'glows'}]})
    )
    photos = photo(tmp_path / 'photos', 'a.jpg')
    assert 'unknown_attribute: 1' in run(source, tmp_path / 'out', '--photos', photos)
    assert (tmp_path / 'out' / 'train.csv').read_text().splitlines()[1:] == ['a,1 4,9,14,10_7']
    assert (tmp_path / 'out' / 'train' / 'a.jpg').is_file()


def test_yolo_gets_its_photos(tmp_path: Path):
    write_masks(tmp_path, MASKS)
    said = run(tmp_path, tmp_path / 'yolo', '--to', 'yolo', '--photos', tmp_path / 'train')
    assert 'IoU lost by polygons' in said
    assert (tmp_path / 'yolo' / 'images' / 'train' / '9x14.png').is_file()
    run(tmp_path / 'yolo', tmp_path / 'back')
    assert len(open_index(tmp_path / 'back' / 'train.csv').categories) == len(MASKS)


def test_the_check_prints_what_every_format_keeps(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(round_trip, 'WorkerPool', lambda _: WorkerPool(1))  # no processes, which take seconds to start
    lines = run('--check', write_masks(tmp_path, MASKS)).splitlines()
    assert [line.split()[0] for line in lines] == ['format', *FILES]
    for line in lines[1:4]:
        assert line.split()[1:5] == ['8', '100.00%', '0.000000', '0.0000']


def test_what_cannot_be_converted_is_one_line(tmp_path: Path):
    (tmp_path / 'a.txt').write_text('x')
    csv = write_masks(tmp_path, MASKS)
    assert 'no such file' in fail(tmp_path / 'none.json', tmp_path / 'x')
    assert 'known are' in fail(tmp_path / 'a.txt', tmp_path / 'x')
    assert 'neither data.yaml nor train.csv' in fail(tmp_path / 'train', tmp_path / 'x')
    assert 'is one of the files to read' in fail(csv, csv, '--to', 'coco')
    assert 'holds no photos' in fail(csv, tmp_path / 'x.json', '--to', 'coco', '--photos', tmp_path)
    assert 'needed' in fail(csv)


def test_a_name_with_commas_quotes_and_markup_comes_back(tmp_path: Path):
    """The CSV quotes it, XML escapes it, Label Studio's address is percent-encoded."""
    name = 'a, "b" <&> \u00e9.jpg'
    record = Record(name, *SIZE, open_index(write_masks(tmp_path, MASKS)).record(0).instances)
    for kind in EXACT:
        path = tmp_path / kind
        WRITERS[kind](path, [record])
        write_layout(tmp_path / f'{kind}_back', READERS[kind](path, Intake()))
        (found,) = records_of(open_index(tmp_path / f'{kind}_back' / 'train.csv'))
        assert found == record


def test_a_name_that_xml_cannot_hold_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match='XML cannot hold'):
        WRITERS['cvat'](tmp_path / 'a.xml', [Record('a\x01.jpg', *SIZE, [])])
    assert not (tmp_path / 'a.xml').exists()


def test_runs_of_the_layout_are_those_of_the_source(tmp_path: Path):
    """Even a mask that ends with the photo: runs and pixels agree with pycocotools."""
    for mask in MASKS.values():
        runs = coco_to_runs(builders.encode(mask))
        np.testing.assert_array_equal(kaggle_to_runs(runs_to_kaggle(runs)), mask_to_runs(mask))
