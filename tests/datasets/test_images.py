"""Which files the audit passes, at which size; test_decoding.py compares it with the loader."""

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from fashion_mmdet.datasets.decoding import decode_area
from fashion_mmdet.datasets.images import find_problem, photo_path, read_size

XMP_TURNED = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def photo(height: int = 20, width: int = 30, mode: str = 'RGB') -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(noise).convert(mode)


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[0x0112] = orientation
    return block


def opencv_size(path: Path) -> tuple[int, int]:
    return cv2.imread(str(path)).shape[:2]


@pytest.mark.parametrize('suffix', ['jpg', 'png'])
@pytest.mark.parametrize(
    ('orientation', 'size'),
    [
        (1, (20, 30)),
        (2, (20, 30)),
        (3, (20, 30)),
        (4, (20, 30)),
        (5, (30, 20)),
        (6, (30, 20)),
        (7, (30, 20)),
        (8, (30, 20)),
        (0, (20, 30)),
        (9, (20, 30)),
    ],
)
def test_an_exif_orientation_swaps_height_and_width_as_in_opencv(tmp_path, suffix, orientation, size):
    """Stored 20 high and 30 wide; orientations 5 to 8 include a quarter turn, 0 and 9 mean nothing."""
    path = tmp_path / f'x.{suffix}'
    photo().save(path, exif=exif(orientation))
    assert read_size(path) == size == opencv_size(path)


def test_an_orientation_in_xmp_alone_does_not_count(tmp_path):
    """Pillow would take it, OpenCV does not: the photo stays as stored."""
    path = tmp_path / 'x.jpg'
    photo().save(path, xmp=XMP_TURNED)
    assert read_size(path) == (20, 30) == opencv_size(path)


@pytest.mark.parametrize(
    ('mode', 'suffix'),
    [('RGB', 'jpg'), ('L', 'jpg'), ('CMYK', 'jpg'), ('RGB', 'png'), ('RGBA', 'png'), ('P', 'png'), ('1', 'png')],
)
def test_the_size_is_height_then_width_in_every_colour_mode(tmp_path, mode, suffix):
    path = tmp_path / f'x.{suffix}'
    photo(mode=mode).save(path)
    assert read_size(path) == (20, 30) == opencv_size(path)
    assert find_problem(path, 20, 30) is None


def test_a_jpeg_cut_off_is_truncated(tmp_path):
    path = tmp_path / 'x.jpg'
    photo().save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(EOFError, match='cut off') as error:
        read_size(path)
    assert str(path) in str(error.value)
    assert find_problem(path, 20, 30) == (
        'truncated_file',
        f'{path}: cannot be decoded: the JPEG is cut off, or broken inside',
    )


def test_padding_after_the_end_of_a_jpeg_does_no_harm(tmp_path):
    """Cameras fill up their last block."""
    path = tmp_path / 'x.jpg'
    photo().save(path)
    path.write_bytes(path.read_bytes() + bytes(1000))
    assert find_problem(path, 20, 30) is None


@pytest.mark.parametrize(
    ('content', 'kind'),
    [
        (b'', 'unreadable_file'),
        (b'not an image', 'unreadable_file'),
        (b'<html>404 Not Found</html>', 'unreadable_file'),
        (b'\xff\xd8\xff', 'truncated_file'),
        (b'\x89PNG\r\n\x1a\n', 'truncated_file'),
    ],
)
def test_a_file_that_is_no_image_is_named(tmp_path, content, kind):
    path = tmp_path / 'x.jpg'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'x\.jpg: cannot be decoded'):
        read_size(path)
    assert find_problem(path, 20, 30)[0] == kind
    assert find_problem(path, 20, 30)[1].count(str(path)) == 1


@pytest.mark.parametrize('make', [os.mkfifo, os.mkdir, lambda path: os.symlink('/dev/zero', path)])
def test_what_is_no_regular_file_is_unreadable_and_never_opened(tmp_path, make):
    """A FIFO would keep its reader waiting forever, and so would a device without an end."""
    path = tmp_path / 'x.jpg'
    make(path)
    assert find_problem(path, 20, 30) == ('unreadable_file', f'{path}: not a regular file')


def test_a_link_to_a_photo_is_a_photo(tmp_path):
    photo().save(tmp_path / 'x.jpg')
    os.symlink('x.jpg', tmp_path / 'y.jpg')
    assert find_problem(tmp_path / 'y.jpg', 20, 30) is None


@pytest.mark.filterwarnings('ignore::UserWarning')  # Pillow's, of corrupt EXIF
@pytest.mark.parametrize('seed', range(5))
def test_broken_bytes_in_the_header_never_raise(tmp_path, seed):
    """60 JPEGs with up to five wrong bytes among the first 300: a problem of a known kind, or none."""
    path, generator = tmp_path / 'x.jpg', np.random.default_rng(seed)
    photo().save(path, exif=exif(6))
    good = path.read_bytes()
    for _ in range(60):
        broken = bytearray(good)
        for _ in range(generator.integers(1, 6)):
            broken[generator.integers(0, 300)] = generator.integers(0, 256)
        path.write_bytes(broken)
        problem = find_problem(path, 30, 20)
        assert problem is None or problem[0] in ('unreadable_file', 'size_mismatch', 'truncated_file')


