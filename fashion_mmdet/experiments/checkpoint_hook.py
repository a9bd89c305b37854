"""mmengine's checkpoint hook, which loses nothing when a write fails and touches no other run's files."""

import os.path
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner


class _LateRemoval:
    """A file backend that postpones removals until `flush`."""

    def __init__(self, backend) -> None:
        self._backend = backend
        self._removed: list[str] = []

    def __getattr__(self, name: str):
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        """Remember a file for removal."""
        self._removed.append(path)

    def flush(self) -> None:
        """Remove the remembered files."""
        for path in self._removed:
            self._backend.remove(path)


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """Write a new checkpoint before the old one is removed; mmengine's CheckpointHook removes first."""

    def before_train(self, runner: Runner) -> None:
        """Look for the run's checkpoints in its own folder.

        In a copied folder they have the paths of the original, whose best checkpoint would be removed for a better one.
        """
        super().before_train(runner)
        info = runner.message_hub.runtime_info
        for name in [name for name in info if name.startswith(('best_ckpt', 'last_ckpt')) and info[name]]:
            info[name] = self.file_backend.join_path(self.out_dir, os.path.basename(info[name]))
        if self.save_best is not None and len(self.key_indicators) == 1:
            self.best_ckpt_path = info.get('best_ckpt')
        elif self.save_best is not None:
            self.best_ckpt_path_dict = {key: info.get(f'best_ckpt_{key}') for key in self.key_indicators}

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Drop the bound methods of schedulers, which only a trusted file may hold."""
        schedulers = checkpoint.get('param_schedulers') or []
        for states in schedulers.values() if isinstance(schedulers, dict) else [schedulers]:
            for state in states:
                for name in [name for name, value in state.items() if callable(value)]:
                    del state[name]

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        with self._remove_late():
            super()._save_checkpoint_with_step(runner, step, meta)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        with self._remove_late():
            super()._save_best_checkpoint(runner, metrics)

    @contextmanager
    def _remove_late(self) -> Iterator[None]:
        backend = self.file_backend
        self.file_backend = late = _LateRemoval(backend)
        try:
            yield
        finally:
            self.file_backend = backend
        late.flush()
