"""Load on the web service over loopback, in a process of its own: gathered batches beside single photos.

Eight clients ask as fast as they are answered. Then photos come at twice the rate that the service managed, whether
they are answered or not, and eight clients send photos of 24 megapixels with a hundred masks each.
"""

import multiprocessing
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np
from rich.progress import Progress

from fashion_mmdet.benchmarks.memory import rollup_bytes
from fashion_mmdet.benchmarks.timing import Table, ticker

CLIENTS, SECONDS = 8, float(os.environ.get('FASHION_BENCHMARK_SECONDS', 20))
PHOTOS = 12  # different ones, 960 x 640
LARGE = (4000, 6000)
ASK_FOR = '/v1/segment?threshold=0.3'
MODEL_VARIABLE = 'FASHION_BENCHMARK_MODEL'
HEADER = (
    'load',
    'photos/s',
    '200',
    '429',
    'others',
    'p50',
    'p95',
    'p99',
    'peak memory',
    'memory, first and last third',
)


@dataclass
class Load:
    """What came of a load: seconds of the answers by status, seconds it took, the service's memory."""

    answers: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0
    memory: list[int] = field(default_factory=list)

    def row(self, name: str, peak: int) -> tuple[str, ...]:
        """Write a row of the table; percentiles are of what was served."""
        counts = Counter(status for status, _ in self.answers)
        served = [spent for status, spent in self.answers if status == 200] or [np.nan]
        others = sum(counts.values()) - counts[200] - counts[429]
        third = max(1, len(self.memory) // 3)
        means = [np.mean(part) / 1e6 for part in (self.memory[:third], self.memory[-third:])]
        return (
            name,
            f'{counts[200] / self.seconds:.2f}',
            *(f'{count:,}' for count in (counts[200], counts[429], others)),
            *(f'{np.percentile(served, share):.2f} s' for share in (50, 95, 99)),
            f'{peak / 1e6:,.0f} MB',
            f'{means[0]:,.0f}, {means[1]:,.0f} MB',
        )


def run(rounds: int, progress: Progress | None) -> list[Table]:
    """Load the service with the shipped weights, or those that FASHION_BENCHMARK_MODEL names; one run of each."""
    tick = ticker(progress, 'serve', 4)
    photos, rows, rates = [draw_photo(seed) for seed in range(PHOTOS)], [], {}
    for name, max_batch in (('one at a time', 1), ('gathered', 8)):
        with Service(max_batch=max_batch) as service:
            load = closed_loop(service, photos, SECONDS)
        rates[name] = sum(status == 200 for status, _ in load.answers) / load.seconds
        rows.append(load.row(f'{CLIENTS} clients, {name}', service.peak_bytes))
        tick()
    with Service() as service:
        load = open_loop(service, photos, SECONDS, 2 * max(rates['one at a time'], 0.5))
    rows.append(load.row('twice what it can carry', service.peak_bytes))
    tick()
    with Service(finds=100) as service:
        load = closed_loop(service, [large_photo()], SECONDS)
    rows.append(load.row(f'{CLIENTS} clients, 24 megapixels, 100 masks', service.peak_bytes))
    tick()
    gain = rates['gathered'] / (rates['one at a time'] or np.nan)
    note = f'Over {SECONDS:g} s each. Gathering answers {gain:.2f} times as many photos. Peak: all of the process.'
    return [Table('web service under load', HEADER, rows, note)]


def draw_photo(seed: int) -> bytes:
    """Draw a person as a JPEG of 960 x 640."""
    from fashion_mmdet.synthetic import draw_person

    image, _ = draw_person(960, 640, np.random.default_rng(seed))
    return cv2.imencode('.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def large_photo() -> bytes:
    """Enlarge a drawn person to 24 megapixels."""
    small = cv2.imdecode(np.frombuffer(draw_photo(0), np.uint8), cv2.IMREAD_COLOR)
    return cv2.imencode('.jpg', cv2.resize(small, LARGE))[1].tobytes()


class Service(AbstractContextManager):
    """A service in a process of its own, while the context lasts; then `peak_bytes` has the most memory it held."""

    def __init__(self, max_batch: int = 1, finds: int | None = None) -> None:
        context = multiprocessing.get_context('spawn')
        here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, max_batch, finds), daemon=True)
        self._process.start()
        there.close()
        try:
            self.port = here.recv()
        except EOFError:
            raise RuntimeError('the service did not start') from None

    def __enter__(self) -> 'Service':
        return self

    def __exit__(self, *_: object) -> None:
        self.peak_bytes = peak_of(self._process.pid)
        self._process.terminate()
        self._process.join()

    @contextmanager
    def noting(self, memory: list[int]) -> Iterator[None]:
        """Note four times a second what the process holds, in bytes."""
        stop = threading.Event()

        def note() -> None:
            while not stop.wait(0.25):
                memory.append(rollup_bytes('Rss', self._process.pid))

        thread = threading.Thread(target=note)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def ask(self, photo: bytes) -> tuple[int, float]:
        """Send a photo; status (0 where the connection broke) and seconds."""
        start, connection = time.perf_counter(), HTTPConnection('127.0.0.1', self.port, timeout=120)
        try:
            connection.request('POST', ASK_FOR, photo, {'Content-Type': 'image/jpeg'})
            response = connection.getresponse()
            response.read()
            return response.status, time.perf_counter() - start
        except OSError:
            return 0, time.perf_counter() - start
        finally:
            connection.close()


