"""Pretrained weights of a config: find or download them, or say which are missing."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from mmengine.config import Config, ConfigDict
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import get_torchvision_models

from fashion_mmdet.experiments.checkpoints import load_file, weights_of

DOWNLOAD_FREE = 'configs/fashion/maskrcnn_lite0_cpu.py'
TIMEOUT_S = 30


def prepare_weights(cfg: Config) -> list[str]:
    """Download what `load_from` and `init_cfg` name; where that fails, drop it from the config and say so.

    Files are cached where torch.hub keeps its own (`~/.cache/torch/hub/checkpoints`). Where `load_from` is the
    checkpoint of another run that has not been trained, the config's `coco_weights` take its place.

    Returns:
        A line for each missing source: which file to put where, or which config needs none. Without any weights the run
        starts from random ones, with nothing of the backbone frozen.

    Raises:
        FileNotFoundError: a missing local file, and no `coco_weights` to fall back to.
    """
    problems = _fall_back_to_coco(cfg)
    missing = []
    if cfg.get('load_from'):
        problem = find_weights(cfg.load_from)
        if problem:
            missing.append(problem)
            cfg.load_from = None
    for part in list(_pretrained_parts(cfg.model)):
        problem = find_weights(part.init_cfg.checkpoint)
        if problem:
            missing.append(problem)
            part.init_cfg = None
        else:
            _check_prefix(part.init_cfg)
    if missing and not cfg.get('load_from'):
        thaw(cfg.model)
    return problems + missing


def _fall_back_to_coco(cfg: Config) -> list[str]:
    """Start from `coco_weights` where the run that `load_from` points into has not been trained."""
    start, coco = cfg.get('load_from'), cfg.get('coco_weights')
    if not start or not coco or _to_url(start) or Path(start).is_file():
        return []
    cfg.load_from = coco
    run = Path(start).parent.name
    return [f'{start}: no such checkpoint; train {run} first to start from it; going on from COCO weights']


def thaw(model: ConfigDict) -> None:
    """Freeze nothing: frozen random layers, or BatchNorm held at mean 0 and variance 1, would never learn."""
    if 'frozen_stages' in model.get('backbone', {}):
        model.backbone.frozen_stages = -1
        model.backbone.norm_eval = False


def drop_pretrained(model: ConfigDict) -> None:
    """Take pretrained weights out of a model's config: a checkpoint brings its own."""
    for part in list(_pretrained_parts(model)):
        part.init_cfg = None
    backbone = model.get('backbone', {})
    if backbone.get('type') == 'TimmBackbone':
        backbone.weights = None


def find_weights(source: str) -> str | None:
    """Make sure that weights are on disk; return None, or the line that says what is missing.

    Args:
        source: path, URL, or mmengine's `torchvision://model`.

    Raises:
        FileNotFoundError: `source` is a path and nothing is there.
        ValueError: what is there is no checkpoint.
    """
    url = _to_url(source)
    if url is None:
        read_checkpoint(source)
        return None
    file = _local_file(url)
    if file.is_file():
        return None
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _timeout(TIMEOUT_S):
            torch.hub.download_url_to_file(url, str(file))
    except OSError as error:  # URLError, HTTPError and time-outs are OSErrors
        return (
            f'pretrained weights missing: put {file.name} into {file.parent} (from {url}), or use {DOWNLOAD_FREE}, '
            f'which needs no download; going on from random weights, nothing frozen ({error})'
        )
    return None


def load_from_anywhere(source: str, map_location: Any = 'cpu') -> dict[str, Any]:
    """Load what `find_weights` finds, in the place of all of mmengine's loaders, which run what a file holds.

    mmengine logs the name of a loader from its eleventh letter on. Errors are those of `find_weights` and `load_file`;
    OSError where a download fails.
    """
    url = _to_url(source)
    if url is None:
        return load_file(source, map_location)
    if problem := find_weights(source):
        raise FileNotFoundError(problem)
    return load_file(_local_file(url), map_location)


CheckpointLoader.register_scheme(list(CheckpointLoader._schemes), load_from_anywhere, force=True)


def read_checkpoint(path: str | Path) -> dict[str, torch.Tensor]:
    """Read the weights of a checkpoint, with or without training state around them; errors as `load_file`."""
    return weights_of(load_file(path), path)


def check_fit(path: str | Path, model: torch.nn.Module) -> None:
    """Raise ValueError unless a checkpoint holds every tensor of a model; mmengine itself only warns."""
    check_state(path, read_checkpoint(path), model)


def check_state(path: str | Path, state: dict[str, torch.Tensor], model: torch.nn.Module) -> None:
    """Check the weights that were read from `path` likewise."""
    found, wanted = _shapes(state), _shapes(model.state_dict())
    wrong = [name for name, shape in wanted.items() if found.get(name) != shape]
    if wrong:
        raise ValueError(
            f'{path}: weights of another model: {len(wrong)} tensors are missing or of another shape, '
            f'such as {wrong[0]}'
        )


def check_shares(source: str, model: torch.nn.Module) -> None:
    """Raise ValueError unless some of the weights to start from fit a model; mmengine would go on with none."""
    found, wanted = _shapes(weights_of(load_from_anywhere(source), source)), _shapes(model.state_dict())
    if not found.items() & wanted.items():
        raise ValueError(
            f'{source}: weights of another model: none of its {len(found)} tensors, such as {min(found)}, fits'
        )


def _shapes(state: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    """Return the shapes of tensors by name, without the prefix of a model wrapped for several processes."""
    return {name.removeprefix('module.'): tensor.shape for name, tensor in state.items()}


def _check_prefix(init_cfg: ConfigDict) -> None:
    prefix, source = init_cfg.get('prefix') or '', init_cfg.checkpoint
    if prefix and not any(name.startswith(prefix) for name in weights_of(load_from_anywhere(source), source)):
        raise ValueError(f'{source}: has no weights of {prefix!r}, which init_cfg takes from it')


def _local_file(url: str) -> Path:
    """Name the file that torch.hub would keep a URL's content in."""
    return Path(torch.hub.get_dir()) / 'checkpoints' / Path(urlparse(url).path).name


def _to_url(source: str) -> str | None:
    if source.startswith('torchvision://'):
        models, name = get_torchvision_models(), source.removeprefix('torchvision://')
        if name not in models:
            raise ValueError(f'{source}: torchvision has no such weights')
        return models[name]
    return source if source.startswith(('http://', 'https://')) else None


def _pretrained_parts(node: ConfigDict) -> Iterator[ConfigDict]:
    """Walk a model's config to every part with `init_cfg=dict(type='Pretrained', ...)`."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, (list, tuple)) else ()
    init_cfg = node.get('init_cfg') if isinstance(node, dict) else None
    if isinstance(init_cfg, dict) and init_cfg.get('type') == 'Pretrained':
        yield node
    for child in children:
        yield from _pretrained_parts(child)


@contextmanager
def _timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
