"""The one reader of configs. Which function to call:

- `load_config`: an experiment to train, test or build, with FASHION_DATA and `--cfg-options`.
- `read_config`: a config as it stands in its file, to show or compare.
- `read_dumped`: the config in a run's folder, which may be anyone's: read as data, nothing of it is run.
- `read_postprocess`: the `postprocess` of a config, or of a file with nothing else; `evaluation.dump_options` reads the
  options for a dump.
- `parse_options`: `key=value` pairs of the command line.

mmengine is imported when a config is read, so that a tool's help needs none.
"""

import ast
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING

from fashion_mmdet.utils.checks import COUNT, NATURAL, check_number
from fashion_mmdet.utils.cli import describe
from fashion_mmdet.utils.config_keys import arguments, check_options, find_class
from fashion_mmdet.utils.files import own_tempdir
from fashion_mmdet.utils.literals import read_assignments

if TYPE_CHECKING:
    from mmengine.config import Config

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
EVALUATORS = ('val_evaluator', 'test_evaluator')
EVALUATOR_POSTPROCESS = re.compile(r'(val|test)_evaluator(\.\d+)?\.postprocess')


def parse_options(pairs: Sequence[str]) -> dict:
    """Parse `key=value` pairs.

    Args:
        pairs: such as `train_cfg.max_epochs=5`, `load_from=None`, `optim_wrapper.type=SGD`, `a.scale=(384,256)`.

    Raises:
        ValueError: a pair without `=`, or without a key.
    """
    options = {}
    for pair in pairs:
        key, equals, text = pair.partition('=')
        if not equals or not key:
            raise ValueError(f'option {pair!r}: expected key=value')
        try:
            options[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            options[key] = {'true': True, 'false': False, 'none': None}.get(text.lower(), text)
    return options


def load_config(path: str, options: dict | None = None, postprocess: str | None = None) -> 'Config':
    """Read an experiment: its config, with the data of FASHION_DATA and `--cfg-options` merged.

    Beyond what the file says (configs/README.md, "Settings"), the end of schedules that ended with the training follows
    its length, and every evaluator gets the config's `postprocess`.

    Args:
        path: config in the repository, or dumped in a work_dir.
        options: values by dotted key.
        postprocess: file whose `postprocess` replaces the config's, such as tools/tune_thresholds.py writes.

    Raises:
        FileNotFoundError: no such config; names those that stand beside it.
        ValueError: the file is no config, or an option does not fit.
    """
    cfg, options = read_config(path), options or {}
    use_data(cfg, os.environ.get('FASHION_DATA'))
    if postprocess is not None:
        cfg.postprocess = read_postprocess(postprocess)
    before = cfg.to_dict()
    for key in options:
        if EVALUATOR_POSTPROCESS.match(key):
            raise ValueError(f'--cfg-options {key}: set postprocess itself; metric, submission and pictures share it')
    try:
        cfg.merge_from_dict(options)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f'--cfg-options: {error} does not fit {path}') from None
    check_options(before, cfg.to_dict(), options)
    _stretch_schedule(cfg, before.get('train_cfg') or {})
    _check_values(cfg)
    share_postprocess(cfg)
    return cfg


def read_config(path: str | Path, import_custom_modules: bool = True) -> 'Config':
    """Read a config with its bases, as it stands in the file; errors as `load_config`."""
    from mmengine.config import Config

    file = Path(path)
    if not file.is_file():
        folder = file.parent if file.parent.is_dir() else Path('configs/fashion')
        beside = ', '.join(sorted(other.name for other in folder.glob('*.py')))
        raise FileNotFoundError(f'{path}: no such config' + (f'; {folder} has {beside}' if beside else ''))
    try:
        with own_tempdir():  # where mmengine copies the config and its bases to
            return Config.fromfile(path, import_custom_modules=import_custom_modules)
    except Exception as error:  # a config is a program: it raises what it likes
        raise ValueError(f'{path}: not a config ({type(error).__name__}: {describe(error)})') from error


def find_config(path: str | Path) -> Path:
    """Return the config file itself, or the one *.py in a work_dirs folder.

    Raises:
        ValueError: no such file, or a folder with no or several configs.
    """
    path = Path(path)
    if not path.is_dir():
        if not path.is_file():
            raise ValueError(f'{path}: no such file')
        return path
    found = sorted(path.glob('*.py'))
    if len(found) != 1:
        names = ', '.join(one.name for one in found) or 'none'
        raise ValueError(f'{path}: a folder stands for the one *.py in it, but there are {len(found)} ({names})')
    return found[0]


