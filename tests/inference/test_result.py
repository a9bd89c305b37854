"""What can be made of a result: COCO, JSON, polygons, cut-outs, pictures."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashion_mmdet.classes import ATTRIBUTES
from fashion_mmdet.inference import Garment, Result
from fashion_mmdet.inference.result import make_result
from tests.builders import block, encode, make_prediction

SIZE = (40, 30)
RING = block(5, 10, 20, 30, SIZE) & ~block(10, 15, 12, 18, SIZE)  # 15 * 20 - 2 * 3 = 294 pixels


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(1).integers(1, 256, (*SIZE, 3), np.uint8)


@pytest.fixture
def result(photo: np.ndarray) -> Result:
    """A jacket with a hole and two attributes, a shoe of one pixel in the corner."""
    return make_result(make_prediction('a.jpg', (4, encode(RING), 10, 2), (23, (29, 39, 30, 40)), size=SIZE), photo)


def test_a_garment_has_name_box_area_and_attributes(result: Result):
    jacket, shoe = result.garments
    assert jacket == Garment(
        category='jacket',
        category_id=4,
        score=pytest.approx(0.9),
        box=(5, 10, 20, 30),
        mask=encode(RING),
        attributes=(ATTRIBUTES[10], ATTRIBUTES[2]),
        attribute_ids=(10, 2),
        area=294,
    )
    assert (shoe.category, shoe.box, shoe.area, shoe.attributes) == ('shoe', (29, 39, 30, 40), 1, ())
    assert repr(result) == "Result('a.jpg', 40x30: jacket 0.90, shoe 0.50)"


def test_coco_annotations_are_no_crowds_and_have_boxes_as_x_y_width_height(result: Result):
    first, second = result.to_coco(image_id=7, first_id=3)
    assert (first['id'], first['image_id'], first['category_id'], first['bbox']) == (3, 7, 4, [5, 10, 15, 20])
    assert (first['iscrowd'], first['area'], first['segmentation']) == (0, 294, encode(RING))
    assert (second['id'], second['bbox'], second['attribute_ids']) == (4, [29, 39, 1, 1], [])
    json.dumps([first, second])


def test_json_holds_everything_but_the_photo(result: Result):
    found = json.loads(json.dumps(result.to_json()))
    assert (found['image_id'], found['height'], found['width']) == ('a.jpg', 40, 30)
    assert found['garments'][0]['mask'] == encode(RING)
    assert [Garment(**one).category for one in found['garments']] == ['jacket', 'shoe']


def test_polygons_stand_in_the_photo_and_keep_holes(result: Result):
    ((ring,), (pixel,)) = result.polygons()
    assert {tuple(corner) for corner in ring.outer.tolist()} == {(5, 10), (20, 10), (20, 30), (5, 30)}
    assert {tuple(corner) for corner in ring.holes[0].tolist()} == {(10, 15), (12, 15), (12, 18), (10, 18)}
    assert {tuple(corner) for corner in pixel.outer.tolist()} == {(29, 39), (30, 39), (30, 40), (29, 40)}
    assert pixel.holes == []


def test_a_cutout_has_the_photo_s_own_pixels_inside_and_nothing_outside(result: Result, photo: np.ndarray):
    cutout, inside = result.cutout(0), RING[10:30, 5:20]
    assert (cutout.shape, cutout.dtype) == ((20, 15, 4), np.uint8)
    np.testing.assert_array_equal(cutout[..., 3], inside * 255)
    np.testing.assert_array_equal(cutout[inside, :3], photo[10:30, 5:20][inside])
    assert not cutout[~inside].any()
    assert result.cutout(1).tolist() == [[[*photo[39, 29].tolist(), 255]]]


def test_pixels_come_from_the_file_when_they_are_asked_for(result: Result, photo: np.ndarray, tmp_path: Path):
    Image.fromarray(photo).save(tmp_path / 'a.png')
    lazy = Result('a.png', *SIZE, result.garments, tmp_path / 'a.png')
    np.testing.assert_array_equal(lazy.photo, photo)
    Image.fromarray(photo[:-1]).save(tmp_path / 'a.png')
    with pytest.raises(ValueError, match=r'a\.png: the photo has changed: it was 40x30'):
        lazy.cutout(0)


def test_without_the_photo_there_is_no_picture(result: Result):
    bare = Result('a.jpg', *SIZE, result.garments)
    assert bare.photo is None
    for make in (bare.draw, lambda: bare.cutout(0)):
        with pytest.raises(ValueError, match=r'a\.jpg: the result was made without the photo'):
            make()


@pytest.mark.parametrize(
    ('height', 'asked', 'drawn'), [(40, None, 720), (1000, None, 1000), (3000, None, 1440), (40, 90, 90)]
)
def test_a_picture_is_as_high_as_the_photo_within_reason(height: int, asked: int | None, drawn: int):
    blank = np.zeros((height, height // 2, 3), np.uint8)
    assert Result('a.jpg', height, height // 2, [], blank).draw(asked).shape == (drawn, drawn // 2, 3)


def test_a_photo_without_garments_has_empty_everything(photo: np.ndarray):
    empty = make_result(make_prediction('a.jpg', size=SIZE), photo)
    assert (empty.garments, empty.to_coco(), empty.polygons(), empty.to_json()['garments']) == ([], [], [], [])
    assert repr(empty) == "Result('a.jpg', 40x30: nothing)"
