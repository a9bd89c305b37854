"""How the routes document themselves, and how they write their answers."""

from typing import Any

from fastapi import Response
from pydantic import BaseModel

BINARY = dict(type='string', format='binary')
PHOTO_TYPES = ('image/jpeg', 'image/png', 'image/webp', 'image/bmp', 'image/tiff', 'application/octet-stream')
PHOTO_BODY = dict(
    requestBody=dict(
        required=True,
        content={
            'multipart/form-data': dict(
                schema=dict(type='object', required=['photo'], properties=dict(photo=BINARY)),
            ),
            **{kind: dict(schema=BINARY) for kind in PHOTO_TYPES},
        },
    )
)
PROBLEMS = {
    400: 'a body that cannot be read',
    401: 'no key, or not one of this service',
    408: 'the upload took too long',
    413: 'too many bytes, pixels or photos',
    415: 'not a photo',
    422: 'a photo that is cut off or broken, or an option out of its range',
    429: 'as many photos as allowed are under way: try again after the seconds in Retry-After',
    503: 'not answered in time, or the service is about to stop',
}
SCHEMA = {'application/problem+json': {'schema': {'$ref': '#/components/schemas/Problem'}}}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: dict(description=text, content=SCHEMA) for status, text in PROBLEMS.items()
}


def write_json(content: BaseModel) -> Response:
    """Answer with a model; what it has not is left out."""
    return Response(content.model_dump_json(exclude_none=True), media_type='application/json')
