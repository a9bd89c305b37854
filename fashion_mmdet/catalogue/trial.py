"""A trial of the search on photos whose garments are known: ours and what it is measured against."""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, repeat
from typing import NamedTuple

import numpy as np

from fashion_mmdet.catalogue.annotator import Task, load_cached
from fashion_mmdet.catalogue.baselines import ImageNetFeatures, colour_histogram
from fashion_mmdet.catalogue.embeddings import LEVELS, Projection, fit_whitening, pool, scale_masks
from fashion_mmdet.catalogue.known import BOTH, GALLERY, QUERY, KnownPhoto
from fashion_mmdet.catalogue.retrieval import Estimate, Labelled, estimate, retrieval_scores
from fashion_mmdet.inference.model import BATCH_SIZE

OURS, UNWHITENED = 'ours', 'ours, not whitened'
METHODS = (OURS, UNWHITENED, 'ImageNet features', 'colour histogram', 'chance')


class Described(NamedTuple):
    """Garments of known photos, a row each.

    Attributes:
        vectors: (N, D) float32 by method; those of OURS are the pooled features.
        labels: N texts.
        roles: N of QUERY, GALLERY, BOTH.
        photos: (N,) int.
    """

    vectors: dict[str, np.ndarray]
    labels: list[str]
    roles: np.ndarray
    photos: np.ndarray


def describe_photos(task: Task, photos: Sequence[KnownPhoto]) -> dict[str, np.ndarray]:
    """Describe the garments of a few photos by each method but chance, (N, D) float32 in the order of their masks."""
    model, network = load_cached(task), _imagenet()
    prepared = [model.prepare(photo.path) for photo in photos]
    found: dict[str, list[np.ndarray]] = {name: [] for name in (OURS, *METHODS[2:4])}
    for photo, one, (_, features) in zip(photos, prepared, model.infer_features(prepared), strict=True):
        height, width = one['data_samples'].metainfo['img_shape'][:2]
        image = np.ascontiguousarray(one['inputs'].numpy().transpose(1, 2, 0)[:height, :width])
        masks = scale_masks(photo.masks, (height, width))
        found[OURS].append(pool(features.levels[:LEVELS], features.size, masks))
        found[METHODS[2]].append(network(image, masks))
        found[METHODS[3]].extend(colour_histogram(image, mask)[None] for mask in masks)
    return {name: np.concatenate(parts) if parts else np.zeros((0, 512), np.float32) for name, parts in found.items()}


def describe_all(task: Task, photos: Iterable[KnownPhoto], mapper: Callable) -> Described:
    """Describe the garments of all photos, batch by batch; a photo without any is passed over."""
    kept: list[KnownPhoto] = []

    def batches() -> Iterator[list[KnownPhoto]]:
        some: list[KnownPhoto] = []
        for photo in photos:
            if photo.masks:
                kept.append(photo)
                some.append(photo)
            if len(some) == BATCH_SIZE:
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
    pooled = described.vectors[OURS]
    projection = projection or fit_whitening(pooled[searched], '')
    vectors = described.vectors | {OURS: projection(pooled), UNWHITENED: pooled}
    vectors[METHODS[-1]] = np.random.default_rng([seed, 1]).normal(size=(len(labels), 16))
    for name in METHODS:
        every = Labelled(vectors[name], labels, described.photos)
        queries, gallery = (Labelled(*(one[chosen] for one in every)) for chosen in (asks, searched))
        yield name, estimate(retrieval_scores(queries, gallery), queries.photos, np.random.default_rng(seed))


@functools.cache
def _imagenet() -> ImageNetFeatures:
    return ImageNetFeatures()
