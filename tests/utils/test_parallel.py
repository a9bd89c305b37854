"""The worker pool: in order, bounded, and never waiting for or outliving a process that was killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from processes import children_of, is_running, wait_until
from scipy.io import savemat
from worker_calls import (
    call_in_a_daemon,
    count_threads,
    die,
    die_in_the_middle_of_the_answer,
    fail,
    make_a_lock,
    recall,
    remember,
    wait_for_a_later_one,
)

from fashion_mmdet.analysis.tuning import score_cache
from fashion_mmdet.converters import ccp
from fashion_mmdet.converters.downscale import Options, copy, downscale
from fashion_mmdet.datasets import index_build
from fashion_mmdet.evaluation.postprocess import Postprocess
from fashion_mmdet.synthetic import make_sample, writer
from fashion_mmdet.utils.parallel import WorkerPool
from tests.conftest import ROOT

DEAD = r'a worker process was killed \(out of memory\?\): run the same command again'


def test_results_come_in_the_order_of_the_items(tmp_path: Path):
    """Items 0 and 1 wait for 2 and 3: four workers, none of which may block another."""
    with WorkerPool(4) as pool:
        assert list(pool.map(wait_for_a_later_one, [(tmp_path, number) for number in range(4)])) == [0, 1, 2, 3]


def test_a_long_list_is_read_only_a_little_ahead():
    """Two workers, eight calls each handed out, and one more a result: at most 18 after the second."""
    read = []

    def items() -> Iterator[int]:
        for number in range(1000):
            read.append(number)
            yield number

    with WorkerPool(2) as pool:
        results = pool.map(abs, items())
        assert [next(results), next(results)] == [0, 1]
        assert len(read) <= 18


def test_one_worker_is_this_process():
    with WorkerPool(1) as pool:
        assert list(pool.map(lambda _: os.getpid(), [0])) == [os.getpid()]


def test_a_worker_has_one_thread_and_is_initialized(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    with WorkerPool(2) as pool:
        assert {count for counts in pool.map(count_threads, range(2)) for count in counts} == {1}
    with WorkerPool(2, partial(remember, 'x')) as pool:
        assert list(pool.map(recall, range(2))) == ['x', 'x']
    assert 'OMP_NUM_THREADS' not in os.environ


def test_an_error_of_the_initializer_or_of_pickling_a_result_comes_as_it_is():
    with WorkerPool(2, partial(fail, 5)) as pool, pytest.raises(ValueError, match='no 5'):
        list(pool.map(abs, range(2)))
    with WorkerPool(2) as pool, pytest.raises(TypeError, match='pickle'):
        list(pool.map(make_a_lock, range(2)))


def test_within_a_worker_a_pool_stays_in_its_process():
    """Data loaders and this pool's workers are daemons, which may not have children."""
    with WorkerPool(2) as pool:
        assert list(pool.map(call_in_a_daemon, range(2))) == [1, 1]


def test_an_error_comes_as_it_is_with_the_workers_traceback_and_the_pool_goes_on():
    with WorkerPool(2) as pool:
        with pytest.raises(ValueError, match='no 3') as error:
            list(pool.map(fail, [3]))
        assert 'in fail' in str(error.value.__cause__)
        assert list(pool.map(abs, [-1, -2])) == [1, 2]


@pytest.mark.parametrize('death', [die, die_in_the_middle_of_the_answer])
@pytest.mark.parametrize('count', [1, 100])
def test_a_killed_worker_is_one_line_and_no_wait(death: Callable, count: int):
    """Also when all workers die, each with half an answer sent, and more items wait than there are workers."""
    with pytest.raises(ChildProcessError, match=DEAD), WorkerPool(2) as pool:
        list(pool.map(death, range(count)))
    assert not [process for process in pool._processes if process.is_alive()]


def drawn_sample(root: Path) -> None:
    make_sample(root, images=16, height=96, width=64, workers=2)


