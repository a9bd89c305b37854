"""Pictures: masks where they belong, names on them, any shape of photo."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashion_mmdet.classes import PALETTE
from fashion_mmdet.evaluation.overlay import GAP_PX, PANEL_HEIGHT_PX, TITLE_PX, draw_objects, save_picture, side_by_side
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from tests.builders import encode


def make_mask(height: int, width: int, rows: slice, columns: slice) -> dict:
    mask = np.zeros((height, width), bool)
    mask[rows, columns] = True
    return encode(mask)


def test_the_fill_is_the_class_colour_mixed_with_the_photo():
    """Grey 100 with 45 % of the colour, 55 % of the grey; the other half of the photo stays grey."""
    photo = np.full((PANEL_HEIGHT_PX, 600, 3), 100, np.uint8)
    mask = make_mask(PANEL_HEIGHT_PX, 600, slice(0, PANEL_HEIGHT_PX), slice(0, 300))
    panel = np.asarray(draw_objects(photo, [6], [mask]))
    np.testing.assert_allclose(panel[30, 30], [0.55 * 100 + 0.45 * value for value in PALETTE[6]], atol=1)
    assert panel[30, 500].tolist() == [100, 100, 100]


def test_masks_of_another_size_than_the_photo_are_scaled():
    """A 2x2 mask whose right column is in covers the right half of any photo."""
    photo = np.full((100, 80, 3), 100, np.uint8)
    panel = np.asarray(draw_objects(photo, [6], [make_mask(2, 2, slice(0, 2), slice(1, 2))]))
    assert panel[20, 40].tolist() == [100, 100, 100]
    assert panel[20, -40].tolist() != [100, 100, 100]


@pytest.mark.parametrize('shape', [(60, 40), (40, 333), (1500, 900)])
def test_true_and_predicted_stand_side_by_side(shape: tuple[int, int]):
    photo = np.full((*shape, 3), 100, np.uint8)
    mask = make_mask(*shape, slice(2, 30), slice(3, 20))
    truth = Truth('a.jpg', shape, np.array([0]), [mask], [()])
    sheet = side_by_side(photo, Prediction('a.jpg', shape, np.array([0]), np.array([0.9]), [mask]), truth, 0.5)
    width = round(shape[1] * PANEL_HEIGHT_PX / shape[0])
    assert sheet.size == (2 * width + 3 * GAP_PX, PANEL_HEIGHT_PX + TITLE_PX + GAP_PX)


def test_nothing_true_and_nothing_predicted_is_the_photo_twice(tmp_path: Path):
    photo = np.full((50, 30, 3), 100, np.uint8)
    empty = Prediction('a.jpg', (50, 30), np.zeros(0, int), np.zeros(0), [])
    save_picture(side_by_side(photo, empty), tmp_path / 'a.png')
    pixels = np.asarray(Image.open(tmp_path / 'a.png'))[TITLE_PX:-GAP_PX]
    assert (pixels[:, GAP_PX : GAP_PX + 400] == 100).all()
    assert [path.name for path in tmp_path.iterdir()] == ['a.png']
