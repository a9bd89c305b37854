"""Read checkpoints and safetensors without running code that they hold."""

import json
import re
import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import safetensors
import torch
from mmengine.logging import HistoryBuffer

SAFETENSORS = '.safetensors'
# How torch names what it refuses: a global by its path, a function or class that it got to otherwise by its repr.
REFUSED = re.compile(r'GLOBAL ([\w.]+)|unrecognized function (<[^>]+>)|but got (<[^>]+>)')
_trusted = False


class UntrustedFileError(ValueError):
    """A checkpoint that would run code, or holds objects that no checkpoint needs."""


def trust_files(trust: bool) -> None:
    """Let this process load checkpoints with any objects, or (the default) only with known ones."""
    global _trusted
    _trusted = trust


def load_file(path: str | Path, map_location: Any = 'cpu', mmap: bool = False) -> dict[str, Any]:
    """Read a checkpoint of mmengine, or bare weights.

    Args:
        path: `.safetensors`, or any file that `torch.save` wrote.
        map_location: as in `torch.load`; safetensors are always read to the CPU.
        mmap: leave a checkpoint's tensors on disk until they are used.

    Returns:
        The content of the file; for safetensors `state_dict`, and `meta` with `cfg`, `dataset_meta` and `scores` where
        present.

    Raises:
        FileNotFoundError: no such file.
        UntrustedFileError: it holds objects that no checkpoint needs, and `trust_files` was not called.
        ValueError: not a checkpoint, or cut off.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path}: no such checkpoint')
    try:
        if Path(path).suffix == SAFETENSORS:
            return _load_safetensors(path)
        with torch.serialization.safe_globals(_allowed()), warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of formats that torch is about to refuse
            return torch.load(path, map_location=map_location, weights_only=not _trusted, mmap=mmap)
    except Exception as error:  # damaged pickles raise anything
        if isinstance(error, OSError) and error.errno:
            raise
        if isinstance(error, UnpicklingError) and (found := REFUSED.search(str(error))):
            raise UntrustedFileError(
                f'{path}: holds {found[found.lastindex]}, which no weights need; not loaded (--trust loads it and runs '
                'its code: only for files of people you trust)'
            ) from None
        reason = re.split(r'\. |\n', str(error))[0] or type(error).__name__
        raise ValueError(f'{path}: not a checkpoint, or cut off: {reason}') from None


def _load_safetensors(path: str | Path) -> dict[str, Any]:
    with safetensors.safe_open(path, 'pt') as file:
        facts = file.metadata() or {}
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
    meta: dict[str, Any] = {}
    if 'config' in facts:
        meta['cfg'] = facts['config']
    if 'classes' in facts:
        meta['dataset_meta'] = dict(classes=tuple(json.loads(facts['classes'])))
    if 'scores' in facts:
        meta['scores'] = dict(json.loads(facts['scores']))
    return dict(state_dict=state, meta=meta)


def _allowed() -> list[Any]:
    """List what mmengine's checkpoints hold beside tensors and plain values: the history of losses and scores.

    mmengine's own list has `getattr`, by which a pickle reaches `eval`; this one only finds methods of HistoryBuffer.
    Checkpoints made with NumPy 1 name its functions by their older module.
    """
    arrays = np._core.multiarray if hasattr(np, '_core') else np.core.multiarray
    functions = [
        (getattr(arrays, name), f'numpy.{module}.multiarray.{name}')
        for name in ('_reconstruct', 'scalar')
        for module in ('core', '_core')
    ]
    kinds = {type(np.dtype(code)) for code in '?bBhHiIlLqQefd'}
    return [HistoryBuffer, (_statistics_method, 'builtins.getattr'), *functions, np.ndarray, np.dtype, *kinds]


def _statistics_method(owner: Any, name: str) -> Any:
    if owner is not HistoryBuffer or name not in ('min', 'max', 'mean', 'current'):
        raise UnpicklingError('GLOBAL builtins.getattr')
    return getattr(HistoryBuffer, name)


def weights_of(checkpoint: Any, path: str | Path) -> dict[str, torch.Tensor]:
    """Return the weights in the content of a checkpoint, with or without training state; ValueError without any."""
    state = checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, dict) else {}
    pairs = state.items() if isinstance(state, dict) else ()
    if not pairs or not all(isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in pairs):
        raise ValueError(f'{path}: holds no model weights')
    return state
