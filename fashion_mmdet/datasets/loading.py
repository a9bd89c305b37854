"""Load photo and masks at the size that the model wants, in one transform."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import mmcv
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes

from fashion_mmdet.datasets.decoding import decode_area, decode_whole, resize_area
from fashion_mmdet.datasets.image_formats import read_photo_bytes
from fashion_mmdet.datasets.images import read_size
from fashion_mmdet.datasets.rle_masks import MASK_INTERPOLATIONS, RLEMasks
from fashion_mmdet.utils.checks import COUNT, check_choice, check_flag, check_numbers, check_range, is_list

INTERPOLATIONS = ('area', 'bilinear')
Scale = tuple[int, int]


@TRANSFORMS.register_module()
class LoadScaled(BaseTransform):
    """Load a photo with its boxes and masks at the wanted size.

    Replaces mmdet's LoadImageFromFile, LoadAnnotations and Resize (or RandomResize, RandomChoiceResize), which decode
    everything at full size first. The masks are `RLEMasks`, which mmdet's other transforms take.

    Args:
        scale: (long side, short side) or (w, h) as for mmdet's `Resize`, or a list, of which one is drawn per photo.
        keep_ratio: as large as fits into `scale`; else exactly (w, h).
        ratio_range: smallest and largest factor of `scale`, drawn for each photo; None for 1.
        interpolation: 'area': a JPEG is decoded at the nearest larger DCT scale, then shrunk by area averaging;
            'bilinear': decoded whole, then resized, equal to LoadImageFromFile and Resize to the pixel.
        mask_interpolation: 'nearest', as mmdet's `Resize`, or 'area': at least half of a pixel is covered.
        with_annotations: read boxes, labels and masks from `instances`; not needed for testing.
    """

    def __init__(
        self,
        scale: Scale | Sequence[Scale],
        keep_ratio: bool = True,
        ratio_range: tuple[float, float] | None = None,
        interpolation: str = 'area',
        mask_interpolation: str = 'nearest',
        with_annotations: bool = True,
    ) -> None:
        self.scale = _read_scales(scale)
        if ratio_range is not None:
            check_range('LoadScaled ratio_range', ratio_range)
        check_choice('LoadScaled interpolation', interpolation, INTERPOLATIONS)
        check_choice('LoadScaled mask_interpolation', mask_interpolation, MASK_INTERPOLATIONS)
        check_flag('LoadScaled keep_ratio', keep_ratio)
        check_flag('LoadScaled with_annotations', with_annotations)
        self.keep_ratio, self.ratio_range = keep_ratio, ratio_range
        self.interpolation, self.mask_interpolation = interpolation, mask_interpolation
        self.with_annotations = with_annotations

    def transform(self, results: dict) -> dict:
        """Load `img_path` of `height` and `width` (else read from the file) and its `instances`.

        A photo that is in memory stands in `photo`: the bytes of a file, or (H, W, 3) uint8 BGR; `img_path` names it.

        Raises:
            FileNotFoundError: no such photo.
            ValueError: the photo cannot be decoded, or photo, annotation and masks are not of one size.
        """
        path = results['img_path']
        size = (results['height'], results['width']) if 'height' in results else read_size(Path(path))
        scale = self._draw_scale()
        new_size = self._fit(size, scale)
        results['img'] = self._load(path, results.get('photo'), size, new_size)
        results['img_shape'], results['ori_shape'] = new_size, tuple(size)
        results['scale'], results['keep_ratio'] = scale, self.keep_ratio
        results['scale_factor'] = (new_size[1] / size[1], new_size[0] / size[0])
        results['homography_matrix'] = np.diag([*results['scale_factor'], 1]).astype(np.float32)
        if self.with_annotations:
            self._annotate(results, size, new_size)
        return results

    @cache_randomness
    def _draw_scale(self) -> Scale:
        """Draw like mmdet's RandomChoiceResize and RandomResize, from NumPy's generator, which mmengine seeds."""
        scale = self.scale[0] if len(self.scale) == 1 else self.scale[np.random.randint(len(self.scale))]
        if self.ratio_range is None:
            return scale
        smallest, largest = self.ratio_range
        ratio = np.random.random_sample() * (largest - smallest) + smallest
        return int(scale[0] * ratio), int(scale[1] * ratio)

    def _fit(self, size: tuple[int, int], scale: Scale) -> tuple[int, int]:
        width, height = mmcv.rescale_size(size[::-1], scale) if self.keep_ratio else scale
        if min(width, height) < 1:
            raise ValueError(f'LoadScaled: a photo of {size[0]}x{size[1]} would have no pixel at scale {scale}')
        return height, width

    def _load(
        self, path: str, photo: bytes | np.ndarray | None, size: tuple[int, int], new_size: tuple[int, int]
    ) -> np.ndarray:
        by_area = self.interpolation == 'area'
        if isinstance(photo, np.ndarray):
            image = photo
        else:
            data = read_photo_bytes(path) if photo is None else photo
            if by_area:
                return decode_area(data, path, size, new_size)
            image = decode_whole(data, path, size)
        return resize_area(image, new_size) if by_area else cv2.resize(image, new_size[::-1])

    def _annotate(self, results: dict, size: tuple[int, int], new_size: tuple[int, int]) -> None:
        instances = results.get('instances', [])
        boxes = HorizontalBoxes([instance['bbox'] for instance in instances], dtype=torch.float32)
        boxes.rescale_(results['scale_factor'])
        boxes.clip_(new_size)
        results['gt_bboxes'] = boxes
        results['gt_bboxes_labels'] = np.array([instance['bbox_label'] for instance in instances], np.int64)
        results['gt_ignore_flags'] = np.array([instance['ignore_flag'] for instance in instances], bool)
        try:
            results['gt_masks'] = RLEMasks.from_coco(
                [instance['mask'] for instance in instances], size, new_size, self.mask_interpolation
            )
        except ValueError as error:
            raise ValueError(f'{results["img_path"]}: {error}') from None

    def __repr__(self) -> str:
        """Show the arguments, as mmdet's transforms do."""
        return f'{type(self).__name__}({", ".join(f"{name}={value!r}" for name, value in vars(self).items())})'


def _read_scales(scale: Scale | Sequence[Scale]) -> list[Scale]:
    """Read one scale or several, each a pair of positive whole numbers."""
    scales = list(scale) if is_list(scale) and scale and all(map(is_list, scale)) else [scale]
    for one in scales:
        check_numbers('LoadScaled scale', one, COUNT, length=2)
    return [tuple(one) for one in scales]
