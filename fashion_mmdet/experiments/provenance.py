"""The record of a run, written into its folder as run.json: what it takes to repeat it."""

import importlib.metadata
import json
import platform
import shlex
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import torch
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.runner import Runner

from fashion_mmdet.experiments.record import PATCH, RECORD, read_record
from fashion_mmdet.utils.files import sha256, write_bytes, write_text

WRITE_EVERY = 50  # iterations
COUNTED = ('train_time_s', 'epochs', 'iterations', 'images_seen')


def describe_code(folder: str | Path) -> dict | None:
    """Name the git commit of a checkout and whether its tracked files are as committed; None outside of git."""
    try:
        changes = _git(folder, 'status', '--porcelain', '--untracked-files=no')
        return dict(commit=_git(folder, 'rev-parse', 'HEAD').decode().strip(), clean=not changes.strip())
    except (OSError, subprocess.CalledProcessError):  # no git, no repository
        return None


def write_patch(folder: str | Path, out: Path) -> None:
    """Write what `git apply` makes of the commit to get the tracked files of a checkout; files unknown to git are not.

    Args:
        folder: checkout with at least one commit.
        out: patch to write.
    """
    top = _git(folder, 'rev-parse', '--show-toplevel').decode().strip()
    write_bytes(out, _git(top, 'diff', '--binary', '--no-color', '--no-ext-diff', 'HEAD'))


def _git(folder: str | Path, *words: str) -> bytes:
    return subprocess.run(['git', '-C', str(folder), *words], capture_output=True, check=True).stdout


def describe_machine() -> dict:
    """Name Python, all installed packages, platform and device."""
    found = {name: one.version for one in importlib.metadata.distributions() if (name := one.metadata['Name'])}
    versions = {name: found[name] for name in sorted(found, key=str.lower)}
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f'CPU, {torch.get_num_threads()} threads'
    return dict(packages=versions, python=platform.python_version(), platform=platform.platform(), device=device)


class ProvenanceHook(Hook):
    """Write run.json when training begins, every 50 iterations and at the end.

    It holds command, config, git commit, package versions, device, seed, a fingerprint of the data, initial weights,
    start and end, seconds of training (without validation), epochs, iterations and images seen. The resolved config
    lies beside it, and code.patch where tracked files differ from the commit. A resumed run adds to its own counts,
    each epoch at its own batch size.

    Args:
        command: words of the command line.
        config: path of the config.
        start: checkpoint that training begins from; None for the model's own initialization.
        random_start: no pretrained weights were at hand, so that training begins from random ones, nothing frozen.
    """

    priority = 'LOW'  # after IterTimerHook, whose times it adds up

    def __init__(self, command: list[str], config: str, start: str | None = None, random_start: bool = False) -> None:
        self.command, self.config, self.start, self.random_start = shlex.join(command), config, start, random_start
        self.run: dict = {}
        self.counted: dict = {}  # by the run that is resumed, up to its checkpoint

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the counts with the weights that they belong to."""
        checkpoint['counted'] = {name: self.run.get(name, 0) for name in COUNTED}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take the counts of a resumed run up again; those of another run that this one starts from do not count."""
        self.counted = checkpoint.get('counted', {}) if runner._resume else {}

    def before_train(self, runner: Runner) -> None:
        """Describe the run; a resumed one keeps how it began."""
        before = read_record(runner.work_dir) if runner._resume else {}
        seed = runner.seed
        if not dist.is_main_process():
            return
        if before and runner.iter >= runner.max_iters:  # resumed, but there is nothing left to train
            self.run = before
            return
        code = self._record_code(runner)
        self.run = dict(
            command=self.command,
            config=self.config,
            git=code,
            **describe_machine(),
            world_size=dist.get_world_size(),
            seed=seed,
            data=self._describe_data(runner),
            start=before.get('start', self.start),
            random_start=before.get('random_start', self.random_start),
            started=before.get('started', _now()),
            finished=None,
            train_time_s=0.0,
            epochs=runner.iter / len(runner.train_dataloader),
            iterations=runner.iter,
            images_seen=0,
        )
        self.run.update(self.counted)
        self._write(runner)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Add up time, epochs, iterations and images."""
        if not dist.is_main_process():
            return
        self.run['train_time_s'] += runner.message_hub.get_scalar('train/time').current()
        self.run['epochs'] += 1 / len(runner.train_dataloader)
        self.run['iterations'] += 1
        self.run['images_seen'] += len(data_batch['inputs']) * dist.get_world_size()
        if (runner.iter + 1) % WRITE_EVERY == 0:
            self._write(runner)

    def after_train(self, runner: Runner) -> None:
        """Record the end."""
        if dist.is_main_process():
            self.run['finished'] = self.run['finished'] or _now()
            self._write(runner)

    def _record_code(self, runner: Runner) -> dict | None:
        """Describe the code, and write its patch where it is not as committed."""
        folder, patch = Path(__file__).parent, Path(runner.work_dir) / PATCH
        code = describe_code(folder)
        patch.unlink(missing_ok=True)
        if code and not code['clean']:
            try:
                write_patch(folder, patch)
            except subprocess.CalledProcessError as error:  # a filter or driver of git's that is missing, say
                reason = error.stderr.decode(errors='replace').strip()
                runner.logger.warning(f'{patch}: not written, git says: {reason}')
        return code

    def _write(self, runner: Runner) -> None:
        record = dict(self.run, epochs=round(self.run['epochs'], 2))
        write_text(Path(runner.work_dir) / RECORD, json.dumps(record, indent=1))

    def _describe_data(self, runner: Runner) -> dict:
        dataset = runner.train_loop.dataloader.dataset
        described = dict(root=str(getattr(dataset, 'data_root', '')), train_images=len(dataset))
        ann_file = Path(str(getattr(dataset, 'ann_file', '')))
        if ann_file.is_file():
            described['train_csv_sha256'] = sha256(ann_file)
        if runner.val_loop is not None:
            described['val_images'] = len(runner.val_loop.dataloader.dataset)
        return described


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec='seconds')
