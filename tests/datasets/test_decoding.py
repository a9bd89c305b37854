"""What passes the audit loads, at the size that the audit says; what it drops does not load."""

import io
import struct
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image

from fashion_mmdet.datasets import audit
from fashion_mmdet.datasets.decoding import decode_area, decode_whole, find_size
from fashion_mmdet.datasets.image_formats import NEXT_MARKER

HEIGHT, WIDTH = 20, 30
JPEGS = {
    'baseline': {},
    'progressive': dict(progressive=True),
    'grey': dict(mode='L'),
    'cmyk': dict(mode='CMYK'),
    'full colour': dict(subsampling=0),
    'restart markers': dict(restart_marker_blocks=1),
    'turned': dict(turn=6),
}
OTHERS = {
    'png': ('PNG', {}),
    'png grey': ('PNG', dict(mode='L')),
    'png palette': ('PNG', dict(mode='P')),
    'png alpha': ('PNG', dict(mode='RGBA')),
    'png bits': ('PNG', dict(mode='1')),
    'png 16 bits': ('PNG', dict(mode='I;16')),
    'png turned': ('PNG', dict(turn=6)),
    'bmp': ('BMP', {}),
    'bmp palette': ('BMP', dict(mode='P')),
    'webp': ('WEBP', {}),
    'webp alpha': ('WEBP', dict(mode='RGBA')),
    'webp lossless': ('WEBP', dict(lossless=True)),
    'webp turned': ('WEBP', dict(turn=6)),
    'tiff': ('TIFF', {}),
    'tiff lzw': ('TIFF', dict(compression='tiff_lzw')),
    'tiff jpeg': ('TIFF', dict(compression='jpeg')),
    'tiff turned': ('TIFF', dict(tiffinfo={0x0112: 6})),
}
FORMATS = {**{name: ('JPEG', options) for name, options in JPEGS.items()}, **OTHERS}
TURNED = {'turned', 'png turned', 'tiff turned'}  # OpenCV does not turn a WebP


def encode(kind: str, mode: str = 'RGB', turn: int | None = None, **options) -> bytes:
    """A photo of noise, 20 high and 30 wide as stored."""
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    image = (
        Image.fromarray(noise[..., 0].astype(np.uint16) * 257)
        if mode == 'I;16'
        else Image.fromarray(noise).convert(mode)
    )
    if turn:
        options['exif'] = Image.Exif()
        options['exif'][0x0112] = turn
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def result(function: Callable[[], tuple[int, int]]) -> tuple[int, int] | str:
    try:
        return function()
    except ValueError:
        return 'refused'


def audited(data: bytes) -> tuple[int, int] | str:
    return result(lambda: find_size(io.BytesIO(data), 'x'))


def loaded(data: bytes) -> tuple[int, int] | str:
    return result(lambda: decode_whole(data, 'x').shape[:2])


