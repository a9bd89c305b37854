"""The service as an ASGI application: routes, documentation, order of what happens to a request."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Protocol

import anyio
import numpy as np
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

import fashion_mmdet
from fashion_mmdet.service import access, page, refusals, schemas, similar
from fashion_mmdet.service.batching import FullError, Places
from fashion_mmdet.service.documents import BINARY, PHOTO_BODY, RESPONSES, write_json
from fashion_mmdet.service.handling import handle
from fashion_mmdet.service.middleware import AddHeaders, Count, Drain, Telemetry
from fashion_mmdet.service.settings import Settings
from fashion_mmdet.service.shelf import Shelf
from fashion_mmdet.service.uploads import Upload


class Backend(Protocol):
    """What answers uploads: `Segmenter` in this process, or replicas elsewhere."""

    labels: schemas.Labels
    places: Places

    def running(self) -> AbstractAsyncContextManager[None]:
        """Work while the context lasts."""

    async def segment(self, upload: Upload, options: schemas.Options) -> schemas.Answer:
        """Answer an upload; RefusalError where it cannot be."""

    async def embed(self, upload: Upload, options: schemas.Options) -> tuple[schemas.Answer, np.ndarray]:
        """Answer as `segment`, with the garments' embeddings, (N, D); only where a catalogue was given."""


router = APIRouter(prefix='/v1', dependencies=[Depends(access.need_key)], tags=['garments'])
Asked = Annotated[schemas.Options, Query()]


@router.post(
    '/segment',
    response_model=schemas.Answer,
    response_model_exclude_none=True,
    responses=RESPONSES,
    openapi_extra=PHOTO_BODY,
)
async def segment(request: Request, options: Asked) -> Response:
    """Find the garments of a photo: a file of a form, or the bytes of the file as the body.

    curl -F photo=@photo.jpg 'http://localhost:8080/v1/segment?threshold=0.4'
    curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' 'http://localhost:8080/v1/segment?masks=polygon'
    """
    backend = request.app.state.backend

    async def work(uploads: list[Upload]) -> schemas.Answer:
        return await backend.segment(uploads[0], options)

    return write_json(await handle(request, 1, work))


@router.post(
    '/segment:batch',
    response_model=schemas.BatchAnswer,
    response_model_exclude_none=True,
    responses=RESPONSES,
    openapi_extra=dict(
        requestBody=dict(
            required=True,
            content={
                'multipart/form-data': dict(
                    schema=dict(
                        type='object', required=['photos'], properties=dict(photos=dict(type='array', items=BINARY))
                    )
                )
            },
        )
    ),
)
async def segment_batch(request: Request, options: Asked) -> Response:
    """Find the garments of several photos; what is wrong with one does not concern the others.

    curl -F photos=@a.jpg -F photos=@b.jpg http://localhost:8080/v1/segment:batch
    """
    backend = request.app.state.backend

    async def work(uploads: list[Upload]) -> schemas.BatchAnswer:
        outcomes = [schemas.Outcome() for _ in uploads]

        async def fill(outcome: schemas.Outcome, upload: Upload) -> None:
            try:
                outcome.answer = await backend.segment(upload, options)
            except Exception as error:
                problem = refusals.refuse(error)
                outcome.problem = schemas.Problem(**refusals.describe(problem.status_code, problem.detail))

        async with anyio.create_task_group() as group:
            for outcome, upload in zip(outcomes, uploads, strict=True):
                group.start_soon(fill, outcome, upload)
        return schemas.BatchAnswer(outcomes=outcomes)

    return write_json(await handle(request, request.app.state.settings.max_photos, work))


@router.get('/labels', response_model=schemas.Labels, responses={401: RESPONSES[401]})
async def labels(request: Request) -> Response:
    """Say what the model can find, its own thresholds, and what an upload may be."""
    settings, shelf = request.app.state.settings, request.app.state.shelf
    limits = schemas.Limits(
        max_bytes=settings.max_bytes, max_pixels=settings.max_pixels, max_photos=settings.max_photos
    )
    known = dict(limits=limits, catalogue=shelf and shelf.describe())
    return write_json(request.app.state.backend.labels.model_copy(update=known))


state_router = APIRouter(tags=['state'])


@state_router.get('/healthz')
async def healthz() -> schemas.State:
    """Say that the process lives."""
    return schemas.State(status='ok')


@state_router.get('/readyz', responses={503: RESPONSES[503]})
async def readyz(request: Request) -> schemas.State:
    """Say whether there is a place for a photo now."""
    try:
        with request.app.state.backend.places.take():
            return schemas.State(status='ready')
    except FullError as error:
        raise refusals.RefusalError(503, 'as many photos as allowed are under way') from error


@state_router.get('/metrics', response_class=Response)
async def metrics(request: Request) -> Response:
    """Give counts and times in Prometheus' text format."""
    return Response(generate_latest(request.app.state.telemetry.registry), media_type=CONTENT_TYPE_LATEST)


def create_app(
    backend: Backend, settings: Settings, telemetry: Telemetry | None = None, shelf: Shelf | None = None
) -> FastAPI:
    """Make the application.

    Args:
        backend: answers uploads.
        settings: limits and options.
        telemetry: what `/metrics` tells; where a backend tells it of batches, the same one.
        shelf: catalogue to search; without one there is no `/v1/similar`.
    """
    telemetry = telemetry or Telemetry()
    telemetry.under_way.set_function(lambda: backend.places.taken)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with backend.running():
            yield

    app = FastAPI(
        title='fashion_mmdet',
        version=fashion_mmdet.__version__,
        description='Find, outline and name the garments of a photo.',
        docs_url=None,  # both load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        exception_handlers={
            HTTPException: refusals.answer_refusal,
            RequestValidationError: refusals.answer_invalid,
            Exception: refusals.answer_defect,
        },
    )
    app.state.backend, app.state.settings, app.state.telemetry = backend, settings, telemetry
    app.state.shelf = shelf
    app.include_router(router)
    if shelf:
        app.include_router(similar.router)
    app.include_router(state_router)
    app.include_router(page.router)
    app.mount('/static', StaticFiles(directory=page.STATIC))
    # The last one added comes first.
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=['GET', 'POST'],
            allow_headers=['X-API-Key'],
        )
    app.add_middleware(AddHeaders, headers=access.HEADERS)
    app.add_middleware(Drain, max_bytes=settings.max_bytes)
    app.add_middleware(Count, telemetry=telemetry)
    return app
