"""Routes of a service with a catalogue: what is like the garments of a photo, and the catalogue's pictures."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from fashion_mmdet.service import access
from fashion_mmdet.service.documents import PHOTO_BODY, RESPONSES, SCHEMA, write_json
from fashion_mmdet.service.handling import handle
from fashion_mmdet.service.similar_schemas import SimilarAnswer, SimilarOptions
from fashion_mmdet.service.uploads import Upload

PICTURE_HEADERS = {'cache-control': 'private, max-age=3600'}
router = APIRouter(prefix='/v1', dependencies=[Depends(access.need_key)], tags=['catalogue'])


@router.post(
    '/similar',
    response_model=SimilarAnswer,
    response_model_exclude_none=True,
    responses=RESPONSES,
    openapi_extra=PHOTO_BODY,
)
async def similar(request: Request, options: Annotated[SimilarOptions, Query()]) -> Response:
    """Find the garments of a photo, and what is like each of them in the catalogue.

    curl -F photo=@photo.jpg 'http://localhost:8080/v1/similar?garment=0&same_category=true&at_most=price=50'
    """
    backend, shelf = request.app.state.backend, request.app.state.shelf
    question = shelf.read(options)

    async def work(uploads: list[Upload]) -> SimilarAnswer:
        found = await backend.embed(uploads[0], options)
        return await to_thread.run_sync(shelf.find, *found, question, abandon_on_cancel=True, limiter=shelf.threads)

    return write_json(await handle(request, 1, work))


@router.get(
    '/catalogue/photo/{row}',
    response_class=Response,
    responses={
        200: dict(content={'image/jpeg': {}}),
        401: RESPONSES[401],
        404: dict(description='no such garment, or its photo is not at hand', content=SCHEMA),
        422: dict(description='no number', content=SCHEMA),
    },
)
async def picture(request: Request, row: Annotated[int, Path(ge=0)]) -> Response:
    """Give a garment of the catalogue, cut out of its photo by its box, as a small JPEG."""
    shelf, max_pixels = request.app.state.shelf, request.app.state.settings.max_pixels
    content = await to_thread.run_sync(shelf.picture, row, max_pixels, abandon_on_cancel=True, limiter=shelf.threads)
    return Response(content, media_type='image/jpeg', headers=PICTURE_HEADERS)
