"""Who may call: API keys, and the headers that keep a browser's pages apart."""

import hashlib
import hmac
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import APIKeyHeader

from fashion_mmdet.service.refusals import RefusalError

HEADERS = {
    'content-security-policy': (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
}
_HEADER = APIKeyHeader(name='X-API-Key', auto_error=False, description='needed where the service was given keys')


def is_known(given: str, keys: tuple[str, ...]) -> bool:
    """Compare with every key in a time that depends neither on the keys nor on where they differ."""
    digest, known = hashlib.sha256(given.encode()).digest(), False
    for key in keys:
        known |= hmac.compare_digest(digest, hashlib.sha256(key.encode()).digest())
    return known


async def need_key(request: Request, given: Annotated[str | None, Security(_HEADER)] = None) -> None:
    """Refuse a request without one of the keys, where there are any, before its body is read."""
    keys = request.app.state.settings.api_keys
    if keys and not is_known(given or '', keys):
        raise RefusalError(
            401, 'a key of this service must come in the header X-API-Key', {'WWW-Authenticate': 'ApiKey'}
        )
