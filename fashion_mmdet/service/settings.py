"""What whoever runs the service may set."""

import os
from dataclasses import dataclass

from fashion_mmdet.utils.checks import COUNT, POSITIVE, Interval, check_number

KEYS_VARIABLE = 'FASHION_API_KEYS'
RANGES = dict(
    max_bytes=COUNT,
    max_pixels=COUNT,
    max_photos=COUNT,
    max_batch=COUNT,
    max_wait_s=Interval(0),
    max_under_way=COUNT,
    timeout_s=POSITIVE,
    upload_timeout_s=POSITIVE,
)


@dataclass(frozen=True)
class Settings:
    """Limits and options of the service; the defaults suit one small machine.

    Attributes:
        max_bytes: most bytes of a photo, and of the body of a request with one.
        max_pixels: most pixels of a photo, known from its header before it is decoded.
        max_photos: most photos of a request to `/v1/segment:batch`; its body has at most twice `max_bytes`.
        max_batch: most photos that the model sees at once. On a CPU a batch takes longer than its photos one by one
            (README, "Web service"); on a GPU 8 suit.
        max_wait_s: seconds that a photo waits for others to share its batch with.
        max_under_way: photos that may be under way at once, from the first byte of their upload; more are answered 429.
        timeout_s: seconds from the end of the upload to the answer; then 503.
        upload_timeout_s: seconds that an upload may take; then 408.
        api_keys: one of them must come in the header X-API-Key; none are needed where it is empty.
        cors_origins: origins whose pages may call the service from a browser; '*' for any.

    Raises:
        ValueError: a number out of its range.
    """

    max_bytes: int = 25 * 2**20
    max_pixels: int = 50_000_000
    max_photos: int = 16
    max_batch: int = 1
    max_wait_s: float = 0.005
    max_under_way: int = 32
    timeout_s: float = 30.0
    upload_timeout_s: float = 30.0
    api_keys: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, interval in RANGES.items():
            check_number(name, getattr(self, name), interval)
        if self.max_photos > self.max_under_way:
            raise ValueError(
                f'max_photos={self.max_photos}: a request may not hold more than max_under_way={self.max_under_way}'
            )


def keys_from_environment() -> tuple[str, ...]:
    """Read the API keys, separated by commas, from FASHION_API_KEYS; none where it is unset or empty.

    Raises:
        ValueError: it is set, but holds no key, or one that cannot come in a header.
    """
    text = os.environ.get(KEYS_VARIABLE, '')
    keys = tuple(key.strip() for key in text.split(',') if key.strip())
    if text and not keys:
        raise ValueError(f'{KEYS_VARIABLE}: holds no key; unset it to let everybody in')
    for number, key in enumerate(keys, 1):
        if not key.isascii() or not key.isprintable():
            raise ValueError(f'{KEYS_VARIABLE}: key {number} is not plain ASCII, as headers are')
    return keys
