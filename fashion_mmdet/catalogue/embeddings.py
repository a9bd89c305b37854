"""Embeddings: what a network sees inside of a garment's mask, as a short vector; alike garments have near ones.

Two parts make it. Features: the levels of the feature pyramid are averaged inside of the mask, each brought to length 1
and put side by side. Colours, which training for categories teaches a network to overlook: a soft CIELAB histogram. A
projection, fitted on a sample of a catalogue, centres and shortens both (PCA), brings each part to its weight, and all
to length 1. Whitening the features (Jégou and Chum, ECCV 2012) found no more of the same garments and fewer of the same
category: README, "Catalogue and search".
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import xxhash
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from scipy.ndimage import convolve1d

from fashion_mmdet.masks import rle
from fashion_mmdet.utils.files import atomic_path

LEVELS = 4  # strides 4 to 32; mmdet's fifth repeats every second cell of the fourth
BINS, RANGES = (8, 8, 8), (0, 100, -80, 80, -80, 80)  # of L, a, b
COLOUR_BINS = 512
SOFTEN = (0.25, 0.5, 0.25)  # a colour near a bin's edge counts for its neighbour too, along each axis
FEATURE_DIMENSIONS, COLOUR_DIMENSIONS = 96, 32
# Of 0, 0.3, 0.5 and 0.8: more colour finds more of the same garments up to 0.5, and ever fewer of the same category.
COLOUR_WEIGHT = 0.5


def scale_masks(masks: Sequence[dict], size: tuple[int, int]) -> np.ndarray:
    """Bring masks to the network's scale; one that is too small for a pixel there takes the one in its box's middle.

    Args:
        masks: COCO RLE of the photo's size.
        size: height and width wanted.

    Returns:
        (N, h, w) bool.
    """
    scaled = np.zeros((len(masks), *size), bool)
    for index, mask in enumerate(masks):
        scaled[index] = rle.runs_to_mask(rle.coco_to_runs(rle.resize_coco(mask, size)), *size)
        if not scaled[index].any():
            height, width = mask['size']
            x1, y1, x2, y2 = rle.bounding_box(rle.coco_to_runs(mask), height)
            scaled[index, (y1 + y2) * size[0] // (2 * height), (x1 + x2) * size[1] // (2 * width)] = True
    return scaled


def pool(levels: Sequence[np.ndarray], padded: tuple[int, int], masks: np.ndarray) -> np.ndarray:
    """Average each level of a feature pyramid inside of each mask, a cell by the share that the mask covers of it.

    Args:
        levels: (C, h, w) float32 each, over the padded photo.
        padded: height and width of the padded photo in pixels.
        masks: (N, H, W) bool at the same scale, without the padding.

    Returns:
        (N, levels * C) float32; the part of each level has length 1, or 0 where all is 0.
    """
    if not len(masks):
        return np.zeros((0, sum(len(level) for level in levels)), np.float32)
    whole = np.zeros((len(masks), *padded), np.uint8)
    whole[:, : masks.shape[1], : masks.shape[2]] = masks * np.uint8(255)
    parts = []
    for level in levels:
        size = level.shape[:0:-1]  # w, h
        weights = np.stack([cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in whole], dtype=np.float32)
        flat = weights.reshape(len(masks), -1)
        parts.append(to_unit(flat @ level.reshape(len(level), -1).T))  # the mean's direction is that of the sum
    return np.concatenate(parts, axis=1)


def colour_histogram(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Count CIELAB colours inside of a mask.

    Args:
        image: (H, W, 3) uint8 BGR.
        mask: (H, W) bool.

    Returns:
        (512,) float32, square roots of shares: the cosine of two is the Bhattacharyya coefficient.
    """
    lab = cv2.cvtColor(np.float32(image) / 255, cv2.COLOR_BGR2LAB)
    counts = cv2.calcHist([lab], [0, 1, 2], mask.astype(np.uint8), BINS, RANGES)
    for axis in range(3):
        counts = convolve1d(counts, SOFTEN, axis, mode='nearest')
    return np.sqrt(counts.ravel() / max(float(counts.sum()), 1e-6), dtype=np.float32)


def describe_masks(
    image: np.ndarray, masks: np.ndarray, levels: Sequence[np.ndarray], padded: tuple[int, int]
) -> np.ndarray:
    """Describe garments for a `Projection`.

    Args:
        image: (H, W, 3) uint8 BGR at the network's scale.
        masks: (N, H, W) bool.
        levels, padded: as in `pool`.

    Returns:
        (N, D + 512) float32: pooled features, then colours.
    """
    features = pool(levels[:LEVELS], padded, masks)
    colours = [colour_histogram(image, mask) for mask in masks]
    return np.concatenate([features, np.reshape(np.float32(colours), (-1, COLOUR_BINS))], axis=1)