def read_dumped(path: str | Path) -> 'Config':
    """Read a config that mmengine dumped into a run's folder as data: nothing of it is run, whoever wrote it.

    Raises:
        ValueError: it holds more than plain data; names the file.
    """
    from mmengine.config import Config

    path = find_config(path)
    try:
        return Config(read_assignments(path.read_text(encoding='utf-8')), filename=str(path))
    except (ValueError, KeyError, TypeError) as error:  # of Config: a name that it keeps for itself
        raise ValueError(f"{path}: {error}; a run's config is read as data, as mmengine dumps it") from None


def read_postprocess(path: str) -> dict:
    """Read the `postprocess` of a config, or of a file with nothing else; ValueError for a missing or invalid one."""
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


def data_sets(cfg: 'Config') -> Iterator[tuple[str, dict]]:
    """Yield key and settings of the data sets of a config's loaders, through the wrappers around them."""
    for name in LOADERS:
        if isinstance(cfg.get(name), Mapping) and isinstance(cfg[name].get('dataset'), Mapping):
            yield from _unwrap(f'{name}.dataset', cfg[name]['dataset'])


def _unwrap(key: str, part: dict) -> Iterator[tuple[str, dict]]:
    inner = {f'{key}.datasets.{index}': one for index, one in enumerate(part.get('datasets') or ())}
    if 'dataset' in part:
        inner[f'{key}.dataset'] = part['dataset']
    if not inner:
        yield key, part
    for inner_key, one in inner.items():
        yield from _unwrap(inner_key, one)


def use_data(cfg: 'Config', root: str | None) -> None:
    """Replace a config's data folder by another one wherever its loaders and evaluators name it.

    Its folder is the commonest `data_root` of its data sets; a data set that lies elsewhere stays there.

    Args:
        cfg: config, changed in place.
        root: new folder; None or '' leaves the config as it is.
    """
    roots = Counter(str(part['data_root']).rstrip('/') for _, part in data_sets(cfg) if part.get('data_root'))
    if not root or not roots:
        return
    ((own, _),) = roots.most_common(1)

    def move(value: object) -> object:
        if isinstance(value, Mapping):
            return {key: move(one) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(map(move, value))
        inside = isinstance(value, str) and f'{value}/'.startswith(f'{own}/')
        return root + value[len(own) :].rstrip('/') if inside else value

    for name in (*LOADERS, *EVALUATORS):
        if cfg.get(name) is not None:
            cfg[name] = move(cfg[name])


def _stretch_schedule(cfg: 'Config', before: dict) -> None:
    """Move the end of the schedules that ended with the training, where its length has changed."""
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


def _check_values(cfg: 'Config') -> None:
    """Raise ValueError where mmengine or torch would fail later, or without naming the key."""
    check_number('randomness.seed', (cfg.get('randomness') or {}).get('seed'), NATURAL, optional=True)
    for key in ('load_from', 'work_dir'):
        if not isinstance(cfg.get(key), (str, NoneType)):
            raise ValueError(f'{key}={cfg[key]!r}: must be a path, or None')
    loop = cfg.get('train_cfg') or {}
    for key in ('max_epochs', 'max_iters', 'val_interval'):
        if key in loop:
            check_number(f'train_cfg.{key}', loop[key], COUNT)
    for name in LOADERS:
        loader = cfg.get(name) or {}
        check_number(f'{name}.batch_size', loader.get('batch_size', 1), COUNT)
        check_number(f'{name}.num_workers', loader.get('num_workers', 0), NATURAL)
        for key, without in (('persistent_workers', False), ('prefetch_factor', None)):
            if loader.get(key) and not loader.get('num_workers'):
                raise ValueError(
                    f'{name}.num_workers={loader.get("num_workers", 0)} with {name}.{key}={loader[key]}: '
                    f'set {name}.{key}={without} too, or num_workers to at least 1'
                )


def share_postprocess(cfg: 'Config') -> None:
    """Give the config's `postprocess` to every evaluator whose class takes it."""
    for name in EVALUATORS:
        evaluators = cfg.get(name) or []
        for evaluator in evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]:
            kind = evaluator.type if callable(evaluator.type) else find_class(evaluator.type)
            if kind is not None and 'postprocess' in (arguments(kind) or ()):
                evaluator.postprocess = cfg.get('postprocess', {})
