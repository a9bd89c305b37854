"""Instance masks as run lengths, for mmdet's transforms and training."""

from collections.abc import Sequence
from typing import Any

import cv2
import mmcv
import numpy as np
import torch
from mmcv.ops import roi_align
from mmdet.structures.bbox import BaseBoxes, HorizontalBoxes, get_box_type
from mmdet.structures.mask import BitmapMasks

from fashion_mmdet.masks.rle import bounding_box, mask_to_runs, stack_coco
from fashion_mmdet.masks.transform import Runs, crop, flip, join_runs, place, resize, shrink_by_cover, split_columns

MASK_INTERPOLATIONS = ('nearest', 'area')
EMPTY = (np.empty(0, np.int64), np.empty(0, np.int64))


class RLEMasks(BitmapMasks):
    """mmdet's `BitmapMasks`, kept as runs until somebody asks for the bitmap.

    Resizing, flipping, cropping, padding, indexing, areas and boxes work on the runs and give runs. `masks`, and what
    needs it (rotation, shear, translation, tensors), draws the (N, H, W) bitmap. From then on the bitmap holds the
    masks, since its owner may write into it, and every method is that of `BitmapMasks`.

    Seven masks of a photo at 512 px take some 30 KB instead of 1.2 MB, also on the way from a worker to the training.

    Args:
        runs: runs of the N masks side by side, see `fashion_mmdet.masks.transform`.
        count: number of masks, N.
        height: height of each mask in pixels.
        width: width of each mask in pixels.
    """

    def __init__(self, runs: Runs, count: int, height: int, width: int) -> None:
        self.height, self.width = int(height), int(width)
        self._runs: Runs | None = runs
        self._count = int(count)
        self._bitmap: np.ndarray | None = None

    @classmethod
    def from_coco(
        cls,
        masks: Sequence[dict],
        size: tuple[int, int],
        new_size: tuple[int, int] | None = None,
        interpolation: str = 'nearest',
    ) -> 'RLEMasks':
        """Convert COCO RLE of masks of `size` (H, W), and resize them to `new_size` where it is given.

        Raises:
            ValueError: a mask of another size, or broken counts.
        """
        runs, new_size = stack_coco(masks, *size), tuple(new_size or size)
        if interpolation == 'nearest':
            return cls(resize(runs, size, new_size, len(masks)), len(masks), *new_size)
        return cls(resize(runs, size, size, len(masks)), len(masks), *size).resize(new_size, interpolation)

    @classmethod
    def from_bitmaps(cls, masks: np.ndarray) -> 'RLEMasks':
        """Convert an (N, H, W) bitmap, 0 and non-zero."""
        count, height, width = masks.shape
        return cls(mask_to_runs(masks.transpose(1, 0, 2).reshape(height, -1)), count, height, width)

    @property
    def masks(self) -> np.ndarray:
        """The (N, H, W) uint8 bitmap of 0 and 1 (or what a float operation left); drawn when first asked for."""
        if self._bitmap is None:
            self._bitmap, self._runs = self._draw(), None
        return self._bitmap

    @masks.setter
    def masks(self, masks: np.ndarray) -> None:
        self._bitmap, self._runs = masks, None

    def _draw(self) -> np.ndarray:
        starts, ends = self._runs
        pixels = self._count * self.height * self.width
        counts = np.diff(np.concatenate([[0], np.stack([starts, ends], axis=1).ravel(), [pixels]]))
        columns = np.repeat((np.arange(counts.size) % 2).astype(np.uint8), counts)
        drawn = np.empty((self._count, self.height, self.width), np.uint8)
        for mask, out in zip(columns.reshape(self._count, self.width, self.height), drawn, strict=True):
            cv2.transpose(mask, dst=out)
        return drawn

    def __len__(self) -> int:
        """N."""
        return self._count if self._bitmap is None else len(self._bitmap)

    def __repr__(self) -> str:
        """Show number and size, as mmdet's masks do."""
        return f'{type(self).__name__}(num_masks={len(self)}, height={self.height}, width={self.width})'

    def __getitem__(self, index: Any) -> BitmapMasks:
        """Index the first axis of the bitmap; a single number gives a stack of one."""
        if self._runs is None:
            return super().__getitem__(index)
        chosen = np.arange(self._count)[index].ravel()
        if np.array_equal(chosen, np.arange(self._count)):
            return self._with(self._runs, self.height, self.width)
        parts = [self._cut(one, place_) for place_, one in enumerate(chosen.tolist())]
        return RLEMasks(_concatenate(parts), len(parts), self.height, self.width)

    def _cut(self, index: int, position: int = 0) -> Runs:
        """Return the runs of a mask as those of the `position`-th mask of a stack."""
        pixels = self.height * self.width
        low, high = index * pixels, (index + 1) * pixels
        starts, ends = self._runs
        inside = slice(np.searchsorted(ends, low, 'right'), np.searchsorted(starts, high, 'left'))
        shift = (position - index) * pixels
        return np.maximum(starts[inside], low) + shift, np.minimum(ends[inside], high) + shift

    def _with(self, runs: Runs, height: int, width: int) -> 'RLEMasks':
        return RLEMasks(runs, self._count, height, width)

    def rescale(self, scale: float | tuple[int, int], interpolation: str = 'nearest') -> BitmapMasks:
        """Resize to what fits into (w, h) at the same aspect ratio; see `mmcv.rescale_size`."""
        if self._runs is None or interpolation not in MASK_INTERPOLATIONS:
            return super().rescale(scale, interpolation)
        width, height = mmcv.rescale_size((self.width, self.height), scale)
        return self.resize((height, width), interpolation)

    def resize(self, out_shape: tuple[int, int], interpolation: str = 'nearest') -> BitmapMasks:
        """Resize to (H, W): 'nearest' as cv2.resize does, 'area' by `shrink_by_cover`, or bilinearly to a larger size.

        Other interpolations are those of mmcv, on the bitmap.
        """
        out_shape = tuple(map(int, out_shape))
        size = (self.height, self.width)
        if self._runs is None or interpolation not in MASK_INTERPOLATIONS:
            return super().resize(out_shape, interpolation)
        if interpolation == 'nearest':
            return self._with(resize(self._runs, size, out_shape, self._count), *out_shape)
        if out_shape[0] <= size[0] and out_shape[1] <= size[1]:
            return self._with(shrink_by_cover(self._runs, size, out_shape, self._count), *out_shape)
        grown = np.zeros((self._count, *out_shape), np.uint8)
        for mask, out in zip(self._draw(), grown, strict=True):
            out[:] = cv2.resize(mask.astype(np.float32), out_shape[::-1], interpolation=cv2.INTER_LINEAR) >= 0.5
        return RLEMasks.from_bitmaps(grown)

    def flip(self, flip_direction: str = 'horizontal') -> BitmapMasks:
        """Flip: 'horizontal', 'vertical' or 'diagonal'."""
        if self._runs is None:
            return super().flip(flip_direction)
        runs = flip(self._runs, (self.height, self.width), flip_direction, self._count)
        return self._with(runs, self.height, self.width)

    def crop(self, bbox: np.ndarray) -> BitmapMasks:
        """Crop to x1, y1, x2, y2, clipped to the mask; to at least a pixel, as in `BitmapMasks`."""
        box = np.clip(bbox, 0, [self.width, self.height] * 2).astype(int)
        x1, y1 = box[:2].tolist()
        x2, y2 = np.maximum(box[2:], box[:2] + 1).tolist()
        if self._runs is None or x2 > self.width or y2 > self.height:  # mmdet then gives less than it says
            return super().crop(bbox)
        runs = crop(self._runs, (self.height, self.width), (x1, y1, x2, y2), self._count)
        return self._with(runs, y2 - y1, x2 - x1)

    def pad(self, out_shape: tuple[int, int], pad_val: int = 0) -> BitmapMasks:
        """Pad at the bottom and on the right to (H, W)."""
        if self._runs is None or pad_val != 0:
            return super().pad(out_shape, pad_val)
        return self.expand(*out_shape, 0, 0)

    def expand(self, expanded_h: int, expanded_w: int, top: int, left: int) -> BitmapMasks:
        """Paste the masks into larger, empty ones at row `top` and column `left`."""
        if self._runs is None:
            return super().expand(expanded_h, expanded_w, top, left)
        new_size = (int(expanded_h), int(expanded_w))
        runs = place(self._runs, (self.height, self.width), new_size, int(top), int(left), self._count)
        return self._with(runs, *new_size)

    def crop_and_resize(
        self,
        bboxes: np.ndarray | torch.Tensor,
        out_shape: tuple[int, int],
        inds: np.ndarray | torch.Tensor,
        device: str | torch.device = 'cpu',
        interpolation: str = 'bilinear',
        binarize: bool = True,
    ) -> BitmapMasks:
        """Make mask targets like `BitmapMasks`, without copying the whole mask for each of the K boxes first."""
        bboxes, inds = torch.as_tensor(bboxes, device=device), torch.as_tensor(inds, device=device)
        if len(self) == 0 or len(bboxes) == 0:
            return BitmapMasks(np.empty((0, *out_shape), np.uint8), *out_shape)
        rois = torch.cat([inds.to(bboxes.dtype)[:, None], bboxes], dim=1)  # (K, 5)
        masks = torch.from_numpy(self.masks).to(device).to(bboxes.dtype)[:, None]  # (N, 1, H, W)
        targets = roi_align(masks, rois, out_shape, 1.0, 0, 'avg', True).squeeze(1)
        return BitmapMasks((targets >= 0.5 if binarize else targets).cpu().numpy(), *out_shape)

    @property
    def areas(self) -> np.ndarray:
        """Pixels of each mask, (N,) int64."""
        if self._runs is None:
            return super().areas
        mask, first, last = split_columns(self._runs, self.height * self.width)  # a stack of columns of that height
        return np.bincount(mask, last - first, self._count).astype(np.int64)

    def get_bboxes(self, dst_type: str | type[BaseBoxes] = 'hbox') -> BaseBoxes:
        """Return the tight boxes; zeros for an empty mask."""
        if self._runs is None or get_box_type(dst_type)[1] is not HorizontalBoxes:
            return super().get_bboxes(dst_type)
        boxes = [bounding_box(self._cut(index), self.height) for index in range(self._count)]
        return HorizontalBoxes(np.array(boxes, np.float32).reshape(-1, 4))

    @classmethod
    def cat(cls, masks: Sequence[BitmapMasks]) -> BitmapMasks:
        """Concatenate stacks of one size; if one is a bitmap, so is the result."""
        if not masks:
            raise ValueError('masks should not be an empty list.')
        if any(not isinstance(one, RLEMasks) or one._runs is None for one in masks):
            return BitmapMasks.cat(masks)
        if len({(one.height, one.width) for one in masks}) > 1:
            raise ValueError(f'masks of several sizes cannot go together: {", ".join(map(repr, masks))}')
        parts, position = [], 0
        for one in masks:
            shift = position * one.height * one.width
            parts.append((one._runs[0] + shift, one._runs[1] + shift))
            position += len(one)
        return cls(_concatenate(parts), position, masks[0].height, masks[0].width)

    @classmethod
    def random(cls, *args, **kwargs) -> 'RLEMasks':
        """Make random masks, with the arguments of `BitmapMasks.random`."""
        return cls.from_bitmaps(BitmapMasks.random(*args, **kwargs).masks)


def _concatenate(parts: Sequence[Runs]) -> Runs:
    """Join the runs of masks side by side; those that touch at a border become one."""
    return join_runs(*(np.concatenate(edges) for edges in zip(EMPTY, *parts, strict=True)))
