"""Photos as callers have them: a path, the bytes of a file, a PIL image, an array."""

import io
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from fashion_mmdet.datasets.audit import MAX_PIXELS, MAX_SIDE, is_size_possible
from fashion_mmdet.datasets.decoding import decode_whole, find_size
from fashion_mmdet.datasets.image_formats import read_photo_bytes

PhotoLike = str | os.PathLike | bytes | Image.Image | np.ndarray
UNNAMED = 'photo'  # image_id of what has no file name
DEEP_MODES = ('I', 'F')  # of PIL: more than 8 bits, whose scale it does not know


@dataclass(frozen=True)
class Photo:
    """A photo, read but not yet decoded.

    Attributes:
        image_id: name of the file; 'photo' for what has none.
        height, width: upright, in pixels.
        content: bytes of the file, or (H, W, 3) uint8 BGR pixels.
    """

    image_id: str
    height: int
    width: int
    content: bytes | np.ndarray


def read_photo(photo: PhotoLike) -> Photo:
    """Read a photo and find its size.

    Raises:
        TypeError: neither path, bytes, PIL image nor array.
        OSError, ValueError: no such file, not a photo, cut off, too large, or an array of another kind.
    """
    if isinstance(photo, (str, os.PathLike)):
        return _of_bytes(read_photo_bytes(photo), Path(photo).name, os.fspath(photo))
    if isinstance(photo, (bytes, bytearray, memoryview)):
        return _of_bytes(bytes(photo), UNNAMED, UNNAMED)
    pixels = np.ascontiguousarray(to_rgb(photo)[..., ::-1])
    return Photo(UNNAMED, *pixels.shape[:2], pixels)


def _of_bytes(data: bytes, image_id: str, path: str) -> Photo:
    return Photo(image_id, *find_size(io.BytesIO(data), path), data)


def to_rgb(photo: PhotoLike) -> np.ndarray:
    """Decode a photo at its full size, upright; (H, W, 3) uint8 RGB. Errors as `read_photo`."""
    if isinstance(photo, (str, os.PathLike)):
        return _decode(read_photo_bytes(photo), os.fspath(photo))
    if isinstance(photo, (bytes, bytearray, memoryview)):
        return _decode(bytes(photo), UNNAMED)
    if isinstance(photo, Image.Image):
        if photo.mode.startswith(DEEP_MODES):
            raise ValueError(f"a PIL image of mode {photo.mode}: convert it to 8 bits ('L' or 'RGB') first")
        photo = np.asarray(ImageOps.exif_transpose(photo).convert('RGB'))
    if not isinstance(photo, np.ndarray):
        raise TypeError(f'a photo of type {type(photo).__name__}: give a path, bytes, a PIL image or an RGB array')
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        raise ValueError(f'an array of {photo.dtype} and shape {photo.shape}: a photo is (H, W, 3) uint8, RGB')
    if not is_size_possible(*photo.shape[:2]):
        raise ValueError(
            f'a photo of {photo.shape[0]}x{photo.shape[1]}; at least one pixel, at most {MAX_SIDE:,} px a side and '
            f'{MAX_PIXELS:,} in all'
        )
    return photo


def _decode(data: bytes, path: str) -> np.ndarray:
    return cv2.cvtColor(decode_whole(data, path), cv2.COLOR_BGR2RGB)
