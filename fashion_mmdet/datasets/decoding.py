"""Decode photos, whole or at a wanted size: a JPEG at a DCT scale near it, then by area."""

import io
import os
from typing import BinaryIO

import cv2
import numpy as np

from fashion_mmdet.datasets.audit import MAX_PIXELS, MAX_SIDE, is_size_possible
from fashion_mmdet.datasets.image_formats import (
    JPEG_END,
    JpegHead,
    identify,
    plain_jpeg_size,
    plain_png_size,
    read_jpeg_head,
    read_photo_bytes,
    stored_size,
)

REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}

SURE_SIDE = 65_500  # libjpeg's limit in pixels; longer sides are left to the decoder

# Data of a scan, alone and after every restart marker: one of them is read, whichever marker is next.
NOISE = bytes([0x55, 0xA3, 0x3C, 0x91]) * 16
MORE_DATA = NOISE + b''.join(bytes([0xFF, marker]) + NOISE for marker in range(0xD0, 0xD8))

# EXIF orientation -> what turns a stored JPEG upright. OpenCV could, but reads odd EXIF differently from the audit.
UPRIGHT = {
    2: lambda image: cv2.flip(image, 1),
    3: lambda image: cv2.rotate(image, cv2.ROTATE_180),
    4: lambda image: cv2.flip(image, 0),
    5: cv2.transpose,
    6: lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    7: lambda image: cv2.flip(cv2.transpose(image), -1),
    8: lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def choose_reduction(size: tuple[int, int], new_size: tuple[int, int]) -> int:
    """Return the largest of 8, 4, 2, 1 by which `size` can be divided without going below `new_size`, both H, W."""
    for reduction in (8, 4, 2):
        if all(old >= reduction * new for old, new in zip(size, new_size, strict=True)):
            return reduction
    return 1


class CutOffError(EOFError, ValueError):
    """A photo of a known format that cannot be decoded whole."""


def find_size(file: BinaryIO, path: str) -> tuple[int, int]:
    """Find height and width as `decode_whole` gives them, mostly without decoding; errors as `decode_whole`.

    A JPEG or PNG whose structure is regular from start to end is taken for whole; all others are decoded.
    """
    kind = identify(file.read(12))
    size = plain_jpeg_size(file) if kind == 'JPEG' else plain_png_size(file) if kind == 'PNG' else None
    if size and max(size) <= SURE_SIDE and is_size_possible(*size):
        return size
    file.seek(0)
    return decode_whole(file.read(), path).shape[:2]


def decode_whole(data: bytes, path: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """Decode as `cv2.IMREAD_COLOR` does: 8-bit BGR whatever the file's depth and channels, turned by EXIF as in OpenCV.

    Args:
        data: content of the file.
        path: name of the file, for errors.
        size: H, W that it must have; None for any.

    Returns:
        (H, W, 3) uint8.

    Raises:
        CutOffError: cut off or broken.
        ValueError: not a JPEG, PNG, WebP, BMP or TIFF, too large (`audit.MAX_PIXELS`), or of another size.
    """
    head = _read_head(data)
    image = _decode(data, path, cv2.IMREAD_COLOR, head)
    image = UPRIGHT.get(head.orientation, np.asarray)(image) if head else image
    if size is not None and image.shape[:2] != tuple(size):
        raise ValueError(
            f'{path}: the photo is {image.shape[0]}x{image.shape[1]}, its annotation is for '
            f'{size[0]}x{size[1]} (height x width); leave it out, as check_images=True does'
        )
    return image


def load_photo(path: str | os.PathLike) -> np.ndarray:
    """Read and decode a photo; (H, W, 3) uint8, BGR. Errors as `open_photo` and `decode_whole`."""
    return decode_whole(read_photo_bytes(path), os.fspath(path))


def _read_head(data: bytes) -> JpegHead | None:
    return read_jpeg_head(io.BytesIO(data)) if identify(data[:12]) == 'JPEG' else None


def _decode(data: bytes, path: str, flags: int, head: JpegHead | None) -> np.ndarray:
    """Decode with OpenCV, a JPEG with a known `head` as it is stored; errors as `decode_whole`."""
    kind = identify(data[:12])
    if kind is None:
        raise ValueError(f'{path}: cannot be decoded: no JPEG, PNG, WebP, BMP or TIFF')
    size = (head.height, head.width) if head else stored_size(io.BytesIO(data), kind)
    if size and min(size) > 0 and not is_size_possible(*size):
        raise ValueError(
            f'{path}: a photo of {size[0]}x{size[1]}; at most {MAX_SIDE:,} px a side and {MAX_PIXELS:,} '
            'in all are read: make it smaller'
        )
    if head:
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    has_end = head is None or data.rfind(JPEG_END, head.scan_at) >= 0
    try:
        image = _imdecode(data, flags) if has_end else _decode_without_end(data, flags)
    except cv2.error as error:  # a size that OpenCV refuses
        raise ValueError(f'{path}: cannot be decoded: {error.err or error}') from None
    if image is None:
        raise CutOffError(f'{path}: cannot be decoded: the {kind} is cut off, or broken inside')
    return image


def _imdecode(data: bytes, flags: int) -> np.ndarray | None:
    return cv2.imdecode(np.frombuffer(data, np.uint8), flags)


def _decode_without_end(data: bytes, flags: int) -> np.ndarray | None:
    """Decode a JPEG that lacks its end marker; None where it lacks more.

    It is whole if it stays the same whatever data follow, which would fill what is missing. Padding of zeros would fill
    it too and is stripped, except for the zero that belongs to a byte 0xFF.
    """
    data = data.rstrip(b'\0')
    data += b'\0' * data.endswith(b'\xff')
    image, other = (_imdecode(data + after + JPEG_END, flags) for after in (b'', MORE_DATA))
    return image if image is not None and other is not None and np.array_equal(image, other) else None


def decode_area(data: bytes, path: str, size: tuple[int, int], new_size: tuple[int, int]) -> np.ndarray:
    """Decode a photo of `size` to `new_size`, both H, W: by area to a smaller size, bilinearly to a larger one.

    A JPEG shrinks in the DCT domain first, where a block of 8 x 8 coefficients gives 4 x 4, 2 x 2 or one pixel:
    averages in a fraction of the time.

    Returns:
        (h, w, 3) uint8, BGR, upright. Errors as `decode_whole`.
    """
    reduction = choose_reduction(size, new_size)
    head = _read_head(data) if reduction > 1 else None
    if head is None or head.size != tuple(size):  # OpenCV would sample other formats, skipping pixels
        return resize_area(decode_whole(data, path, size), new_size)
    image = _decode(data, path, REDUCED[reduction], head)
    upright = UPRIGHT.get(head.orientation, np.asarray)
    new_stored = new_size if head.size == (head.height, head.width) else new_size[::-1]
    # Where the size is no multiple of `reduction`, the last row and column stand for fewer pixels: the scale is that
    # of the photo, not of the decoded image.
    scale = [new * reduction / old for new, old in zip(new_stored, (head.height, head.width), strict=True)]
    return upright(_scale_area(image, new_stored, *scale))


def _scale_area(image: np.ndarray, new_size: tuple[int, int], scale_y: float, scale_x: float) -> np.ndarray:
    height, width = new_size
    if (scale_y, scale_x) == (1, 1):
        return np.ascontiguousarray(image[:height, :width])
    # Without a size OpenCV keeps the scale and rounds the size; a surplus last row or column is cut off.
    scaled = cv2.resize(image, None, fx=scale_x, fy=scale_y, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(scaled[:height, :width])


def resize_area(image: np.ndarray, new_size: tuple[int, int]) -> np.ndarray:
    """Resize to (h, w): by area to fewer pixels, else bilinearly."""
    height, width = new_size
    if image.shape[:2] == (height, width):
        return image
    shrinks = height * width < image.shape[0] * image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
