"""A trial of the search on photos whose garments are known: ours and what it is measured against."""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, repeat
from typing import NamedTuple

import numpy as np

from fashion_mmdet.catalogue.annotator import Task, image_of, load_cached
from fashion_mmdet.catalogue.baselines import ImageNetFeatures
from fashion_mmdet.catalogue.embeddings import (
    COLOUR_BINS,
    FEATURE_DIMENSIONS,
    Projection,
    describe_masks,
    fit_pca,
    fit_projection,
    scale_masks,
)
from fashion_mmdet.catalogue.known import BOTH, GALLERY, QUERY, KnownPhoto
from fashion_mmdet.catalogue.retrieval import Estimate, Labelled, estimate, retrieval_scores

SHRINKAGE = 0.5  # of the whitened features; from 0 to 8 they find about the same
PHOTOS_A_CALL = 8
OURS, FEATURES, WHITENED = 'ours', 'ours without colours', 'the same, whitened'
IMAGENET, COLOURS, CHANCE = 'ImageNet features', 'colour histogram', 'chance'


class Described(NamedTuple):
    """Garments of known photos, a row each.

    Attributes:
        vectors: (N, D) float32: descriptions (OURS) and IMAGENET features.
        labels: N texts.
        roles: N of QUERY, GALLERY, BOTH.
        photos: (N,) int.
    """

    vectors: dict[str, np.ndarray]
    labels: list[str]
    roles: np.ndarray
    photos: np.ndarray


def describe_photos(task: Task, photos: Sequence[KnownPhoto]) -> dict[str, np.ndarray]:
    """Describe the garments of a few photos, (N, D) float32 each: for our projection, and by ImageNet's features."""
    model, network = load_cached(task), _imagenet()
    prepared = [model.prepare(photo.path) for photo in photos]
    ours, imagenet = [], []
    for photo, one, (_, features) in zip(photos, prepared, model.infer_features(prepared), strict=True):
        image = image_of(one)
        masks = scale_masks(photo.masks, image.shape[:2])
        ours.append(describe_masks(image, masks, features.levels, features.size))
        imagenet.append(network(image, masks))
    return {OURS: np.concatenate(ours), IMAGENET: np.concatenate(imagenet)}


def describe_all(task: Task, photos: Iterable[KnownPhoto], mapper: Callable) -> Described:
    """Describe the garments of all photos, batch by batch; a photo without any is passed over."""
    kept: list[KnownPhoto] = []

    def batches() -> Iterator[list[KnownPhoto]]:
        some: list[KnownPhoto] = []
        for photo in photos:
            if photo.masks:
                kept.append(photo)
                some.append(photo)
            if len(some) == PHOTOS_A_CALL:
                yield some
                some = []
        if some:
            yield some

    parts = list(mapper(partial(describe_photos, task), batches()))
    if not parts:
        raise ValueError('no garment in any of the photos')
    return Described(
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
        list(chain.from_iterable(photo.labels for photo in kept)),
        np.array(list(chain.from_iterable(repeat(photo.role, len(photo.labels)) for photo in kept))),
        np.repeat(np.arange(len(kept)), [len(photo.labels) for photo in kept]),
    )


def run_trial(
    described: Described, seed: int = 0, projection: Projection | None = None
) -> Iterator[tuple[str, list[Estimate]]]:
    """Search with every method.

    Args:
        described: garments.
        seed: of the resamples, and of chance.
        projection: of our features; None fits one on the garments that are searched, as a catalogue does.

    Yields:
        Method and its scores (`retrieval.SCORES`).
    """
    labels = np.unique(described.labels, return_inverse=True)[1]
    asks, searched = np.isin(described.roles, (QUERY, BOTH)), np.isin(described.roles, (GALLERY, BOTH))
    ours = described.vectors[OURS]
    projection = projection or fit_projection(ours[searched], '')
    part = projection.parts[0]
    mean, matrix = fit_pca(ours[searched, :-COLOUR_BINS], FEATURE_DIMENSIONS, SHRINKAGE)
    vectors = {
        OURS: projection(ours),
        FEATURES: (ours[:, :-COLOUR_BINS] - part.mean) @ part.matrix.T,
        WHITENED: (ours[:, :-COLOUR_BINS] - mean) @ matrix.T,
        IMAGENET: described.vectors[IMAGENET],
        COLOURS: ours[:, -COLOUR_BINS:],
        CHANCE: np.random.default_rng([seed, 1]).normal(size=(len(labels), 16)),
    }
    for name, rows in vectors.items():
        every = Labelled(rows, labels, described.photos)
        queries, gallery = (Labelled(*(one[chosen] for one in every)) for chosen in (asks, searched))
        yield name, estimate(retrieval_scores(queries, gallery), queries.photos, np.random.default_rng(seed))


@functools.cache
def _imagenet() -> ImageNetFeatures:
    return ImageNetFeatures()
