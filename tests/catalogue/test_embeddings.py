"""Embeddings: pooled inside of masks, whitened, of length 1."""

from pathlib import Path

import numpy as np
import pytest

from fashion_mmdet.catalogue.embeddings import (
    Projection,
    colour_histogram,
    fit_pca,
    fit_projection,
    pool,
    scale_masks,
)
from tests.builders import block, encode


def test_masks_shrink_to_the_network_s_scale_and_none_is_lost():
    """8x6 to 4x3: the block of rows 2 to 5, columns 2 to 3 becomes rows 1 to 2, column 1; one pixel at (7, 5), which
    no sampled pixel hits, becomes the middle of its box: row (7 + 8) * 4 // 16 = 3, column (5 + 6) * 3 // 12 = 2."""
    one, other = block(2, 2, 4, 6, (8, 6)), block(5, 7, 6, 8, (8, 6))
    scaled = scale_masks([encode(one), encode(other)], (4, 3))
    np.testing.assert_array_equal(scaled[0], block(1, 1, 2, 3, (4, 3)))
    assert scaled[1].sum() == 1
    assert scaled[1][3, 2]
    assert scale_masks([], (4, 3)).shape == (0, 4, 3)


def test_each_level_is_averaged_by_the_share_of_a_cell_that_the_mask_covers():
    """Cells of 2x2 pixels. The mask covers all of the left cell and half of the right one: 255 and 127.5 (rounded 128
    by OpenCV), near 2 to 1. Channels hold (1, 0) left and (0, 1) right: the direction is (2, 1) / sqrt(5)."""
    mask = np.array([[[True, True, True, False], [True, True, True, False]]])
    level = np.array([[[1, 0]], [[0, 1]]], np.float32)
    found = pool([level, level], (2, 4), mask)
    np.testing.assert_allclose(found, [[2 / 5**0.5, 1 / 5**0.5] * 2], atol=2e-3)
    assert found.dtype == np.float32


def test_padding_counts_as_outside():
    """The photo is 2x2, padded to 2x4; the right cell lies in the padding."""
    level = np.array([[[1, 7]], [[0, 7]]], np.float32)
    np.testing.assert_allclose(pool([level], (2, 4), np.ones((1, 2, 2), bool)), [[1, 0]])
    assert pool([level, level], (2, 4), np.zeros((0, 2, 2), bool)).shape == (0, 4)


def test_a_histogram_counts_the_mask_s_colours_and_those_near_an_edge_twice():
    """White has L 100, beyond the last bin's edge, so a pixel below: (254, 254, 254), L 99.6, a = b = 0 at the middle
    bin's lower edge (4). Softened by 1/4, 1/2, 1/4 along each axis, the edge bin of L keeping what falls out."""
    image = np.full((2, 3, 3), 254, np.uint8)
    image[0] = 0
    mask = np.array([[False] * 3, [True] * 3])
    shares = colour_histogram(image, mask).reshape(8, 8, 8) ** 2
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(shares.sum((1, 2))[-2:], [0.25, 0.75], atol=1e-5)
    assert shares.sum((1, 2))[:6].sum() == pytest.approx(0, abs=1e-5)
    np.testing.assert_allclose(colour_histogram(image, ~mask & mask), 0)


def test_whitened_directions_have_equal_variance_and_turned_ones_their_own():
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(4000, 3)) * (10, 1, 0.1) + 5).astype(np.float32)
    for shrinkage, variances in ((0, [1, 1]), (None, [100, 1])):
        mean, matrix = fit_pca(rows, 2, shrinkage)
        spread = (rows - mean) @ matrix.T
        np.testing.assert_allclose(np.cov(spread.T), np.diag(variances), rtol=0.06, atol=0.01)


def test_an_embedding_has_length_1_and_its_parts_their_weights():
    """Weights 1 and 0.5: the parts' lengths are 1 / sqrt(1.25) and 0.5 / sqrt(1.25)."""
    projection = fit_projection(np.random.default_rng(0).random((50, 520), np.float32), 'f')
    found = projection(np.random.default_rng(1).random((4, 520), np.float32))
    assert found.dtype == np.float16
    assert found.shape == (4, projection.size)
    features = np.linalg.norm(found[:, :8].astype(float), axis=1)
    np.testing.assert_allclose(features, 1 / 1.25**0.5, atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(found.astype(float), axis=1), 1, atol=2e-3)


@pytest.mark.parametrize('count', [0, 1, 3])
def test_fewer_garments_than_dimensions_give_a_projection_all_the_same(count: int):
    projection = fit_projection(np.random.default_rng(1).random((count, 640), np.float32), 'f')
    assert (projection.size, projection.width) == (128, 640)
    assert np.isfinite(projection(np.ones((2, 640), np.float32))).all()


def test_a_projection_comes_back_from_its_file_and_is_of_one_model(tmp_path: Path):
    projection = fit_projection(np.random.default_rng(0).random((9, 520), np.float32), 'f')
    projection.save(tmp_path / 'e.safetensors')
    again = Projection.load(tmp_path / 'e.safetensors', 'f')
    assert again.digest == projection.digest
    rows = np.random.default_rng(1).random((3, 520), np.float32)
    np.testing.assert_array_equal(again(rows), projection(rows))
    with pytest.raises(ValueError, match='made for the features of model f, not of g'):
        Projection.load(tmp_path / 'e.safetensors', 'g')
    (tmp_path / 'e.safetensors').write_bytes(b'no')
    with pytest.raises(ValueError, match='holds no projection'):
        Projection.load(tmp_path / 'e.safetensors')
