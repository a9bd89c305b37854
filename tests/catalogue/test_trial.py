"""The trial of the search: what is described, and every method searched with."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from fashion_mmdet.catalogue.annotator import Task
from fashion_mmdet.catalogue.baselines import SIDE, ImageNetFeatures, crop_square
from fashion_mmdet.catalogue.known import KnownPhoto
from fashion_mmdet.catalogue.trial import CHANCE, IMAGENET, OURS, Described, describe_all, run_trial
from tests.builders import block, encode

MASK = encode(block(0, 0, 2, 2, (4, 4)))


def test_garments_keep_their_labels_roles_and_photos_batch_by_batch():
    """Ten photos, of which the fourth has no garment and each other one or two: batches of 8 and 1 photos."""
    counts = [1, 2, 1, 0, 2, 1, 1, 1, 2, 1]
    photos = [
        KnownPhoto(Path(f'{n}.jpg'), [MASK] * count, [f'{n}'] * count, 'query' if n < 5 else 'gallery')
        for n, count in enumerate(counts)
    ]
    sizes = []

    def mapper(function: Callable, batches: Iterable) -> Iterator:
        for batch in batches:
            sizes.append(len(batch))
            rows = np.concatenate([np.full((len(one.masks), 1), int(one.path.stem)) for one in batch])
            yield {OURS: rows, IMAGENET: rows}

    found = describe_all(Task(), photos, mapper)
    assert sizes == [8, 1]
    assert found.labels == [str(n) for n, count in enumerate(counts) for _ in range(count)]
    assert found.vectors[OURS][:, 0].tolist() == list(map(int, found.labels))
    assert found.roles.tolist() == ['query' if int(label) < 5 else 'gallery' for label in found.labels]
    assert found.photos.tolist() == [0, 1, 1, 2, 3, 3, 4, 5, 6, 7, 7, 8]
    with pytest.raises(ValueError, match='no garment'):
        describe_all(Task(), photos[3:4], mapper)


def test_what_looks_the_same_is_found_by_all_methods_but_chance():
    """30 garments, each on two photos, with equal descriptions: every score is 1."""
    rows = np.random.default_rng(0).random((30, 520), np.float32)
    twice = np.concatenate([rows, rows])
    described = Described(
        {OURS: twice, IMAGENET: twice[:, :20]},
        [f'{n}' for n in range(30)] * 2,
        np.repeat(['query', 'gallery'], 30),
        np.arange(60),
    )
    scores = dict(run_trial(described))
    assert len(scores) == 6
    for name, found in scores.items():
        assert all(one.low <= one.mean <= one.high for one in found)
        assert (found[0].mean < 0.3) if name == CHANCE else all(one.mean == 1 for one in found)


def test_a_crop_is_the_garment_on_grey():
    """A mask of 4 x 2 pixels in its own box: 224 x 112 of the square, in the corner."""
    image = np.full((8, 8, 3), 9, np.uint8)
    crop, inside = crop_square(image, block(3, 2, 5, 6, (8, 8)))
    np.testing.assert_array_equal(inside, block(0, 0, SIDE // 2, SIDE, (SIDE, SIDE)))
    assert (crop[inside] == 9).all()
    assert (crop[~inside] == 127).all()


def test_imagenet_features_see_the_garment_alone():
    network, rng = ImageNetFeatures(), np.random.default_rng(0)
    one, other = rng.integers(0, 256, (2, 40, 30, 3), np.uint8)
    mask = block(5, 5, 20, 30, (40, 30))
    other[mask] = one[mask]
    first, second = network(one, mask[None]), network(other, mask[None])
    np.testing.assert_allclose(first, second, atol=1e-6)
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    assert network(one, np.zeros((0, 40, 30), bool)).shape == (0, 320)
