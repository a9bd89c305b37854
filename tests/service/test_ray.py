"""Two replicas on a local Ray: the same answers as the model in this process, also after one was killed."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytest.importorskip('fastapi')
anyio = pytest.importorskip('anyio')
ray = pytest.importorskip('ray')
serve = pytest.importorskip('ray.serve')

from processes import is_running, wait_until  # noqa: E402

from fashion_mmdet.inference import load_model  # noqa: E402
from fashion_mmdet.service import ray_backend  # noqa: E402
from fashion_mmdet.service.refusals import RefusalError  # noqa: E402
from fashion_mmdet.service.schemas import Options  # noqa: E402
from fashion_mmdet.service.segmenter import Segmenter  # noqa: E402
from fashion_mmdet.service.settings import Settings  # noqa: E402
from fashion_mmdet.service.uploads import Upload  # noqa: E402

pytestmark = pytest.mark.slow
SETTINGS, OPTIONS = Settings(max_batch=2), Options(threshold=0.05)


@pytest.fixture(scope='module')
def backend(tiny_run: Path) -> Iterator[ray_backend.RayBackend]:
    # Ray's workers yield to all others: on a busy machine they would not start in time.
    os.environ['RAY_worker_niceness'] = '0'  # noqa: SIM112
    ray.init('local', num_cpus=4, include_dashboard=False, log_to_driver=False)
    yield ray_backend.start(str(tiny_run), SETTINGS, (2, 2))
    serve.shutdown()
    ray.shutdown()


@pytest.fixture(scope='module')
def uploads(sample_root: Path) -> list[Upload]:
    return [Upload(path.name, path.read_bytes()) for path in sorted((sample_root / 'test').iterdir())]


def ask_all(backend: ray_backend.RayBackend, uploads: list[Upload]) -> list:
    async def main() -> list:
        answers = [None] * len(uploads)

        async def ask(place: int) -> None:
            answers[place] = await backend.segment(uploads[place], OPTIONS)

        async with anyio.create_task_group() as group:
            for place in range(len(uploads)):
                group.start_soon(ask, place)
        return answers

    return anyio.run(main)


def replica_pids() -> set[int]:
    """List the replicas among this process's descendants, which Ray names by what they do."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and 'replica' in ' '.join(process.cmdline()[:1]).lower():
                found.add(process.pid)
    return found


def test_replicas_answer_as_the_model_does_and_outlive_one_of_them(backend, uploads: list[Upload], tiny_run: Path):
    segmenter = Segmenter(load_model(str(tiny_run)), SETTINGS)
    wanted = [segmenter.answer_alone(upload, OPTIONS) for upload in uploads]
    assert any(answer.garments for answer in wanted)
    assert ask_all(backend, uploads) == wanted
    assert backend.labels == segmenter.labels
    with pytest.raises(RefusalError) as caught:
        anyio.run(backend.segment, Upload('a.gif', b'GIF89a'), OPTIONS)
    assert (caught.value.status_code, caught.value.detail) == (415, 'not a JPEG, PNG, WebP, BMP or TIFF')

    before = replica_pids()
    assert len(before) == 2
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: not is_running(victim), 'the replica is dead')
    assert ask_all(backend, 3 * uploads) == 3 * wanted
    wait_until(lambda: len(replica_pids()) == 2 and victim not in replica_pids(), 'another has taken its place')
