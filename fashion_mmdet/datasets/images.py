"""What an image file's header says, without decoding it."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL import Image, UnidentifiedImageError

EXIF_ORIENTATION = 0x0112
TRANSPOSED = (5, 6, 7, 8)  # EXIF orientations that swap width and height
JPEG_END = b'\xff\xd9'
TAIL_BYTES = 4096  # cameras and editors append padding after the end marker


class Header(NamedTuple):
    """What a file says of itself: size as stored, in pixels, EXIF orientation (1 to 8), and whether it is a JPEG."""

    height: int
    width: int
    orientation: int
    is_jpeg: bool

    @property
    def size(self) -> tuple[int, int]:
        """Height and width once the orientation is applied."""
        return (self.width, self.height) if self.orientation in TRANSPOSED else (self.height, self.width)


def read_header(file: Path | BinaryIO, name: str | Path) -> Header:
    """Read an image's header.

    Args:
        file: its path, or the file opened.
        name: for the error.

    Raises:
        OSError: not an image, or unreadable.
    """
    try:
        with Image.open(file) as image:
            width, height = image.size
            for key in ('xmp', 'XML:com.adobe.xmp'):  # Pillow would take an orientation from XMP, OpenCV does not
                image.info.pop(key, None)
            orientation = image.getexif().get(EXIF_ORIENTATION)
            known = isinstance(orientation, int) and 1 <= orientation <= 8
            return Header(height, width, orientation if known else 1, image.format in ('JPEG', 'MPO'))
    except UnidentifiedImageError:
        raise OSError(f'{name}: not an image') from None


def read_size(path: Path) -> tuple[int, int]:
    """Read height and width in pixels as decoding with OpenCV gives them, EXIF orientation applied.

    Raises:
        FileNotFoundError: no such file.
        OSError: not an image, or unreadable.
        EOFError: a JPEG without its end: the file was cut off.
    """
    header = read_header(path, path)
    if header.is_jpeg and not _has_end(path):
        raise EOFError(f'{path}: cut off before the end of the JPEG')
    return header.size


def _has_end(path: Path) -> bool:
    with open(path, 'rb') as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return JPEG_END in file.read()


def find_problem(path: Path, height: int | None = None, width: int | None = None,
                 read: Callable[[Path], tuple[int, int]] = read_size) -> tuple[str, str] | None:
    """Compare a file with what the CSV says.

    Args:
        path: of the image.
        height: in pixels, as the CSV has it; None skips the comparison.
        width: likewise.
        read: `read_size`, or one that remembers what it read.

    Returns:
        The audit's kind of problem and where it is, or None.
    """
    try:
        size = read(path)
    except FileNotFoundError:
        return 'missing_file', str(path)
    except EOFError as error:
        return 'truncated_file', str(error)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # broken headers raise any
        return 'unreadable_file', f'{path}: {error}'
    if height is not None and size != (height, width):
        return 'size_mismatch', f'{path}: {size[0]}x{size[1]}, the CSV says {height}x{width}'
    return None
