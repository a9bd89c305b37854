"""Where a model comes from: the shipped weights, a run's folder, a file of weights, or a config with a checkpoint."""

import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS, TASK_UTILS, TRANSFORMS
from mmengine.config import Config

from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.config import load_config
from fashion_mmdet.experiments.checkpoints import load_file, weights_of
from fashion_mmdet.experiments.export import describe
from fashion_mmdet.experiments.runs import read_runs
from fashion_mmdet.utils.literals import read_assignments

SHIPPED = Path(__file__).parents[1] / 'weights' / 'maskrcnn_lite0_ccp.safetensors'
REGISTRIES = [one for registry in (MODELS, TASK_UTILS, TRANSFORMS) for one in (registry, registry.parent)]
STEP = re.compile(r'(?:epoch|iter)_(\d+)\.pth$')


@dataclass(frozen=True)
class Source:
    """What a model is made of.

    Attributes:
        name: of the run, or of the file.
        path: file of the weights.
        config: the experiment's config.
        state: tensors by name.
        classes: names of the labels, in order.
        scores: of the weights by name, such as 'fashion/score'; {} where not known.
    """

    name: str
    path: Path
    config: Config
    state: dict[str, torch.Tensor]
    classes: tuple[str, ...]
    scores: dict[str, float]


def read_source(run: str | Path | None = None, checkpoint: str | Path | None = None) -> Source:
    """Read config and weights; arguments and errors as `model.load_model`."""
    if run is None:
        if checkpoint is not None:
            return read_source(checkpoint)
        if not SHIPPED.is_file():
            raise FileNotFoundError(f'{SHIPPED}: the shipped weights are missing; name a run or a file of weights')
        return _read(SHIPPED, SHIPPED.stem)
    run = Path(run)
    if run.is_dir():
        (found,) = read_runs([run])
        return _read(Path(checkpoint or find_checkpoint(run)), run.resolve().name, found.config)
    if run.suffix == '.py':
        if checkpoint is None:
            raise ValueError(f'{run}: a config alone has no weights; give its checkpoint too, or the folder of the run')
        return _read(Path(checkpoint), run.stem, load_config(str(run)), trusted=True)
    if checkpoint is not None:
        raise ValueError(f'{run}: with a checkpoint goes a config (*.py) or the folder of a run')
    return _read(run, run.stem)


def find_checkpoint(folder: Path) -> Path:
    """Return a run's best checkpoint, of several the latest; without one the last. ValueError without any."""
    best, all_ = (
        [(int(found[1]), path) for path in folder.glob(pattern) if (found := STEP.search(path.name))]
        for pattern in ('best_*.pth', '*.pth')
    )
    if not all_:
        raise ValueError(f'{folder}: no checkpoint in it (best_*.pth, epoch_*.pth, iter_*.pth)')
    return max(best or all_)[1]


def _read(path: Path, name: str, config: Config | None = None, trusted: bool = False) -> Source:
    content = load_file(path)
    state = {key.removeprefix('module.'): tensor for key, tensor in weights_of(content, path).items()}
    meta = content.get('meta') or {}
    if config is None:
        config = _read_text(path, meta.get('cfg'))
    if not trusted:
        for place, kind in _types(dict(model=config.get('model'), loader=config.get('test_dataloader'))):
            _check_type(path if config.filename is None else config.filename, place, kind)
    classes = (meta.get('dataset_meta') or {}).get('classes') or CATEGORIES
    unknown = [one for one in classes if one not in CATEGORIES]
    if unknown:
        raise ValueError(f'{path}: knows {unknown[0]!r}, which is none of the {len(CATEGORIES)} categories')
    scores = json.loads(describe(content, path.name).get('scores', '{}'))
    return Source(name, path, config, state, tuple(classes), scores)


def _read_text(path: Path, text: Any) -> Config:
    """Read the config that a file of weights carries, as data."""
    if not isinstance(text, str):
        raise ValueError(f'{path}: carries no config; load_model(config, checkpoint) takes one beside it')
    try:
        return Config(read_assignments(text))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{path}: its config: {error}') from None


def _types(node: Any, place: str = '') -> Iterator[tuple[str, Any]]:
    """Walk a config to everything that names a class, with its place."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == 'type':
                yield f'{place}.{key}'.lstrip('.'), value
            yield from _types(value, f'{place}.{key}')
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from _types(value, f'{place}.{index}')


def _check_type(path: str | Path, place: str, kind: Any) -> None:
    """Raise ValueError where a type would import something: mmengine takes any dotted name, mmcv's NMS evaluates it."""
    if isinstance(kind, str) and any(kind in registry.module_dict for registry in REGISTRIES):
        return
    if not isinstance(kind, str) or not kind.isidentifier() or importlib.util.find_spec(kind) is not None:
        raise ValueError(
            f'{path}: {place}={kind!r} is no part that mmdet or this package registers; if you trust it, '
            'load_model(config, checkpoint) takes the config as the program that it is'
        )