def test_a_photo_of_more_pixels_than_the_limit_is_unreadable(tmp_path):
    """40,000 x 40,000 are 1,600 megapixels; 2^30 are 1,074."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))

    path = tmp_path / 'x.png'
    header = struct.pack('>IIBBBBB', 40_000, 40_000, 8, 2, 0, 0, 0)
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', b'') + chunk(b'IEND', b''))
    kind, where = find_problem(path, 40_000, 40_000)
    assert kind == 'unreadable_file'
    assert where == (
        f'{path}: a photo of 40000x40000; at most 1,048,576 px a side and 1,073,741,824 in all are read: '
        'make it smaller'
    )


def test_a_photo_of_196_megapixels_is_read(tmp_path):
    """A small grey JPEG that says it has 14,000 x 14,000 pixels, more than Pillow takes; decoded at an eighth."""
    photo(16, 16, 'L').save(tmp_path / 'small.jpg')
    data = (tmp_path / 'small.jpg').read_bytes()
    frame = data.index(b'\xff\xc0') + 5
    data = data[:frame] + struct.pack('>2H', 14_000, 14_000) + data[frame + 4 :]
    (tmp_path / 'x.jpg').write_bytes(data)
    assert find_problem(tmp_path / 'x.jpg', 14_000, 14_000) is None
    assert decode_area(data, 'x.jpg', (14_000, 14_000), (100, 100)).shape == (100, 100, 3)


def test_a_missing_file_is_missing(tmp_path):
    path = tmp_path / 'x.jpg'
    with pytest.raises(FileNotFoundError):
        read_size(path)
    assert find_problem(path, 20, 30) == ('missing_file', str(path))
    assert find_problem(path) == ('missing_file', str(path))


def test_a_file_whose_name_differs_by_case_alone_is_told_apart_from_a_missing_one(tmp_path):
    photo().save(tmp_path / 'Shoe.JPG')
    path = tmp_path / 'shoe.jpg'
    assert find_problem(path) == ('name_in_other_case', f'{path}: the file is Shoe.JPG')
    assert find_problem(tmp_path / 'sho.jpg') == ('missing_file', str(tmp_path / 'sho.jpg'))
    assert find_problem(tmp_path / 'none' / 'shoe.jpg')[0] == 'missing_file'
    (tmp_path / 'sho.JPG').touch()  # the folder is listed again once it has changed
    assert find_problem(tmp_path / 'sho.jpg')[0] == 'name_in_other_case'


def test_a_name_too_long_for_a_file_is_unreadable(tmp_path):
    for image_id in ('x' * 300, 'x' * 300 + '.jpg'):
        kind, where = find_problem(photo_path(tmp_path, image_id))
        assert (kind, where.endswith(': File name too long')) == ('unreadable_file', True)


def test_an_image_id_without_a_suffix_names_a_jpeg_unless_there_is_such_a_file(tmp_path):
    for name in ('a.jpg', 'b', 'b.jpg', 'c.v2.jpg'):
        (tmp_path / name).touch()
    found = {image_id: photo_path(tmp_path, image_id).name for image_id in ('a', 'a.jpg', 'b', 'c.v2', 'd', 'd.PNG')}
    assert found == {'a': 'a.jpg', 'a.jpg': 'a.jpg', 'b': 'b', 'c.v2': 'c.v2.jpg', 'd': 'd.jpg', 'd.PNG': 'd.PNG'}
    assert photo_path(tmp_path, 'x/1') == tmp_path / 'x' / '1.jpg'


@pytest.mark.parametrize('image_id', ['../x.jpg', '/etc/x.jpg', 'a/../../x.jpg', '..', '.', '', 'a\0.jpg'])
def test_an_image_id_that_leads_out_of_the_folder_is_refused(tmp_path, image_id):
    with pytest.raises(ValueError, match=r'ImageId .* does not name a photo inside'):
        photo_path(tmp_path, image_id)


@pytest.mark.parametrize('size', [(30, 20), (20, 31), (21, 30)])
def test_another_size_than_the_tables_is_a_mismatch(tmp_path, size):
    path = tmp_path / 'x.jpg'
    photo().save(path)
    assert find_problem(path, *size) == ('size_mismatch', f'{path}: 20x30, the CSV says {size[0]}x{size[1]}')
    assert find_problem(path) is None


def test_a_photo_on_its_side_matches_the_size_it_is_shown_at(tmp_path):
    path = tmp_path / 'x.jpg'
    photo().save(path, exif=exif(6))
    assert find_problem(path, 30, 20) is None
    assert find_problem(path, 20, 30) == ('size_mismatch', f'{path}: 30x20, the CSV says 20x30')
