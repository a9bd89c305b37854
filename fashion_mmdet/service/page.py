"""The page at `/`, its files and its example photos."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from fashion_mmdet.service.refusals import RefusalError
from fashion_mmdet.synthetic import draw_person

STATIC = Path(__file__).parent / 'static'
NO_STORE = {'cache-control': 'no-cache'}
router = APIRouter(include_in_schema=False)


@router.get('/')
async def index(request: Request) -> FileResponse:
    """Give the page."""
    return FileResponse(STATIC / 'index.html', headers=NO_STORE)


@router.get('/examples/{name}.jpg')
async def example(name: str) -> Response:
    """Give an example photo."""
    if name not in EXAMPLES:
        raise RefusalError(404, f'no such example: there are {", ".join(EXAMPLES)}')
    return Response(await to_thread.run_sync(_load, name), media_type='image/jpeg')


@cache
def _load(name: str) -> bytes:
    return EXAMPLES[name]()


def _hopper() -> bytes:
    """Read the portrait of Grace Hopper that matplotlib ships, a work of the US Navy in the public domain."""
    import matplotlib

    return Path(matplotlib.get_data_path(), 'sample_data', 'grace_hopper.jpg').read_bytes()


def _draw(seed: int) -> bytes:
    image, _ = draw_person(960, 640, np.random.default_rng(seed))
    return cv2.imencode('.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


EXAMPLES: dict[str, Callable[[], bytes]] = {
    'hopper': _hopper,
    'drawn-1': lambda: _draw(1),
    'drawn-2': lambda: _draw(2),
}
