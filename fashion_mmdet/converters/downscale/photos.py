"""Shrink one photo: decoded in the DCT domain at the nearest larger scale, then averaged by area."""

import io
from pathlib import Path

import cv2
import numpy as np

from fashion_mmdet.datasets.decoding import decode_area
from fashion_mmdet.datasets.image_formats import identify, read_jpeg_head, read_photo_bytes
from fashion_mmdet.datasets.images import find_problem, read_size
from fashion_mmdet.utils.files import atomic_path


def fit_size(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    """Shrink height and width, in proportion, so that the longer is at most `max_side`; halves round up."""
    longer = max(size)
    if longer <= max_side:
        return size
    height, width = (max(1, (2 * side * max_side + longer) // (2 * longer)) for side in size)
    return height, width


def encode(image: np.ndarray, name: str, quality: int) -> bytes:
    """Encode BGR pixels as the file's name says: PNG, or else JPEG with full colour resolution (4:4:4).

    At equal PSNR a photo at 512 px takes 8 % fewer bytes so than with halved colour (OpenCV's default), and the seams
    between two garments are often edges of colour alone.
    """
    if name.lower().endswith('.png'):
        return cv2.imencode('.png', image)[1].tobytes()
    full_colour = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality, *full_colour])[1].tobytes()


def downscale_photo(
    job: tuple[Path, Path, tuple[int, int] | None], max_side: int, quality: int
) -> tuple[str, str] | None:
    """Write one photo's smaller copy, unless a whole one is there.

    One that is small enough and upright is copied byte for byte: encoding it again would only lose.

    Args:
        job: the photo, its copy, and the height and width that the CSV says (None: a test photo).
        max_side: in pixels.
        quality: of a JPEG.

    Returns:
        The audit's kind of problem and where it is, or None.

    Raises:
        OSError: the copy could not be written (a full disk, say); nothing is left of it.
    """
    source, target, size = job
    problem = find_problem(source, *(size or (None, None)))
    if problem:
        return problem
    size = size or read_size(source)
    new_size = fit_size(size, max_side)
    if find_problem(target, *new_size) is None:
        return None
    try:
        content = read_photo_bytes(source)
        image = decode_area(content, str(source), size, new_size)
    except ValueError as error:
        return 'unreadable_file', str(error)
    head = read_jpeg_head(io.BytesIO(content)) if identify(content) == 'JPEG' else None
    if new_size != size or (head and head.orientation != 1):
        content = encode(image, target.name, quality)
    with atomic_path(target) as temporary:  # no fsync: after a power cut the check above finds what is not whole
        temporary.write_bytes(content)
    return None
