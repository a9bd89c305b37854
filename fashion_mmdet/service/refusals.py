"""Answers to what cannot be served: a status and one line that says what is wrong and what to do."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from fashion_mmdet.service.batching import FullError, StoppedError

RETRY_AFTER_S = 1
GONE = 499  # as nginx has it: the client left, nobody reads the answer
PROBLEM = 'application/problem+json'


class RefusalError(HTTPException):
    """A request, or a photo of one, that is answered with a status and one line."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        if status in (429, 503):
            headers = {'Retry-After': str(RETRY_AFTER_S), **(headers or {})}
        super().__init__(status, detail, headers)

    def __reduce__(self) -> tuple:
        """Let it pass between processes."""
        return RefusalError, (self.status_code, self.detail, self.headers)


def refuse(error: Exception) -> RefusalError:
    """Say what went wrong with a photo; a defect goes to the log, not to strangers."""
    if isinstance(error, RefusalError):
        return error
    if isinstance(error, FullError):
        return RefusalError(429, 'too many photos are under way: try again in a moment')
    if isinstance(error, StoppedError):
        return RefusalError(503, 'the service is about to stop: try again in a moment')
    logging.getLogger(__name__).error('a photo failed', exc_info=error)
    return RefusalError(500, 'something went wrong here; the log of the service says what')


def describe(status: int, detail: str) -> dict[str, Any]:
    """Write a problem as RFC 9457 has it, its detail in one line whatever a stranger's names hold."""
    title = HTTPStatus(status).phrase if status in set(HTTPStatus) else ''
    return dict(type='about:blank', title=title, status=status, detail=' '.join(detail.split()))


async def answer_refusal(request: Request, error: HTTPException) -> JSONResponse:
    """Answer what was refused, a page that is not there, a method that does not fit."""
    return JSONResponse(describe(error.status_code, error.detail), error.status_code, error.headers, media_type=PROBLEM)


async def answer_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    """Answer options out of their range, all of them in one line."""
    lines = [f'{".".join(map(str, one["loc"][1:]))}: {one["msg"]}' for one in error.errors()]
    return JSONResponse(describe(422, '; '.join(lines)), 422, media_type=PROBLEM)


async def answer_defect(request: Request, error: Exception) -> JSONResponse:
    """Answer a defect; the server logs its traceback."""
    return JSONResponse(
        describe(500, 'something went wrong here; the log of the service says what'), 500, media_type=PROBLEM
    )