def shown(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize('name', FORMATS)
def test_a_whole_photo_passes_and_loads_as_opencv_shows_it(name):
    """Stored 20 high and 30 wide; orientation 6 is a quarter turn. Padding after the end does no harm."""
    kind, options = FORMATS[name]
    data, size = encode(kind, **options), (WIDTH, HEIGHT) if name in TURNED else (HEIGHT, WIDTH)
    for padding in (b'', bytes(20_000), b'\xff' * 20_000):
        assert audited(data + padding) == loaded(data + padding) == size
        np.testing.assert_array_equal(decode_whole(data + padding, 'x'), shown(data))
    assert decode_area(data, 'x', size, (size[0] // 2, size[1] // 2)).shape == (size[0] // 2, size[1] // 2, 3)


@pytest.mark.parametrize('name', FORMATS)
def test_a_photo_cut_off_anywhere_is_dropped_and_does_not_load(name):
    """40 cuts, and what is missing filled with zeros, as a download that was stopped leaves it. A JPEG that lacks its
    end marker alone is whole, also a progressive one between two scans, and so is a PNG without the checksum of its
    end; BMP, TIFF and WebP may decode the zeros.
    """
    kind, options = FORMATS[name]
    data = encode(kind, **options)
    needed = len(data) - (2 if kind == 'JPEG' else 0)
    for cut in np.linspace(0, needed - 3, 40).astype(int).tolist():
        if name == 'progressive' and (NEXT_MARKER.match(data, cut) or NEXT_MARKER.match(data, cut - 1)):
            continue
        assert audited(data[:cut]) == loaded(data[:cut]) == 'refused', cut
        filled = data[:cut] + bytes(len(data) - cut)
        assert audited(filled) == loaded(filled), cut
        assert kind not in ('JPEG', 'PNG') or cut > len(data) - 5 or loaded(filled) == 'refused', cut


@pytest.mark.filterwarnings('ignore::UserWarning')  # Pillow's, of corrupt EXIF and TIFF
@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('name', FORMATS)
def test_whatever_is_broken_the_audit_says_what_the_loader_does(name, seed, monkeypatch):
    """One to three wrong bytes anywhere, half of them among the first 300, 25 times."""
    monkeypatch.setattr(audit, 'MAX_PIXELS', 1_000_000)  # what a wrong byte can make of a size takes seconds
    kind, options = FORMATS[name]
    good, generator = encode(kind, **options), np.random.default_rng(seed)
    for _ in range(25):
        data = bytearray(good)
        for _ in range(generator.integers(1, 4)):
            data[generator.integers(0, len(data) if generator.random() < 0.5 else min(300, len(data)))] = (
                generator.integers(0, 256)
            )
        assert audited(bytes(data)) == loaded(bytes(data)), bytes(data).hex()


@pytest.mark.parametrize('name', JPEGS)
def test_a_jpeg_without_its_end_marker_is_whole(name):
    """Every viewer shows it; padding of zeros instead of the marker makes no difference."""
    data = encode('JPEG', **JPEGS[name])
    for bare in (data[:-2], data[:-1], data[:-2] + bytes(20_000)):
        assert audited(bare) == loaded(bare) == loaded(data)
        np.testing.assert_array_equal(decode_whole(bare, 'x'), shown(data))


@pytest.mark.parametrize('name', JPEGS)
def test_a_film_behind_the_end_of_a_jpeg_does_no_harm(name):
    """A motion photo; the film is longer than the tail that is looked at, and has no end marker of a JPEG."""
    film = np.random.default_rng(0).integers(0, 0xFF, 50_000, np.uint8).tobytes()
    data = encode('JPEG', **JPEGS[name]) + film
    assert audited(data) == loaded(data) == ((WIDTH, HEIGHT) if name in TURNED else (HEIGHT, WIDTH))


def test_the_end_of_a_thumbnail_is_not_the_photos():
    """The photo is cut off after its first scan's first bytes; the thumbnail in EXIF has an end marker."""
    thumbnail = encode('JPEG')
    block = b'Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0' + thumbnail
    data = encode('JPEG')
    data = data[:2] + b'\xff\xe1' + struct.pack('>H', len(block) + 2) + block + data[2:]
    assert audited(data) == loaded(data) == (HEIGHT, WIDTH)
    assert audited(data[:-100]) == loaded(data[:-100]) == 'refused'


@pytest.mark.parametrize(
    'start', ['ffdaffff', 'ffda0000', 'ffda0002', 'ffe00000', 'ffc00004', 'ffff', 'ffd8', '00', '']
)
def test_a_jpeg_whose_segments_make_no_sense_is_refused(start):
    data = b'\xff\xd8\xff\xe0\x00\x02' + bytes.fromhex(start) + bytes(100)
    assert audited(data) == loaded(data) == 'refused'


@pytest.mark.parametrize('kind', ['TGA', 'ICO', 'DDS', 'PCX', 'SGI', 'EPS', 'QOI', 'GIF', 'PPM', 'JPEG2000', 'AVIF'])
def test_other_formats_neither_pass_nor_load(kind):
    """Pillow opens them all, OpenCV some."""
    data = encode(kind)
    with pytest.raises(ValueError, match='x: cannot be decoded: no JPEG, PNG, WebP, BMP or TIFF'):
        find_size(io.BytesIO(data), 'x')
    assert loaded(data) == 'refused'


@pytest.mark.parametrize(('order', 'kind'), [('<', 1), ('>', 1), ('<', 3), ('>', 3), ('<', 4), ('>', 4), ('<', 9)])
def test_an_orientation_of_an_odd_type_means_the_same_to_the_audit_and_the_loader(order, kind):
    """A BYTE, SHORT, LONG or SLONG of 6: OpenCV and Pillow do not take the same ones for an orientation."""
    value = struct.pack(order + {1: 'B3x', 3: 'H2x', 4: 'I', 9: 'i'}[kind], 6)
    tiff = struct.pack(order + '2sHI', b'II' if order == '<' else b'MM', 42, 8) + struct.pack(
        order + 'HHHI4sI', 1, 0x0112, kind, 1, value, 0
    )
    data = encode('JPEG')
    data = data[:2] + b'\xff\xe1' + struct.pack('>H', len(tiff) + 8) + b'Exif\0\0' + tiff + data[2:]
    assert audited(data) == loaded(data) != 'refused'
    assert decode_area(data, 'x', audited(data), (5, 5)).shape == (5, 5, 3)
