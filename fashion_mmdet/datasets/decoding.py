"""Decodes a photo at the size that is wanted: a JPEG at a DCT scale near it, then by area. No torch."""

import io

import cv2
import numpy as np

from fashion_mmdet.datasets.images import read_header

JPEG_START = b'\xff\xd8\xff'
REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}

# EXIF orientation -> what brings the stored image upright (OpenCV applies it itself unless told otherwise).
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
    """Choose the largest of 8, 4, 2, 1 by which a JPEG can be decoded smaller and is still no smaller than wanted.

    Args:
        size: H, W of the photo.
        new_size: H, W wanted.
    """
    for reduction in (8, 4, 2):
        if all(old >= reduction * new for old, new in zip(size, new_size, strict=True)):
            return reduction
    return 1


def decode_whole(data: bytes, path: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """Decode as `cv2.IMREAD_COLOR` does: 8-bit BGR, upright, whatever the file's own depth and channels.

    Args:
        data: the file.
        path: its name, for errors.
        size: H, W that it must have; None for any.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: not an image, cut off, or of another size.
    """
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None:
        raise ValueError(f'{path}: cannot be decoded; no image, or cut off')
    _check_size(image.shape[:2], size, path)
    return image


def decode_area(data: bytes, path: str, size: tuple[int, int], new_size: tuple[int, int]) -> np.ndarray:
    """Decode to a size: shrunk by area, a JPEG first in the DCT domain; what grows grows bilinearly.

    In the DCT domain a block of 8 x 8 coefficients gives 4 x 4, 2 x 2 or one pixel: averages in a fraction of the time.

    Args:
        data: the file.
        path: its name, for errors.
        size: H, W that the photo must have.
        new_size: H, W wanted.

    Returns:
        (h, w, 3) uint8, BGR, upright.

    Raises:
        ValueError: not an image, cut off, or of another size.
    """
    reduction = choose_reduction(size, new_size)
    if reduction == 1 or not data.startswith(JPEG_START):  # OpenCV would sample other formats, skipping pixels
        return resize_area(decode_whole(data, path, size), new_size)
    try:
        header = read_header(io.BytesIO(data), path)
    except (OSError, SyntaxError, ValueError) as error:  # broken headers raise any
        raise ValueError(f'{path}: cannot be decoded ({error})') from None
    _check_size(header.size, size, path)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), REDUCED[reduction] | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise ValueError(f'{path}: cannot be decoded; cut off, or broken')
    upright = UPRIGHT.get(header.orientation, np.asarray)
    stored_size = new_size if header.size == (header.height, header.width) else new_size[::-1]
    # The last row and column stand for less than `reduction` pixels where the size is no multiple: the scale is the
    # photo's, not that of the decoded image.
    scale = [new * reduction / old for new, old in zip(stored_size, (header.height, header.width), strict=True)]
    return upright(_scale_area(image, stored_size, *scale))


def _scale_area(image: np.ndarray, new_size: tuple[int, int], scale_y: float, scale_x: float) -> np.ndarray:
    height, width = new_size
    if (scale_y, scale_x) == (1, 1):
        return np.ascontiguousarray(image[:height, :width])
    # Without a size OpenCV keeps the scale as given and rounds the size; a last row or column too many goes.
    scaled = cv2.resize(image, None, fx=scale_x, fy=scale_y, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(scaled[:height, :width])


def resize_area(image: np.ndarray, new_size: tuple[int, int]) -> np.ndarray:
    """Resize to (h, w): by area where the image has fewer pixels then, else bilinearly."""
    height, width = new_size
    if image.shape[:2] == (height, width):
        return image
    shrinks = height * width < image.shape[0] * image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _check_size(found: tuple[int, int], size: tuple[int, int] | None, path: str) -> None:
    if size is not None and tuple(found) != tuple(size):
        raise ValueError(f'{path}: the photo is {found[0]}x{found[1]}, its annotation is for {size[0]}x{size[1]} '
                         '(height x width); leave it out, as check_images=True does')
