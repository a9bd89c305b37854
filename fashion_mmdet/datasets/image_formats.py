"""Read format, size and EXIF orientation of photos, and whether they are whole, without decoding."""

import io
import os
import re
import stat
import struct
import zlib
from typing import BinaryIO, NamedTuple

from PIL import Image, TiffImagePlugin

JPEG_END = b'\xff\xd9'
TAIL_BYTES = 4096  # cameras and editors append padding after the end marker
PNG_START = b'\x89PNG\r\n\x1a\n'
EXIF_ORIENTATION = 0x0112
TRANSPOSED = (5, 6, 7, 8)  # EXIF orientations that swap width and height
PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
SOF_MARKERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # start of frame; between them DHT, JPG and DAC
APP1, SOS = 0xE1, 0xDA
NOT_DECODED = {*range(0xE1, 0xEE), 0xEF, 0xFE}  # APP1 to APP15 but for Adobe's APP14, and comments
NEXT_MARKER = re.compile(rb'\xff[^\x00\xff\xd0-\xd7]')  # in a scan's data: no stuffed byte, fill byte or restart marker
STANDALONE = {0x01, *range(0xD0, 0xDA), 0xFF}  # no length follows: TEM, RSTn, SOI, EOI; fill byte


class JpegHead(NamedTuple):
    """A JPEG up to its first scan.

    Attributes:
        height, width: stored size in pixels.
        orientation: EXIF orientation, 1 to 8.
        scan_at: offset of the first scan's data in bytes.
        has_one_scan: the first scan is the only one; a progressive JPEG has more.
        tables: segments that a decoder needs, for an image of 8 x 16 pixels.
    """

    height: int
    width: int
    orientation: int
    scan_at: int
    has_one_scan: bool
    tables: bytes

    @property
    def size(self) -> tuple[int, int]:
        """Height and width with the orientation applied."""
        return (self.width, self.height) if self.orientation in TRANSPOSED else (self.height, self.width)


def open_photo(path: str | os.PathLike) -> BinaryIO:
    """Open a regular file, or a link to one; OSError for a FIFO or a device, which could block forever."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(f'{path}: not a regular file')
    return open(path, 'rb')


def read_photo_bytes(path: str | os.PathLike) -> bytes:
    """Read a regular file whole; errors as `open_photo`."""
    with open_photo(path) as file:
        return file.read()


def identify(start: bytes) -> str | None:
    """Return the format of a photo from its first 12 bytes; None for an unknown one."""
    if start.startswith(b'\xff\xd8\xff'):
        return 'JPEG'
    if start.startswith(PNG_START):
        return 'PNG'
    if start.startswith(b'RIFF') and start[8:12] == b'WEBP':
        return 'WebP'
    if start.startswith((b'II*\0', b'MM\0*')):
        return 'TIFF'
    return 'BMP' if start.startswith(b'BM') else None


def stored_size(file: BinaryIO, kind: str) -> tuple[int, int] | None:
    """Read the stored height and width of a PNG, BMP or TIFF; None where they cannot be found.

    A WebP needs no check: its format allows at most 16,383 px a side.
    """
    file.seek(0)
    try:
        if kind == 'PNG':
            return struct.unpack('>16x2I', file.read(24))[::-1]
        if kind == 'BMP':
            width, height = struct.unpack('<18x2i', file.read(26))
            return abs(height), abs(width)  # a negative height: rows from the top down
        if kind == 'TIFF':
            directory = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
            file.seek(directory.next)
            directory.load(file)
            return int(directory[TiffImagePlugin.IMAGELENGTH]), int(directory[TiffImagePlugin.IMAGEWIDTH])
    except (struct.error, KeyError, TypeError, ValueError, OSError, SyntaxError, OverflowError):
        return None  # broken; the decoder has the last word
    return None


def read_jpeg_head(file: BinaryIO) -> JpegHead | None:
    """Read the segments of a JPEG up to its first scan; None where their order is broken."""
    file.seek(2)
    at, exif, frame, tables, marker = 2, b'', b'', [b'\xff\xd8'], None
    while marker != SOS:
        start = file.read(4)
        length = int.from_bytes(start[2:], 'big') - 2
        if len(start) < 4 or start[0] != 0xFF or start[1] in STANDALONE or length < 0:
            return None
        marker = start[1]
        at += 4 + length
        if marker in NOT_DECODED and (marker != APP1 or exif):
            file.seek(at)
            continue
        content = file.read(length)
        if marker == APP1:
            exif = content if content.startswith(b'Exif\0') else b''
            continue
        if marker in SOF_MARKERS:
            frame, is_progressive = content, marker in PROGRESSIVE
            content = content[:1] + struct.pack('>2H', 8, 16) + content[5:]
        tables.append(start + content)
    if len(frame) < 6 or not content:
        return None
    height, width, components = struct.unpack_from('>x2HB', frame)
    return JpegHead(
        height,
        width,
        _read_orientation(exif),
        at,
        has_one_scan=content[0] == components and not is_progressive,
        tables=b''.join(tables),
    )


def _read_orientation(exif: bytes) -> int:
    """Read the orientation from an EXIF segment; 1 (upright) by default."""
    block = Image.Exif()
    try:
        block.load(exif)
        orientation = block.get(EXIF_ORIENTATION)
    except (struct.error, KeyError, TypeError, ValueError, OSError, SyntaxError, OverflowError):
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def read_jpeg_rest(file: BinaryIO, head: JpegHead) -> bytes | None:
    """Read the segments after the first scan's data up to the end marker, without scan data; None without end marker.

    For a JPEG with one scan the last bytes of the file suffice where they hold the end marker: that of a thumbnail
    stands before the scan.
    """
    if head.has_one_scan:
        file.seek(max(head.scan_at, file.seek(0, os.SEEK_END) - TAIL_BYTES))
        if JPEG_END in file.read():
            return JPEG_END
    file.seek(0)
    data, at, segments = file.read(), head.scan_at, []
    while marker := NEXT_MARKER.search(data, at):
        if marker[0] == JPEG_END:
            return b''.join([*segments, JPEG_END])
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], 'big')
        segments.append(data[marker.start() : at])
    return None


def plain_jpeg_size(file: BinaryIO) -> tuple[int, int] | None:
    """Read the upright height and width of a JPEG with an end marker and tables that decode; None for any other."""
    head = read_jpeg_head(file)
    rest = head and read_jpeg_rest(file, head)
    if not rest:
        return None
    try:  # 8 x 16 pixels without data take microseconds; Pillow's libjpeg is silent on stderr, OpenCV's is not
        with Image.open(io.BytesIO(head.tables + rest), formats=['JPEG']) as image:
            image.load()
    except (OSError, SyntaxError, ValueError):
        return None
    return head.size


def plain_png_size(file: BinaryIO) -> tuple[int, int] | None:
    """Read height and width of a PNG whose chunks all match their checksums; None for any other, turned or animated."""
    size, has_pixels = stored_size(file, 'PNG'), False
    file.seek(len(PNG_START))
    while True:
        start = file.read(8)
        if len(start) < 8:
            return None
        length, name = struct.unpack('>I4s', start)
        content = file.read(length)
        checksum = file.read(4)
        if name in (b'eXIf', b'acTL') or checksum != struct.pack('>I', zlib.crc32(content, zlib.crc32(name))):
            return None
        has_pixels |= name == b'IDAT' and length > 0
        if name == b'IEND':
            return size if has_pixels else None