def to_unit(rows: np.ndarray) -> np.ndarray:
    """Bring rows to length 1; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)


class Part(NamedTuple):
    """A projection of some columns: (D,) mean, (d, D) matrix, float32, and the length that it gives."""

    mean: np.ndarray
    matrix: np.ndarray
    weight: float


@dataclass(frozen=True)
class Projection:
    """The way from descriptions of garments to embeddings.

    Attributes:
        parts: of the columns, in order.
        fingerprint: of the model whose features it fits.
    """

    parts: tuple[Part, ...]
    fingerprint: str

    def __call__(self, described: np.ndarray) -> np.ndarray:
        """Project (N, D) descriptions to (N, d) float16 of length 1."""
        columns = np.split(described, np.cumsum([len(part.mean) for part in self.parts])[:-1], axis=1)
        found = [
            part.weight * to_unit((some - part.mean) @ part.matrix.T)
            for part, some in zip(self.parts, columns, strict=True)
        ]
        return to_unit(np.concatenate(found, axis=1)).astype(np.float16)

    @property
    def size(self) -> int:
        """Dimensions of the embeddings."""
        return sum(len(part.matrix) for part in self.parts)

    @property
    def width(self) -> int:
        """Columns of the descriptions."""
        return sum(len(part.mean) for part in self.parts)

    @property
    def digest(self) -> str:
        """Hash of all numbers: equal ones give equal embeddings."""
        digest = xxhash.xxh3_128()
        for part in self.parts:
            digest.update(part.mean.tobytes() + part.matrix.tobytes() + np.float32(part.weight).tobytes())
        return digest.hexdigest()

    def save(self, path: str | os.PathLike) -> None:
        """Write it as safetensors."""
        tensors = {
            f'{name}_{number}': np.asarray(value, np.float32)
            for number, part in enumerate(self.parts)
            for name, value in part._asdict().items()
        }
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, dict(fingerprint=self.fingerprint, parts=str(len(self.parts))))

    @classmethod
    def load(cls, path: str | os.PathLike, fingerprint: str | None = None) -> 'Projection':
        """Read one.

        Args:
            path: file that `save` wrote.
            fingerprint: of the model whose features it must fit; None for any.

        Raises:
            OSError, ValueError: no such file, another kind of file, or for another model.
        """
        try:
            with safe_open(Path(path), 'numpy') as file:
                info = file.metadata() or {}
                parts = tuple(
                    Part(*(file.get_tensor(f'{name}_{number}') for name in Part._fields))
                    for number in range(int(info['parts']))
                )
        except (SafetensorError, KeyError, ValueError) as error:
            raise ValueError(f'{path}: holds no projection of embeddings ({error})') from None
        for part in parts:
            if part.matrix.ndim != 2 or part.matrix.shape[1:] != part.mean.shape or part.weight.shape:
                raise ValueError(f'{path}: mean {part.mean.shape} and matrix {part.matrix.shape} do not fit')
        found = cls(tuple(part._replace(weight=float(part.weight)) for part in parts), info['fingerprint'])
        if fingerprint is not None and found.fingerprint != fingerprint:
            raise ValueError(
                f'{path}: made for the features of model {found.fingerprint}, not of {fingerprint}; '
                'give the model that the catalogue was annotated with'
            )
        return found


def fit_projection(described: np.ndarray, fingerprint: str) -> Projection:
    """Fit a projection on a sample of described garments, (N, D + 512), of the model of that fingerprint."""
    features, colours = described[:, :-COLOUR_BINS], described[:, -COLOUR_BINS:]
    parts = (
        Part(*fit_pca(features, FEATURE_DIMENSIONS), 1.0),
        Part(*fit_pca(colours, COLOUR_DIMENSIONS), COLOUR_WEIGHT),
    )
    return Projection(parts, fingerprint)


def fit_pca(rows: np.ndarray, dimensions: int, shrinkage: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Find the directions of most variance.

    Args:
        rows: (N, D); none at all gives some of D's axes.
        dimensions: to keep, at most D.
        shrinkage: whiten: divide each direction by its deviation, after this share of the mean variance was added to
            each direction's. None only turns.

    Returns:
        (D,) mean and (d, D) matrix, float32.
    """
    count, width = rows.shape
    mean = rows.mean(axis=0, dtype=np.float64) if count else np.zeros(width)
    centred = rows - mean
    covariance = centred.T @ centred / max(count, 1)
    variance, directions = np.linalg.eigh(covariance)  # ascending
    order = np.argsort(-variance, kind='stable')[: min(dimensions, width)]
    matrix = directions[:, order].T
    matrix = matrix * np.sign(matrix[np.arange(len(matrix)), np.abs(matrix).argmax(axis=1)])[:, None]  # eigh's are any
    if shrinkage is not None:
        floor = shrinkage * max(float(np.trace(covariance)) / width, 1e-6)  # lengths are about 1: as good as none
        matrix = matrix / np.sqrt(np.maximum(variance[order], 0) + floor)[:, None]
    return mean.astype(np.float32), np.ascontiguousarray(matrix, np.float32)
