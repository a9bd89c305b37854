"""What tests let workers do. A worker imports this module, so it is a light one."""

import os
import signal
import threading
import time
from multiprocessing import connection
from pathlib import Path

from processes import wait_until

from fashion_mmdet.utils.parallel import WorkerPool


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_in_the_middle_of_the_answer(_: int) -> bytes:
    """The length of 10,000 bytes and the first half of them reach the parent."""

    def send_half(self: connection.Connection, content: bytes) -> None:
        os.write(self.fileno(), bytes(content)[: len(content) // 2])
        die()

    connection.Connection._send = send_half
    return bytes(10_000)


def fail(number: int) -> None:
    raise ValueError(f'no {number}')


def make_a_lock(_: int) -> object:
    return threading.Lock()


def count_threads(_: int) -> list[int]:
    """Count the threads of OpenCV and of each library for sums."""
    import cv2
    from threadpoolctl import threadpool_info

    return [cv2.getNumThreads(), *(pool['num_threads'] for pool in threadpool_info())]


def wait_for_a_later_one(job: tuple[Path, int]) -> int:
    """Answer in another order than asked: the first two once the next two are done."""
    folder, number = job
    if number < 2:
        wait_until(lambda: (folder / str(number + 2)).exists(), 'the later item')
    (folder / str(number)).touch()
    return number


def remember(value: str) -> None:
    os.environ['REMEMBERED'] = value


def recall(_: int) -> str:
    return os.environ['REMEMBERED']


def call_in_a_daemon(_: int) -> int:
    with WorkerPool(4) as pool:
        return pool.workers


def sleep_and_tell(folder: str) -> None:
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(300)
