"""What a run needs before mmengine's Runner takes over."""

from pathlib import Path

from mmengine.config import Config
from mmengine.fileio import LocalBackend, register_backend

from fashion_mmdet.files import write_bytes, write_text


class AtomicLocalBackend(LocalBackend):
    """mmengine's local files, written under a temporary name and renamed: a checkpoint is whole or not there."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes; OSError (a full disk) leaves an older file as it was."""
        write_bytes(filepath, obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text in the given encoding, likewise."""
        write_bytes(filepath, obj.encode(encoding))


def write_atomically() -> None:
    """Make mmengine write checkpoints through `AtomicLocalBackend`."""
    register_backend('local', AtomicLocalBackend, force=True, prefixes='')


def start_processes(cfg: Config, launcher: str) -> None:
    """Set the launcher; without a GPU start the process group over gloo, which mmengine then finds.

    mmengine's own start calls `torch.cuda.set_device` whatever the backend.
    """
    import torch
    cfg.launcher = launcher
    if launcher == 'none' or torch.cuda.is_available():
        return
    if launcher != 'pytorch':
        raise ValueError(f'--launcher {launcher} needs GPUs; without any, use pytorch (torchrun)')
    torch.distributed.init_process_group('gloo')
    cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)


def use_mixed_precision(cfg: Config) -> None:
    """Switch the optimizer wrapper to mixed precision: float16 with loss scaling on a GPU, bfloat16 on a CPU."""
    import torch
    if cfg.optim_wrapper.type == 'OptimWrapper':
        cfg.optim_wrapper.type = 'AmpOptimWrapper' if torch.cuda.is_available() else 'Bfloat16OptimWrapper'
    if cfg.optim_wrapper.type == 'AmpOptimWrapper':
        cfg.optim_wrapper.loss_scale = 'dynamic'


def resume_latest(cfg: Config) -> str | None:
    """Set the config to resume from the newest whole checkpoint of its work_dir.

    Goes by what is on disk when mmengine's note `last_checkpoint` is missing or cut off.

    Returns:
        The checkpoint's path, or None where there is none yet: the run then starts anew.
    """
    folder = Path(cfg.work_dir)
    note = folder / 'last_checkpoint'
    if not note.is_file() or not Path(note.read_text().strip() or '.').is_file():
        found = sorted([*folder.glob('epoch_*.pth'), *folder.glob('iter_*.pth')],
                       key=lambda file: file.stat().st_mtime)
        if not found:
            return None
        write_text(note, str(found[-1]))
    cfg.resume = True
    cfg.load_from = None
    return note.read_text().strip()
