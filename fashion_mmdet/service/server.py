"""Run the service: a model, an address, uvicorn."""

import logging
import socket
from collections.abc import Callable

import uvicorn

from fashion_mmdet.inference.model import Model
from fashion_mmdet.service.app import Backend, create_app
from fashion_mmdet.service.middleware import Telemetry
from fashion_mmdet.service.page import EXAMPLES
from fashion_mmdet.service.schemas import Options
from fashion_mmdet.service.segmenter import Segmenter
from fashion_mmdet.service.settings import Settings
from fashion_mmdet.service.shelf import Shelf
from fashion_mmdet.service.uploads import Upload

MAX_CONNECTIONS = 500  # each costs a few KB while it waits for its turn to be refused


def listen(host: str, port: int) -> socket.socket:
    """Take an address; OSError where it is taken or not this machine's."""
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=MAX_CONNECTIONS)
    except OSError as error:
        raise OSError(error.errno, error.strerror, f'{host}:{port}') from None


def address_of(listener: socket.socket) -> str:
    """Write where a socket listens as a URL."""
    host, port = listener.getsockname()[:2]
    return f'http://[{host}]:{port}' if ':' in host else f'http://{host}:{port}'


def warm_up(segmenter: Segmenter, embeds: bool = False) -> None:
    """Answer an example before anybody waits: loops compile, torch allocates."""
    answer = segmenter.embed_alone if embeds else segmenter.answer_alone
    answer(Upload('', EXAMPLES['hopper']()), Options(masks='polygon'))


def serve(
    model: Model,
    settings: Settings,
    listener: socket.socket,
    on_ready: Callable[[], None] = lambda: None,
    shelf: Shelf | None = None,
) -> None:
    """Serve a model until interrupted or terminated; what has begun is finished.

    Args:
        model: answers photos.
        settings: limits and options.
        listener: takes connections already; they wait until the model is warm.
        on_ready: called when it is.
        shelf: catalogue to search.
    """
    telemetry = Telemetry()
    segmenter = Segmenter(model, settings, telemetry.count_batch, projection=shelf and shelf.projection)
    warm_up(segmenter, embeds=shelf is not None)
    on_ready()
    serve_backend(segmenter, settings, listener, telemetry, shelf)


def serve_backend(
    backend: Backend,
    settings: Settings,
    listener: socket.socket,
    telemetry: Telemetry | None = None,
    shelf: Shelf | None = None,
) -> None:
    """Serve what answers photos, as `serve`."""
    config = uvicorn.Config(
        create_app(backend, settings, telemetry, shelf),
        log_level='info',
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=int(settings.upload_timeout_s + settings.timeout_s) + 1,
    )
    logging.getLogger('uvicorn.error').info(
        '%s (%s) on %s', backend.labels.name, backend.labels.model, address_of(listener)
    )
    uvicorn.Server(config).run(sockets=[listener])
