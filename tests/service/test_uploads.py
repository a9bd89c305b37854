"""What is too large, cut off or no photo is known before it is decoded, and before all of it has come."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('fastapi')
anyio = pytest.importorskip('anyio')

from fastapi import Request  # noqa: E402

from fashion_mmdet.service.refusals import RefusalError  # noqa: E402
from fashion_mmdet.service.settings import Settings, keys_from_environment  # noqa: E402
from fashion_mmdet.service.uploads import MAX_SCANS, check_photo, read_uploads  # noqa: E402

HEIGHT, WIDTH = 20, 30
KINDS = {
    'JPEG': {},
    'progressive JPEG': dict(progressive=True),
    'PNG': {},
    'WEBP': {},
    'lossless WEBP': dict(lossless=True),
    'WEBP with alpha': dict(mode='RGBA'),
    'BMP': {},
    'TIFF': {},
}


def encode(kind: str, mode: str = 'RGB', **options) -> bytes:
    """A photo of noise, 20 high and 30 wide."""
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    file = io.BytesIO()
    name = next(word for word in kind.split() if word.isupper())
    Image.fromarray(noise).convert(mode).save(file, name, **options)
    return file.getvalue()


def refusal(content: bytes, max_pixels: int = HEIGHT * WIDTH) -> RefusalError:
    with pytest.raises(RefusalError) as caught:
        check_photo(content, max_pixels)
    assert len(caught.value.detail.splitlines()) == 1
    return caught.value


@pytest.mark.parametrize('kind', KINDS)
def test_pixels_are_counted_in_the_header(kind: str):
    """600 pixels are allowed and there; 599 are one too few. The pixel data is cut off: it is not needed."""
    content = encode(kind, **KINDS[kind])
    assert check_photo(content, 600) == (HEIGHT, WIDTH)
    if kind != 'TIFF':  # Pillow puts the directory of a TIFF at its end
        assert check_photo(content[:-100], 600) == (HEIGHT, WIDTH)
    assert refusal(content, 599).status_code == 413
    assert '30x20' in refusal(content, 599).detail


@pytest.mark.filterwarnings('ignore:Corrupt EXIF', 'ignore:Truncated File')
@pytest.mark.parametrize('kind', KINDS)
def test_a_header_cut_anywhere_is_refused_or_known(kind: str):
    content = encode(kind, **KINDS[kind])
    for length in range(len(content)):
        try:
            size = check_photo(content[:length], 600)
        except RefusalError as refused:
            status = refused.status_code
        else:
            status = 200 if size == (HEIGHT, WIDTH) else size
        assert status in (200, 415, 422), length


@pytest.mark.parametrize(
    ('content', 'status'), [(b'', 422), (b'GIF89a', 415), (b'<svg/>', 415), (b'\xff\xd8\xff', 422), (b'BM', 422)]
)
def test_the_kind_is_known_by_content(content: bytes, status: int):
    assert refusal(content).status_code == status


def test_a_bomb_is_not_decoded():
    """A PNG that says 50,000 x 50,000 in 67 bytes."""
    header = struct.pack('>2I5B', 50_000, 50_000, 8, 2, 0, 0, 0)
    chunk = struct.pack('>I4s', len(header), b'IHDR') + header + struct.pack('>I', zlib.crc32(b'IHDR' + header))
    error = refusal(b'\x89PNG\r\n\x1a\n' + chunk, 50_000_000)
    assert (error.status_code, error.detail) == (
        413,
        'a photo of 50000x50000 pixels: at most 50 megapixels are read',
    )


def test_a_jpeg_of_countless_scans_is_refused():
    """Every scan of a progressive JPEG costs a pass over the whole image, in a few bytes."""
    content = encode('JPEG', progressive=True)
    assert refusal(content + b'\xff\xda\x00\x02' * MAX_SCANS).status_code == 422
    assert check_photo(content + b'\xff\xda\x00\x02' * 20, 600) == (HEIGHT, WIDTH)


class Body:
    """A body that comes in chunks; `taken` says how many were asked for."""

    def __init__(self, chunks: list[bytes], content_type: str, length: int | None = None) -> None:
        self.chunks, self.taken = chunks, 0
        headers = [(b'content-type', content_type.encode())]
        headers += [(b'content-length', str(length).encode())] * (length is not None)
        self.scope = dict(type='http', method='POST', path='/', headers=headers, query_string=b'')

    async def receive(self) -> dict:
        self.taken += 1
        more = self.taken < len(self.chunks)
        return dict(type='http.request', body=self.chunks[self.taken - 1], more_body=more)


def read(body: Body, max_photos: int = 1, **settings) -> list:
    async def main() -> list:
        return await read_uploads(Request(body.scope, body.receive), Settings(**settings), max_photos)

    return anyio.run(main)


def form(*files: tuple[str, bytes]) -> tuple[bytes, str]:
    """Write a multipart body, and its content type."""
    parts = [
        b'--x\r\nContent-Disposition: form-data; name="photo"; filename="%s"\r\n\r\n%s\r\n' % (name.encode(), content)
        for name, content in files
    ]
    return b''.join([*parts, b'--x--\r\n']), 'multipart/form-data; boundary=x'


@pytest.mark.parametrize('max_photos', [1, 3])
def test_no_more_is_read_than_allowed(max_photos: int):
    """Chunks of 10 bytes against a bound of 25, or 50 for several photos: the third, or sixth, is one too many."""
    for content_type in ('image/jpeg', 'multipart/form-data; boundary=x'):
        body = Body([b'0123456789'] * 100, content_type)
        with pytest.raises(RefusalError) as caught:
            read(body, max_photos, max_bytes=25)
        if content_type == 'image/jpeg':
            assert (caught.value.status_code, body.taken) == (413, 3 if max_photos == 1 else 6)
        else:  # not even a boundary in the first chunk
            assert (caught.value.status_code, body.taken) == (400, 1)


def test_a_form_is_bounded_while_it_comes():
    content, kind = form(('a.jpg', b'0' * 1000))
    body = Body([content[at : at + 50] for at in range(0, len(content), 50)], kind)
    with pytest.raises(RefusalError) as caught:
        read(body, max_bytes=500)
    assert (caught.value.status_code, body.taken) == (413, 11)


def test_a_length_that_is_announced_is_refused_unread():
    body = Body([b'x'], 'image/jpeg', length=26)
    with pytest.raises(RefusalError) as caught:
        read(body, max_bytes=25)
    assert (caught.value.status_code, body.taken) == (413, 0)


def test_each_photo_of_several_has_the_bound_of_one():
    content, kind = form(('a.jpg', b'0' * 10), ('b.jpg', b'0' * 501))
    with pytest.raises(RefusalError, match=r'b\.jpg: more than') as caught:
        read(Body([content], kind), max_photos=2, max_bytes=500)
    assert caught.value.status_code == 413


def test_photos_of_a_form_come_in_order_and_in_memory():
    content, kind = form(('a.jpg', b'0' * 2_000_000), ('', b'1'))
    body = Body([content[at : at + 65_536] for at in range(0, len(content), 65_536)], kind)
    first, second = read(body, max_photos=2)
    assert (first.name, first.content) == ('a.jpg', b'0' * 2_000_000)
    assert second.content == b'1'


@pytest.mark.parametrize(
    ('content', 'kind', 'status'),
    [
        (b'{}', 'application/json', 415),
        (b'a=b', 'application/x-www-form-urlencoded', 415),
        (b'x', 'multipart/form-data', 400),
        (b'--x\r\nrubbish', 'multipart/form-data; boundary=x', 422),
        (b'--y', 'multipart/form-data; boundary=x', 400),
        (b'--x--\r\n', 'multipart/form-data; boundary=x', 422),
        (form(('a', b'1'), ('b', b'2'))[0], 'multipart/form-data; boundary=x', 413),
    ],
)
def test_other_bodies_are_refused_in_one_line(content: bytes, kind: str, status: int):
    with pytest.raises(RefusalError) as caught:
        read(Body([content], kind))
    assert caught.value.status_code == status
    assert len(caught.value.detail.splitlines()) == 1


def test_an_upload_that_stalls_is_given_up():
    class Stalled(Body):
        async def receive(self) -> dict:
            await anyio.sleep_forever()

    with pytest.raises(RefusalError) as caught:
        read(Stalled([], 'image/jpeg'), upload_timeout_s=0.01)
    assert caught.value.status_code == 408


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match='max_batch=0'):
        Settings(max_batch=0)
    with pytest.raises(ValueError, match='max_photos=16'):
        Settings(max_under_way=8)


def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    for text, keys in (('', ()), (' a , b,', ('a', 'b'))):
        monkeypatch.setenv('FASHION_API_KEYS', text)
        assert keys_from_environment() == keys
    monkeypatch.setenv('FASHION_API_KEYS', ' , ')
    with pytest.raises(ValueError, match='holds no key'):
        keys_from_environment()
    monkeypatch.setenv('FASHION_API_KEYS', 'a,schlüssel')
    with pytest.raises(ValueError, match='key 2 is not plain ASCII'):
        keys_from_environment()
