"""Find the file of an image and compare it with the CSV."""

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from fashion_mmdet.datasets.decoding import find_size
from fashion_mmdet.datasets.image_formats import open_photo

SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff')


def is_safe_id(image_id: str) -> bool:
    """Return whether an ImageId, one line of text, names a file that lies inside the folder of the photos."""
    path = Path(image_id)
    inside = bool(path.parts) and not path.is_absolute() and '..' not in path.parts
    return inside and '\0' not in image_id and len(image_id.splitlines()) == 1


def photo_path(folder: Path, image_id: str) -> Path:
    """Return the path of a photo; an ImageId may lack `.jpg`, as in 2020. ValueError if it leads out of the folder."""
    if not is_safe_id(image_id):
        raise ValueError(f'ImageId {image_id[:80]!r} does not name a photo inside {folder}')
    path = folder / image_id
    if path.suffix.lower() in SUFFIXES or os.path.exists(path):  # False also where a name is too long
        return path
    return folder / f'{image_id}.jpg'


def read_size(path: Path) -> tuple[int, int]:
    """Read height and width in pixels as the loader gives them, EXIF orientation applied.

    Raises:
        FileNotFoundError: no such file.
        EOFError: cut off, or broken inside.
        OSError, ValueError: not a photo that can be read; the line says why.
    """
    with open_photo(path) as file:
        return find_size(file, str(path))


def find_problem(
    path: Path, height: int | None = None, width: int | None = None, read: Callable[[Path], tuple[int, int]] = read_size
) -> tuple[str, str] | None:
    """Compare a file with the CSV.

    Args:
        path: photo to check.
        height: height in pixels in the CSV; None skips the comparison.
        width: width in pixels in the CSV.
        read: `read_size`, or one with a cache.

    Returns:
        Kind of problem (`audit.RULES`) and where it is, or None.
    """
    try:
        size = read(path)
    except FileNotFoundError:
        other = _find_other_case(path)
        return ('name_in_other_case', f'{path}: the file is {other}') if other else ('missing_file', str(path))
    except EOFError as error:
        return 'truncated_file', str(error)
    except OSError as error:
        return 'unreadable_file', f'{path}: {error.strerror}' if error.strerror else str(error)
    except ValueError as error:
        return 'unreadable_file', str(error)
    if height is not None and size != (height, width):
        return 'size_mismatch', f'{path}: {size[0]}x{size[1]}, the CSV says {height}x{width}'
    return None


def _find_other_case(path: Path) -> str | None:
    """Find a file whose name differs from that of `path` in upper and lower case only."""
    folder = path.parent
    return _names_by_lower_case(folder, folder.stat().st_mtime_ns).get(path.name.lower()) if folder.is_dir() else None


@lru_cache(maxsize=4)
def _names_by_lower_case(folder: Path, mtime_ns: int) -> dict[str, str]:
    """List a folder, once for all photos that it lacks."""
    return {path.name.lower(): path.name for path in folder.iterdir()}
