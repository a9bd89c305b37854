"""The way of a request with photos: a place, the upload, the work, for as long as somebody waits for it."""

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TypeVar

import anyio
from fastapi import Request
from starlette.requests import ClientDisconnect

from fashion_mmdet.service.refusals import GONE, RefusalError, refuse
from fashion_mmdet.service.uploads import Upload, read_uploads

Made = TypeVar('Made')


async def handle(request: Request, max_photos: int, work: Callable[[list[Upload]], Awaitable[Made]]) -> Made:
    """Read a request's photos and do the work.

    Places are taken before the first byte is read, so that what waits is bounded in memory too.

    Raises:
        RefusalError: no place, an upload that cannot be read, or no answer in time.
    """
    settings, backend = request.app.state.settings, request.app.state.backend
    try:
        with ExitStack() as places:
            places.enter_context(backend.places.take(1))
            uploads = await read_uploads(request, settings, max_photos)
            places.enter_context(backend.places.take(len(uploads) - 1))
            with anyio.fail_after(settings.timeout_s):
                return await _while_connected(request, lambda: work(uploads))
    except ClientDisconnect:
        raise RefusalError(GONE, 'the client has gone') from None
    except TimeoutError:
        raise RefusalError(503, f'not answered within {settings.timeout_s:g} s: try again later') from None
    except Exception as error:
        raise refuse(error) from error


async def _while_connected(request: Request, work: Callable[[], Awaitable[Made]]) -> Made:
    """Await work whose request has been read; cancel it when the client goes."""
    made: list[Made] = []
    error: Exception = RefusalError(GONE, 'the client has gone')
    async with anyio.create_task_group() as group:

        async def listen() -> None:
            while (await request.receive())['type'] != 'http.disconnect':
                pass
            group.cancel_scope.cancel()

        group.start_soon(listen)
        try:
            made.append(await work())
        except Exception as one:  # outside of the group, which would wrap it
            error = one
        group.cancel_scope.cancel()
    if made:
        return made[0]
    raise error
