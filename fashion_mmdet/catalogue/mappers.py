"""Where the work of a catalogue runs: in a pool of processes on this machine, or on Ray."""

import logging
import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch

from fashion_mmdet.utils.parallel import WorkerPool, count_cores

# Calls a worker that Ray gets at once, 2,048 photos: for each such lot it starts its actors anew, and they load the
# model; what waits of a lot is in its memory.
WINDOW = 128


@contextmanager
def open_mapper(ray: str | None = None, workers: int | None = None, device: str | None = None) -> Iterator[Callable]:
    """Open what maps a function over items, in order.

    Args:
        ray: 'local', or the address of a cluster; None for processes on this machine.
        workers: processes; None for one a core, each with one thread, or a single one where a GPU does the work.
        device: of the model, as in `load_model`.

    Raises:
        ValueError: the extra `ray` is missing.
    """
    if ray is None:
        has_gpu = torch.cuda.is_available() if device is None else device != 'cpu'
        with WorkerPool(1 if workers is None and has_gpu else workers) as pool:
            yield pool.map
        return
    library = _import_ray()
    logging.getLogger('ray.data').setLevel(logging.ERROR)  # two lines a lot otherwise
    library.init(
        None if ray == 'local' else ray,
        log_to_driver=False,
        logging_level='ERROR',
        include_dashboard=False if ray == 'local' else None,
    )
    library.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield _RayMap(
            library, workers or (count_cores() if ray == 'local' else int(library.cluster_resources()['CPU']))
        )
    finally:
        library.shutdown()


def _import_ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError:
        raise ValueError('Ray is not installed: pip install -e .[ray]') from None
    return ray


class _RayMap:
    """Map on Ray Data, lot by lot, so that the driver holds a few chunks only."""

    def __init__(self, library: Any, workers: int) -> None:
        self._ray, self._workers = library, workers

    def __call__(self, function: Callable, items: Iterable) -> Iterator:
        items = iter(items)
        while lot := list(islice(items, WINDOW * self._workers)):
            rows = [dict(number=number, item=pickle.dumps(item)) for number, item in enumerate(lot)]
            data = self._ray.data.from_items(rows, override_num_blocks=len(rows))
            actors = self._ray.data.ActorPoolStrategy(size=min(self._workers, len(rows)))
            mapped = data.map(_Caller, fn_constructor_args=(function,), compute=actors, num_cpus=1)
            for row in sorted(mapped.iter_rows(), key=lambda row: row['number']):
                yield pickle.loads(row['answer'])


class _Caller:
    """An actor that calls the function; its process keeps the model between calls."""

    def __init__(self, function: Callable) -> None:
        torch.set_num_threads(1)
        self._function = function

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return dict(number=row['number'], answer=pickle.dumps(self._function(pickle.loads(row['item']))))
