"""What the command-line tools share: errors as one line, configs by path. No torch."""

import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmengine.config import Config

EVALUATOR_POSTPROCESS = re.compile(r'(val|test)_evaluator(\.\d+)?\.postprocess')
# mmengine prefixes an error with the class it was building and that class's file.
BUILD_PREFIX = re.compile(r'^(class `\w+` in [\w/.\-]+: )+')


@contextmanager
def one_line_errors(tool: str) -> Iterator[None]:
    """Print a ValueError or OSError (bad input, missing file, full disk) as one line and exit with status 2.

    The traceback goes to the run's log file where there is one, and to the terminal with FASHION_TRACEBACK=1. Any other
    exception is a defect and keeps its traceback.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        if os.environ.get('FASHION_TRACEBACK') == '1':
            raise
        _log_traceback()
        print(f'{tool}: {describe(error)}', file=sys.stderr)
        raise SystemExit(2) from None


def _log_traceback() -> None:
    """Append the traceback to the log file of mmengine's run, if a run has begun."""
    logging_module = sys.modules.get('mmengine.logging')
    if logging_module is None or not logging_module.MMLogger.check_instance_created('mmengine'):
        return
    for handler in logging_module.MMLogger.get_current_instance().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.stream.write(traceback.format_exc())
            handler.flush()


def describe(error: Exception) -> str:
    """Say in one line what an exception says; where it says nothing, its type."""
    if isinstance(error, OSError) and error.strerror:
        where = f'{error.filename}: ' if error.filename else ''
        return f'{where}{error.strerror}'
    text = BUILD_PREFIX.sub('', str(error)).strip()
    return ' '.join(text.split()) or type(error).__name__


def load_config(path: str, options: dict | None = None, postprocess: str | None = None) -> 'Config':
    """Read a config, put another `postprocess` in its place, and merge `--cfg-options`.

    A schedule that ended with the training still does when an option changes `train_cfg.max_epochs` or `max_iters`. The
    config's one `postprocess` is given to the metric, so that score, submission and pictures follow the same
    thresholds.

    Args:
        path: of the config, from the repository or dumped in a work_dir.
        options: values by dotted key.
        postprocess: a file with the `postprocess` to take, such as tools/tune_thresholds.py writes.

    Raises:
        FileNotFoundError: no such config; names those that stand beside it.
        ValueError: the file is no config, or an option does not fit.
    """
    from mmengine.config import Config
    file = Path(path)
    if not file.is_file():
        folder = file.parent if file.parent.is_dir() else Path('configs/fashion')
        beside = ', '.join(sorted(other.name for other in folder.glob('*.py')))
        raise FileNotFoundError(f'{path}: no such config' + (f'; {folder} has {beside}' if beside else ''))
    try:
        cfg = Config.fromfile(path)
    except (SyntaxError, KeyError, TypeError, AttributeError, NameError, ImportError) as error:
        raise ValueError(f'{path}: not a config: {error}') from None
    if postprocess is not None:
        cfg.postprocess = read_postprocess(postprocess)
    before = dict(cfg.get('train_cfg') or {})
    for key in options or {}:
        if EVALUATOR_POSTPROCESS.match(key):
            raise ValueError(f'--cfg-options {key}: set postprocess itself; metric, submission and pictures share it')
    try:
        cfg.merge_from_dict(options or {})
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f'--cfg-options: {error} does not fit {path}') from None
    _stretch_schedule(cfg, before)
    _share_postprocess(cfg)
    return cfg


def read_postprocess(path: str) -> dict:
    """Read the `postprocess` of a config or of a file that holds nothing else.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no `postprocess` in it, or an option that does not exist or is out of its range.
    """
    from fashion_mmdet.evaluation.postprocess import Postprocess
    options = load_config(path).get('postprocess')
    if options is None:
        raise ValueError(f'{path}: has no postprocess')
    options = {name: value for name, value in options.to_dict().items() if name != '_delete_'}
    try:
        Postprocess.from_config(options)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    return options


def _stretch_schedule(cfg: 'Config', before: dict) -> None:
    """Let schedules that were to end with the training end with it when its length has changed."""
    loop = cfg.get('train_cfg') or {}
    by_epoch = loop.get('type') != 'IterBasedTrainLoop'
    length, other = ('max_epochs', 'max_iters') if by_epoch else ('max_iters', 'max_epochs')
    if other in loop:
        raise ValueError(f'train_cfg.{other}: {loop.get("type", "this loop")} takes {length}')
    if before.get(length) == loop.get(length) or not isinstance(loop.get(length), int):
        return
    for schedule in cfg.get('param_scheduler') or []:
        if schedule.get('by_epoch', True) != by_epoch:
            continue
        begin, end = schedule.get('begin', 0), schedule.get('end', schedule.get('T_max'))
        if end != before.get(length):
            continue
        if 'end' in schedule:
            schedule.end = loop[length]
        if schedule.get('T_max') == end - begin:
            schedule.T_max = loop[length] - begin


def _share_postprocess(cfg: 'Config') -> None:
    """Give the config's `postprocess` to every evaluator that scores masks."""
    for name in ('val_evaluator', 'test_evaluator'):
        evaluators = cfg.get(name) or []
        for evaluator in evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]:
            if evaluator.type == 'FashionIoUSweepMetric':
                evaluator.postprocess = cfg.get('postprocess', {})