def shrunk_copy(root: Path) -> None:
    make_sample(root / 'source', images=3, height=96, width=64, workers=1)
    downscale(root / 'source', root / 'copy', Options(40), workers=2)


def built_index(root: Path) -> None:
    make_sample(root, images=3, height=96, width=64, workers=1)
    index_build.build_index(root / 'train.csv', root / 'index', workers=2)


def converted_ccp(root: Path) -> None:
    for folder in ('photos', 'annotations/pixel-level'):
        (root / folder).mkdir(parents=True)
    savemat(root / 'label_list.mat', {'label_list': np.array([['null', 'shirt']], object)})
    for stem in ('0001', '0002'):
        cv2.imwrite(str(root / 'photos' / f'{stem}.jpg'), np.zeros((20, 10, 3), np.uint8))
        savemat(root / 'annotations/pixel-level' / f'{stem}.mat', {'groundtruth': np.ones((20, 10), np.uint8)})
    list(ccp.convert_photos(root, root / 'target', workers=2))


def scored_dump(_: Path) -> None:
    with score_cache.ScoreCache([], {}, workers=2) as cache:
        cache.exact_score(range(4), Postprocess())


@pytest.mark.parametrize(
    ('work', 'step'),
    [
        (drawn_sample, (writer, '_draw_one')),
        (shrunk_copy, (copy, 'downscale_photo')),
        (built_index, (index_build, 'check_rows')),
        (converted_ccp, (ccp, '_convert_photo')),
        (scored_dump, (score_cache, '_run_in_worker')),
    ],
)
def test_whoever_maps_over_cores_says_that_a_worker_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Callable, step: tuple
):
    """What a worker of each does is replaced by kill -9; nothing that looks finished is left."""
    monkeypatch.setattr(*step, die)
    with pytest.raises(ChildProcessError, match=DEAD):
        work(tmp_path)
    assert not list(tmp_path.rglob('*.tmp'))
    assert not (tmp_path / 'index').exists()


SLEEP = """
import signal, sys, worker_calls
from fashion_mmdet.utils.parallel import WorkerPool
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets its background jobs ignore it
print('script', flush=True)
with WorkerPool(2) as pool:
    list(pool.map(worker_calls.sleep_and_tell, [sys.argv[1]] * 2))
"""


@pytest.fixture
def sleepers(tmp_path: Path) -> Iterator[tuple[subprocess.Popen, set[int]]]:
    """A script without a main guard whose two workers sleep, in a session of its own; their process ids."""
    (tmp_path / 'script.py').write_text(SLEEP)
    (tmp_path / 'pids').mkdir()
    path = os.pathsep.join([str(ROOT), str(ROOT / 'tests')])
    process = subprocess.Popen(
        [sys.executable, tmp_path / 'script.py', tmp_path / 'pids'],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, 'PYTHONPATH': path},
    )
    wait_until(lambda: len(list((tmp_path / 'pids').iterdir())) == 2 or process.poll() is not None, 'two workers')
    yield process, {int(path.name) for path in (tmp_path / 'pids').iterdir()}
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.slow
def test_workers_end_with_a_killed_parent(sleepers: tuple[subprocess.Popen, set[int]]):
    process, workers = sleepers
    assert len(workers) == 2
    helpers = workers | children_of(process.pid)
    process.kill()
    wait_until(lambda: not any(map(is_running, helpers)), 'the end of all workers')
    assert process.communicate()[0] == 'script\n'  # and no worker ran the script once more


@pytest.mark.slow
def test_ctrl_c_reaches_the_parent_alone(sleepers: tuple[subprocess.Popen, set[int]]):
    """A terminal sends it to the whole group. The calls at hand go on; killed here, since they would for 300 s."""
    process, workers = sleepers
    os.killpg(process.pid, signal.SIGINT)
    assert all(map(is_running, workers))
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    _, stderr = process.communicate(timeout=600)
    assert stderr.rstrip().splitlines()[-1] == 'KeyboardInterrupt'
    assert stderr.count('Traceback') == 1
