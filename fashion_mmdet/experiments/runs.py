"""Training runs in work_dirs: which folders are runs, their order, config and record.

work_dirs/maskrcnn_lite0_cpu/
  maskrcnn_lite0_cpu.py                    resolved config
  run.json                                 record: command, commit, data, start, time, epochs
  20260131_101500/vis_data/scalars.json    losses and val scores; one folder per start
  val.parquet                              raw predictions of the val split
  val.json                                 the scores that tools/test.py printed
  val.scores.json                          scores of every image, kept by `compare.scores`
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fashion_mmdet.config import find_config, read_dumped
from fashion_mmdet.experiments.record import RECORD, read_record
from fashion_mmdet.utils.json_files import COUNT, NUMBER, OBJECT, TEXT, Kind, check_fields, list_of

if TYPE_CHECKING:
    from mmengine import Config

DUMP, PRINTED, LOGS = 'val.parquet', 'val.json', '*/vis_data/scalars.json'
EVALUATORS = list_of(OBJECT)
CONFIG_FIELDS = {
    'train_cfg': OBJECT,
    'train_cfg.max_epochs': COUNT,
    'train_cfg.max_iters': COUNT,
    'val_dataloader': OBJECT,
    'val_dataloader.dataset': OBJECT,
    'val_dataloader.dataset.data_root': TEXT,
    'val_dataloader.dataset.ann_file': TEXT,
    'val_dataloader.dataset.data_prefix': OBJECT,
    'val_dataloader.dataset.data_prefix.img_path': TEXT,
    'postprocess': OBJECT,
    'deck_score': NUMBER,
    'val_evaluator': Kind('evaluator, or list of them', lambda value: OBJECT.holds(value) or EVALUATORS.holds(value)),
}
A_RUN = f'a run has its config (*.py) and one of {RECORD}, {DUMP} and <time>/vis_data/scalars.json'


@dataclass(frozen=True)
class Run:
    """A run, read from its folder.

    Attributes:
        folder: path of the folder, as given.
        name: the folder's name, or its path where another run has the same name.
        config: resolved config.
        record: content of run.json; {} where there is none.
    """

    folder: Path
    name: str
    config: 'Config'
    record: dict[str, Any]

    @property
    def dump(self) -> Path | None:
        """The raw predictions on the val split, where tools/test.py has written them."""
        path = self.folder / DUMP
        return path if path.is_file() else None

    @property
    def logs(self) -> list[Path]:
        """The log of every start of the run, in order of time."""
        return find_logs(self.folder)

    @cached_property
    def data(self) -> dict[str, Any]:
        """The `data` of run.json; {} where it has none."""
        return self.record.get('data') or {}

    @cached_property
    def val_dataset(self) -> dict[str, Any]:
        """The config's settings of the val data set; {} where it has none."""
        return (self.config.get('val_dataloader') or {}).get('dataset') or {}

    @property
    def root(self) -> Path:
        """The folder of photos and truth."""
        return Path(self.data.get('root') or self.val_dataset.get('data_root') or 'data/imaterialist')

    @property
    def truth(self) -> Path:
        """The CSV with the true masks of the val split."""
        return self.root / (self.val_dataset.get('ann_file') or 'train.csv')

    @property
    def photos(self) -> Path:
        """The folder of the val photos."""
        return self.root / (self.val_dataset.get('data_prefix') or {}).get('img_path', 'train')

    @property
    def files(self) -> list[Path | None]:
        """The files that a comparison reads, photos apart."""
        own = [self.folder / RECORD, self.folder / PRINTED]
        return [Path(self.config.filename), *own, self.dump, self.truth, *self.logs]

    @cached_property
    def options(self) -> dict[str, Any]:
        """The config's `postprocess` as plain dicts."""
        return self.config.to_dict().get('postprocess') or {}

    @property
    def finished_s(self) -> float | None:
        """When the training ended, in seconds since 1970; None where the record does not say."""
        finished = self.record.get('finished')
        return None if finished is None else _to_seconds(self.folder, 'finished', finished)

    @property
    def unfinished(self) -> bool:
        """Whether the record says that the training has not ended; without a record nobody knows."""
        return 'finished' in self.record and self.record['finished'] is None


def find_logs(folder: Path) -> list[Path]:
    """List the logs in a run's folder, one per start, in order of time."""
    return sorted(folder.glob(LOGS), key=lambda path: path.parent.parent.name)


def is_run(folder: Path) -> bool:
    """Return whether a folder holds a config and what a run leaves beside it."""
    traces = (RECORD, DUMP, LOGS)
    return any(folder.glob('*.py')) and any(path.is_file() for trace in traces for path in folder.glob(trace))


def find_runs(root: str | os.PathLike) -> list[Path]:
    """Find every run below a folder, oldest first; FileNotFoundError or ValueError without any."""
    if not Path(root).is_dir():
        raise FileNotFoundError(f'{root}: no such folder')
    found = []
    for folder, children, _ in os.walk(root):
        children[:] = sorted(name for name in children if not name.startswith('.'))
        if is_run(Path(folder)):
            children.clear()  # a test keeps its own config and logs in the run's folder
            found.append(Path(folder))
    if not found:
        raise ValueError(f'{root}: no runs in it; {A_RUN}')
    return sorted(found, key=started_s)


def read_runs(folders: Sequence[str | os.PathLike]) -> list[Run]:
    """Read runs in the order given.

    Raises:
        ValueError: a folder that is no run, a config that is not plain data or a broken record; names the file.
    """
    paths = [Path(folder) for folder in folders]
    for path in paths:
        if not is_run(path):
            raise ValueError(f'{path}: {"no run; " + A_RUN if path.is_dir() else "no such folder"}')
    own = [path.resolve().name for path in paths]
    return [
        Run(path, name if own.count(name) == 1 else str(path), _read_config(path), read_record(path))
        for path, name in zip(paths, own, strict=True)
    ]


def _read_config(folder: Path) -> 'Config':
    """Read a folder's config, the one that the record names, else the only one, and check what comparisons use."""
    named = folder / (Path(str(read_record(folder).get('config', ''))).stem + '.py')
    path = named if named.is_file() else find_config(folder)
    config = read_dumped(path)
    check_fields(config.to_dict(), CONFIG_FIELDS, str(path))
    return config


def started_s(folder: Path) -> float:
    """Return when a run began, in seconds since 1970: by its record, its oldest log, or its config's date."""
    started = read_record(folder).get('started')
    if started is not None:
        return _to_seconds(folder, 'started', started)
    for stamp in sorted(path.parent.parent.name for path in folder.glob(LOGS)):
        try:
            return datetime.strptime(stamp, '%Y%m%d_%H%M%S').timestamp()
        except (ValueError, OverflowError):
            continue  # a folder that somebody renamed
    return max(path.stat().st_mtime for path in folder.glob('*.py'))


def _to_seconds(folder: Path, name: str, time: object) -> float:
    try:
        return datetime.fromisoformat(str(time).replace('Z', '+00:00')).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f'{folder / RECORD}: {name} {time!r} is no ISO 8601 time') from None
