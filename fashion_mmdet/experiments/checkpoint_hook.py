"""mmengine's checkpoint hook, losing nothing when a write fails."""

from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner


class _LateRemoval:
    """A file backend that puts removals off until `flush`."""

    def __init__(self, backend) -> None:
        self._backend = backend
        self._removed: list[str] = []

    def __getattr__(self, name: str):
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        """Note a file for removal."""
        self._removed.append(path)

    def flush(self) -> None:
        """Remove what was noted."""
        for path in self._removed:
            self._backend.remove(path)


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """Writes the new best checkpoint before the old one goes; mmengine's own hook removes first.

    Args: as mmengine's CheckpointHook.
    """

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        backend = self.file_backend
        self.file_backend = late = _LateRemoval(backend)
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
        late.flush()
