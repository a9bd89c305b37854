"""Set a training or test up before mmengine's Runner takes over."""

import logging
import os
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import init_dist
from mmengine.fileio import LocalBackend, register_backend
from mmengine.logging import print_log
from mmengine.utils.dl_utils import set_multi_processing

from fashion_mmdet.datasets.records import read_image_ids
from fashion_mmdet.experiments.tta import use_tta
from fashion_mmdet.experiments.weights import drop_pretrained, read_checkpoint
from fashion_mmdet.utils.files import write_bytes
from fashion_mmdet.utils.parallel import count_cores


class AtomicLocalBackend(LocalBackend):
    """mmengine's local files, written under a temporary name and renamed: a checkpoint is whole or not there."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes; OSError (a full disk) leaves an older file as it was."""
        write_bytes(filepath, obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text, likewise."""
        write_bytes(filepath, obj.encode(encoding))


def write_atomically() -> None:
    """Make mmengine write checkpoints through `AtomicLocalBackend`."""
    register_backend('local', AtomicLocalBackend, force=True, prefixes='')


def start_processes(cfg: Config, launcher: str) -> None:
    """Set the launcher and start the process group, which mmengine then finds; without a GPU over gloo.

    mmengine's own start calls `torch.cuda.set_device` whatever the backend.
    """
    cfg.launcher = launcher
    use_own_cores()
    if launcher == 'none':
        return
    if torch.cuda.is_available():
        environment = cfg.get('env_cfg', {})
        set_multi_processing(**environment.get('mp_cfg', {}), distributed=True)
        init_dist(launcher, **environment.get('dist_cfg', {}))
        return
    if launcher != 'pytorch':
        raise ValueError(f'--launcher {launcher} needs GPUs; without any, use pytorch (torchrun)')
    torch.distributed.init_process_group('gloo')
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )


def use_own_cores() -> None:
    """Limit torch's threads to the cores that the process may use; warn where other processes use these too.

    torch respects the affinity mask, but not a container's quota. The number does not depend on the load, since it
    changes the last digits of sums, and a seed should always give the same weights. OMP_NUM_THREADS overrides it.
    """
    if 'OMP_NUM_THREADS' in os.environ:
        return
    cores = count_cores()
    torch.set_num_threads(min(torch.get_num_threads(), cores))
    busy = round(os.getloadavg()[0]) if hasattr(os, 'getloadavg') else 0
    if busy and torch.get_num_threads() > 1 and not torch.cuda.is_available():
        print_log(
            f'load average {busy} on {cores} cores: if others go on using them, OMP_NUM_THREADS='
            f'{max(1, cores - busy)} may train faster',
            logger='current',
            level=logging.WARNING,
        )


def use_mixed_precision(cfg: Config) -> None:
    """Switch the optimizer wrapper to mixed precision: float16 with loss scaling on a GPU, bfloat16 on a CPU."""
    if cfg.optim_wrapper.type == 'OptimWrapper':
        cfg.optim_wrapper.type = 'AmpOptimWrapper' if torch.cuda.is_available() else 'Bfloat16OptimWrapper'
    if cfg.optim_wrapper.type == 'AmpOptimWrapper':
        cfg.optim_wrapper.loss_scale = 'dynamic'


def prepare_test(cfg: Config, checkpoint: str, split: str, dump: str, tta: bool = False) -> None:
    """Point a config's test loop at a checkpoint and a split, and let it dump raw predictions.

    Args:
        cfg: changed in place; its work_dir becomes the subfolder `test`, so that config and logs of the training stay.
        checkpoint: .pth or .safetensors file.
        split: 'val' is scored with the config's `val_evaluator`; 'test' has no ground truth and is only dumped.
        dump: Parquet file for the raw predictions.
        tta: predict several views of each photo and merge them, see `tta.use_tta`.

    Raises:
        FileNotFoundError: no such checkpoint.
        ValueError: not a checkpoint, a test set other than the test photos, or no `tta_model` for `tta`.
    """
    read_checkpoint(checkpoint)
    cfg.load_from, cfg.resume = str(checkpoint), False
    drop_pretrained(cfg.model)
    text = cfg.dump()
    evaluators = []
    if split == 'val':
        cfg.test_dataloader = cfg.val_dataloader
        evaluators = cfg.val_evaluator if isinstance(cfg.val_evaluator, (list, tuple)) else [cfg.val_evaluator]
    elif cfg.test_dataloader.dataset.split != 'test':
        raise ValueError(
            f"{cfg.filename}: test_dataloader.dataset.split is {cfg.test_dataloader.dataset.split!r}, not 'test'"
        )
    if tta:
        use_tta(cfg)
        text = f'# tested with tta_model and tta_pipeline\n{text}'
    cfg.work_dir = str(Path(cfg.work_dir) / 'test')
    cfg.test_evaluator = [
        *evaluators,
        dict(type='DumpRawPredictions', path=dump, config=text, checkpoint=str(checkpoint)),
    ]


def submission_images(cfg: Config) -> list[str]:
    """List the images of the test set's sample_submission.csv, all of which a submission must name."""
    dataset = cfg.test_dataloader.dataset
    return read_image_ids(Path(dataset.data_root) / dataset.ann_file)
