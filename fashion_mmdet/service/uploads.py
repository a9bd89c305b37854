"""Read photos from requests: bounded while they arrive, recognized by content, measured before they are decoded."""

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass

import anyio
from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from fashion_mmdet.datasets.image_formats import identify, read_jpeg_head, stored_size
from fashion_mmdet.service.refusals import RefusalError
from fashion_mmdet.service.settings import Settings

# Each scan of a progressive JPEG costs a pass over the image, however few bytes it has; encoders write about ten.
MAX_SCANS = 200
SCAN = b'\xff\xda'


@dataclass(frozen=True)
class Upload:
    """A photo as it came: its name, '' where it has none, and the content of its file."""

    name: str
    content: bytes


class InMemoryParser(MultiPartParser):
    """A parser of multipart bodies that writes no file: the body is bounded before."""

    spool_max_size = 2**40


async def read_uploads(request: Request, settings: Settings, max_photos: int) -> list[Upload]:
    """Read the photos of a request: the files of a multipart body, or a body that is a photo.

    Args:
        request: not yet read.
        settings: bounds.
        max_photos: most photos; with more than one the body may be twice as large.

    Raises:
        RefusalError: 400 broken, 408 too slow, 413 too large, 415 another kind of body, 422 without a photo.
    """
    limit = settings.max_bytes * (1 + (max_photos > 1))
    try:
        with anyio.fail_after(settings.upload_timeout_s):
            announced = request.headers.get('content-length', '')
            if announced.isdecimal() and int(announced) > limit:
                raise _too_large(limit)
            kind, options = parse_options_header(request.headers.get('content-type'))
            if kind == b'multipart/form-data':
                uploads = await _read_form(request, options, limit, max_photos)
            elif kind in (b'application/x-www-form-urlencoded', b'application/json'):
                raise RefusalError(415, 'send the photo as multipart/form-data, or its bytes as the body')
            else:
                uploads = [Upload('', b''.join([chunk async for chunk in _bounded(request, limit)]))]
    except TimeoutError:
        raise RefusalError(408, f'the upload took longer than {settings.upload_timeout_s:g} s') from None
    for upload in uploads:
        if len(upload.content) > settings.max_bytes:
            raise _too_large(settings.max_bytes, upload.name)
    return uploads


async def _bounded(request: Request, limit: int) -> AsyncIterator[bytes]:
    """Pass the chunks of a body on, up to a limit, whatever length was announced."""
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > limit:
            raise _too_large(limit)
        yield chunk


async def _read_form(request: Request, options: dict, limit: int, max_photos: int) -> list[Upload]:
    if b'boundary' not in options:
        raise RefusalError(400, 'multipart/form-data without a boundary')
    parser = InMemoryParser(request.headers, _bounded(request, limit), max_files=max_photos, max_fields=10)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        too_many = error.message.startswith('Too many files')
        detail = f'more than {max_photos} photos' if too_many else f'a broken multipart body: {error.message}'
        raise RefusalError(413 if too_many else 400, detail) from None
    except (ValueError, UnicodeError) as error:
        raise RefusalError(400, f'a broken multipart body: {error}') from None
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    if not files:
        raise RefusalError(422, 'no photo: send it as a file of the form, such as photo=@photo.jpg')
    return [Upload(one.filename or '', await one.read()) for one in files]


def _too_large(limit: int, name: str = '') -> RefusalError:
    return RefusalError(413, f'{name or "the upload"}: more than {limit / 2**20:.3g} MiB')


def check_photo(content: bytes, max_pixels: int) -> tuple[int, int]:
    """Find the size of a photo in its header.

    Returns:
        Height and width as stored, before EXIF turns the photo.

    Raises:
        RefusalError: 413 too many pixels, 415 no photo, 422 empty or broken.
    """
    if not content:
        raise RefusalError(422, 'the photo is empty')
    kind = identify(content[:12])
    if kind is None:
        raise RefusalError(415, 'not a JPEG, PNG, WebP, BMP or TIFF')
    file = io.BytesIO(content)
    if kind == 'JPEG':
        head = read_jpeg_head(file)
        size = (head.height, head.width) if head else None
        if content.count(SCAN) > MAX_SCANS:
            raise RefusalError(422, f'a JPEG of more than {MAX_SCANS} scans: save it again')
    else:
        size = stored_size(file, kind)
    if size is None or min(size) < 1:
        raise RefusalError(422, f'the {kind} is cut off, or broken inside')
    if size[0] * size[1] > max_pixels:
        raise RefusalError(
            413, f'a photo of {size[1]}x{size[0]} pixels: at most {max_pixels / 1e6:g} megapixels are read'
        )
    return size