def peak_of(pid: int) -> int:
    """Read the most resident memory of a process, in bytes, from Linux's /proc."""
    lines = Path(f'/proc/{pid}/status').read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith('VmHWM:'))


def _serve(end: Connection, max_batch: int, finds: int | None) -> None:
    from fashion_mmdet.inference import load_model
    from fashion_mmdet.service import server
    from fashion_mmdet.service.settings import Settings

    model = load_model(os.environ.get(MODEL_VARIABLE))
    if finds is not None:
        model.infer = find_many(model.infer, finds)
    listener = socket.create_server(('127.0.0.1', 0), backlog=500)
    server.serve(model, Settings(max_batch=max_batch), listener, on_ready=lambda: end.send(listener.getsockname()[1]))


def find_many(infer: Callable, count: int) -> Callable:
    """Let a model find so many things in every photo, each in a box of a third of its sides, all surely."""

    def infer_many(prepared: list) -> list:
        raws = infer(prepared)
        for raw in raws:
            rng = np.random.default_rng(0)
            corners = rng.random((count, 2)) * (raw.width * 2 / 3, raw.height * 2 / 3)
            raw.boxes = np.hstack([corners, corners + np.array([raw.width, raw.height]) / 3]).astype(np.float32)
            raw.categories, raw.scores = np.arange(count) % 46, rng.uniform(0.5, 1, count).astype(np.float32)
            raw.mask_probs = np.ones((count, 28, 28), np.float16)
            raw.attribute_probs = None
        return raws

    return infer_many


def closed_loop(service: Service, photos: list[bytes], seconds: float) -> Load:
    """Let each client ask again as soon as it is answered, after a second's pause where it was told to wait."""
    load, start = Load(), time.perf_counter()

    def client(number: int) -> None:
        turn = number
        while time.perf_counter() - start < seconds:
            load.answers.append(answer := service.ask(photos[turn % len(photos)]))
            if answer[0] == 429:
                time.sleep(1)
            turn += CLIENTS

    with service.noting(load.memory), ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    load.seconds = time.perf_counter() - start
    return load


def open_loop(service: Service, photos: list[bytes], seconds: float, rate: float) -> Load:
    """Send photos at a rate, whether those before are answered or not."""
    load, start = Load(), time.perf_counter()
    with service.noting(load.memory), ThreadPoolExecutor(200) as pool:
        for number in range(int(seconds * rate)):
            time.sleep(max(0.0, start + number / rate - time.perf_counter()))
            pool.submit(lambda photo: load.answers.append(service.ask(photo)), photos[number % len(photos)])
    load.seconds = time.perf_counter() - start
    return load
