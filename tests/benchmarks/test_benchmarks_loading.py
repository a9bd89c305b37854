"""The loading benchmarks at toy size: same work by all contenders, and tables that say what was measured."""

import cv2
import numpy as np
import pytest

from fashion_mmdet.benchmarks import growth, loader, masks, photos
from fashion_mmdet.masks.rle import runs_to_mask


def test_a_photo_and_its_masks_are_the_same_every_time_and_of_the_asked_size():
    data = photos.make_photo(240, 160)
    assert data == photos.make_photo(240, 160)
    assert data != photos.make_photo(240, 160, seed=1)
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (240, 160, 3)
    found = photos.make_masks(240, 160)
    assert len(found) == photos.MASKS
    assert {tuple(mask['size']) for mask in found} == {(240, 160)}


def test_ours_and_mmdets_steps_load_the_same_sample(tmp_path):
    """The same boxes and masks; the photos differ by how they are shrunk."""
    size = (240, 160)
    path = loader.write_photo(tmp_path, size)
    samples = []
    for steps in (loader.ours_steps((64, 64)), loader.stock_steps((64, 64))):
        call = loader.prepare_pipeline(path, size, steps)
        np.random.seed(0)
        samples.append(call())
    ours, theirs = (sample['data_samples'].gt_instances for sample in samples)
    np.testing.assert_array_equal(ours.masks.masks, theirs.masks.masks)
    np.testing.assert_array_equal(ours.bboxes.tensor, theirs.bboxes.tensor)
    assert samples[0]['inputs'].shape == samples[1]['inputs'].shape == (3, 64, 43)


def test_both_ways_of_scaling_masks_give_the_same_pixels():
    size, new_size = (240, 160), (48, 32)
    stack = runs_to_mask(masks.prepare_runs(size, new_size)(), 48, 32 * photos.MASKS)
    bitmaps = masks.prepare_bitmaps(size, new_size)()
    np.testing.assert_array_equal(stack, np.concatenate(list(bitmaps), axis=1))
    assert all(bitmap.any() for bitmap in bitmaps)


def test_a_slope_is_seconds_a_megapixel():
    """1 + 2 x and 3 + 0.5 x."""
    np.testing.assert_allclose(growth.fit_slopes([0, 1, 4], [[1, 3], [3, 3.5], [9, 5]]), [2, 0.5])


@pytest.mark.parametrize(
    ('module', 'options'),
    [
        (loader, dict(size=(240, 160), memory=False)),
        (masks, dict(size=(240, 160), memory=False)),
        (growth, dict(long_sides=(120, 240), images=(1, 2))),
    ],
    ids=['loader', 'masks', 'growth'],
)
def test_a_table_has_a_row_a_contender_or_size(module, options: dict):
    table, *_ = module.run(1, None, **options)
    assert len(table.rows) == {'loader': 3, 'masks': 2, 'growth': 3}[module.__name__.rpartition('.')[2]]
    assert all(len(row) == len(table.header) for row in table.rows)
