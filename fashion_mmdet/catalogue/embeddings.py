"""Embeddings: what a network sees inside of a garment's mask, as a short vector; alike garments have near ones.

The levels of the feature pyramid are averaged inside of the mask, each brought to length 1 and put side by side, then
centred, projected and brought to length 1 again. The projection whitens: fitted on a sample of a catalogue, it weights
what tells its garments apart above what all photos share (PCA whitening, Jégou and Chum, ECCV 2012).
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import xxhash
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from fashion_mmdet.masks import rle
from fashion_mmdet.utils.files import atomic_path

LEVELS = 4  # strides 4 to 32; mmdet's fifth repeats every second cell of the fourth
DIMENSIONS = 128
SHRINKAGE = 0.05  # of the mean variance, added to each: directions that a small sample hardly has are not blown up


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


def to_unit(rows: np.ndarray) -> np.ndarray:
    """Bring rows to length 1; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)


@dataclass(frozen=True)
class Projection:
    """The way from pooled features to an embedding.

    Attributes:
        mean: (D,) float32.
        matrix: (d, D) float32.
        fingerprint: of the model whose features it fits.
    """

    mean: np.ndarray
    matrix: np.ndarray
    fingerprint: str

    def __call__(self, pooled: np.ndarray) -> np.ndarray:
        """Project (N, D) pooled features to (N, d) float16 of length 1."""
        return to_unit((pooled - self.mean) @ self.matrix.T).astype(np.float16)

    @property
    def size(self) -> int:
        """Dimensions of the embeddings."""
        return len(self.matrix)

    @property
    def digest(self) -> str:
        """Hash of all numbers: equal ones give equal embeddings."""
        digest = xxhash.xxh3_128(self.mean.tobytes())
        digest.update(self.matrix.tobytes())
        return digest.hexdigest()

    def save(self, path: str | os.PathLike) -> None:
        """Write it as safetensors."""
        with atomic_path(path) as temporary:
            save_file(dict(mean=self.mean, matrix=self.matrix), temporary, dict(fingerprint=self.fingerprint))

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
                found = cls(file.get_tensor('mean'), file.get_tensor('matrix'), (file.metadata() or {})['fingerprint'])
        except (SafetensorError, KeyError) as error:
            raise ValueError(f'{path}: holds no projection of embeddings ({error})') from None
        if found.matrix.shape[1:] != found.mean.shape or found.matrix.dtype != np.float32:
            raise ValueError(f'{path}: mean {found.mean.shape} and matrix {found.matrix.shape} do not fit')
        if fingerprint is not None and found.fingerprint != fingerprint:
            raise ValueError(
                f'{path}: made for the features of model {found.fingerprint}, not of {fingerprint}; '
                'give the model that the catalogue was annotated with'
            )
        return found


def fit_whitening(
    pooled: np.ndarray, fingerprint: str, dimensions: int = DIMENSIONS, shrinkage: float = SHRINKAGE
) -> Projection:
    """Fit PCA whitening: centre, turn to the directions of most variance, and give each the same.

    Args:
        pooled: (N, D) features of a sample; none at all gives a projection on D's first axes.
        fingerprint: of the model that they come from.
        dimensions: to keep, at most D.
        shrinkage: share of the mean variance that is added to each direction's.
    """
    count, width = pooled.shape
    mean = pooled.mean(axis=0, dtype=np.float64) if count else np.zeros(width)
    centred = pooled - mean
    covariance = centred.T @ centred / max(count, 1)
    variance, directions = np.linalg.eigh(covariance)  # ascending
    order = np.argsort(-variance, kind='stable')[: min(dimensions, width)]
    floor = shrinkage * max(float(np.trace(covariance)) / width, 1e-6)  # lengths are 1: as good as none
    kept = directions[:, order].T
    kept *= np.sign(kept[np.arange(len(kept)), np.abs(kept).argmax(axis=1)])[:, None]  # eigh's signs are arbitrary
    matrix = kept / np.sqrt(np.maximum(variance[order], 0) + floor)[:, None]
    return Projection(mean.astype(np.float32), np.ascontiguousarray(matrix, np.float32), fingerprint)
