"""What happens to every request: its answer's headers, a refused upload read to its end, its count and time."""

import time

import anyio
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DRAIN_S = 5
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class AddHeaders:
    """Add headers to every answer."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self.app, self.headers = app, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""

        async def add(message: Message) -> None:
            if message['type'] == 'http.response.start':
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        await self.app(scope, receive, add if scope['type'] == 'http' else send)


class Drain:
    """Discard the rest of a refused upload before the answer: a client that only writes would not get to read it.

    Args:
        app: application.
        max_bytes: give up after so many; the connection is then closed, as it is after `DRAIN_S` seconds.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app, self.max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope['type'] != 'http':
            return await self.app(scope, receive, send)
        # Who asks first (Expect: 100-continue) has sent nothing yet and needs not.
        is_read = 'expect' in Headers(scope=scope)

        async def track() -> Message:
            nonlocal is_read
            message = await receive()
            is_read = not message.get('more_body', False)
            return message

        async def answer(message: Message) -> None:
            if message['type'] == 'http.response.start' and message['status'] >= 400:
                left = self.max_bytes
                with anyio.move_on_after(DRAIN_S):
                    while not is_read and left > 0:
                        left -= len((await track()).get('body', b''))
            await send(message)

        return await self.app(scope, track, answer)


class Telemetry:
    """What `/metrics` tells, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter('fashion_requests', 'Answered requests', ('path', 'status'), registry=self.registry)
        self.seconds = Histogram(
            'fashion_request_seconds',
            'From the first byte to the answer',
            ('path',),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.batch_size = Histogram(
            'fashion_batch_photos', 'Photos in a batch', buckets=(1, 2, 4, 8, 16, 32), registry=self.registry
        )
        self.batch_seconds = Histogram(
            'fashion_batch_seconds', 'Time of a batch in the model', buckets=SECONDS, registry=self.registry
        )
        self.under_way = Gauge('fashion_photos_under_way', 'Photos not yet answered', registry=self.registry)

    def count_batch(self, size: int, seconds: float) -> None:
        """Note a batch."""
        self.batch_size.observe(size)
        self.batch_seconds.observe(seconds)


class Count:
    """Count requests and their time by route; what has no route is 'other'."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self.app, self.telemetry = app, telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope['type'] != 'http':
            return await self.app(scope, receive, send)
        start, status = time.perf_counter(), 500

        async def note(message: Message) -> None:
            nonlocal status
            if message['type'] == 'http.response.start':
                status = message['status']
            await send(message)

        try:
            await self.app(scope, receive, note)
        finally:
            path = getattr(scope.get('route'), 'path', 'other')
            self.telemetry.requests.labels(path, status).inc()
            self.telemetry.seconds.labels(path).observe(time.perf_counter() - start)
