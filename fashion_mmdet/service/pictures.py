"""Pictures of a catalogue's garments, cut out of photos in one folder."""

from collections.abc import Sequence
from pathlib import Path

import cv2

from fashion_mmdet.datasets.image_formats import read_photo_bytes
from fashion_mmdet.inference.photos import to_rgb
from fashion_mmdet.service.uploads import check_photo

PICTURE_PX = 320


def find_photo(folder: Path, image: str) -> Path | None:
    """Find the file of a photo in a folder; links and '..' that lead out of it are not followed.

    Args:
        folder: resolved.
        image: name within the folder, or path as it was given to tools/annotate.py.
    """
    for path in (folder / image, Path(image)):
        try:
            found = path.resolve()
            if found.is_relative_to(folder) and found.is_file():
                return found
        except (OSError, ValueError, RuntimeError):  # a name that no file can have, a circle of links
            continue
    return None


def name_photo(folder: Path | None, image: str) -> str:
    """Name a photo for strangers, who need not know where on this machine it lies.

    Returns:
        Of an absolute path what follows the folder of photos, or the file's name where it is elsewhere; else `image`.
    """
    path = Path(image)
    if not path.is_absolute():
        return image
    return str(path.relative_to(folder)) if folder and path.is_relative_to(folder) else path.name


def cut_picture(path: Path, size: tuple[int, int], box: Sequence[int], max_pixels: int) -> bytes:
    """Cut a box out of a photo, as a JPEG of at most `PICTURE_PX` a side.

    Args:
        path: of the photo.
        size: height and width that it had when it was annotated.
        box: x1, y1, x2, y2, right and lower edge exclusive.
        max_pixels: of the photo.

    Raises:
        OSError, ValueError, RefusalError: it cannot be read, has changed, or is too large.
    """
    content = read_photo_bytes(path)
    check_photo(content, max_pixels)
    pixels = to_rgb(content)
    if pixels.shape[:2] != tuple(size):
        raise ValueError(f'{path}: the photo has changed since it was annotated')
    x1, y1, x2, y2 = box
    pixels = cv2.cvtColor(pixels[y1:y2, x1:x2], cv2.COLOR_RGB2BGR)
    scale = PICTURE_PX / max(pixels.shape)
    if scale < 1:
        width, height = (max(round(side * scale), 1) for side in (x2 - x1, y2 - y1))
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
