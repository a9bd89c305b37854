"""A hook for tests: writes down which images each iteration saw and at which learning rate."""

import os
import signal
from pathlib import Path

import remembered  # noqa: F401  in a process that a test starts, configs dump faster
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module(force=True)
class RecordBatches(Hook):
    """Appends `epoch iteration rate images` to `batches.txt` in the work_dir.

    Args:
        kill_after: the number of iterations after which the process ends itself as by kill -9.
    """

    priority = 'VERY_HIGH'  # before the scheduler steps

    def __init__(self, kill_after: int | None = None) -> None:
        self.kill_after = kill_after

    def after_train_iter(self, runner, batch_idx: int, data_batch: dict, outputs: dict | None = None) -> None:
        """Write one line."""
        images = ','.join(sample.img_id for sample in data_batch['data_samples'])
        rate = runner.optim_wrapper.get_lr()['lr'][0]
        with open(Path(runner.work_dir) / 'batches.txt', 'a') as file:
            file.write(f'{runner.epoch} {runner.iter} {rate:.12g} {images}\n')
        if runner.iter + 1 == self.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
