"""The search space of a sweep: its file, and the options and the config that a choice from it gives."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from mmengine.config import Config

from fashion_mmdet.config import load_config, parse_options
from fashion_mmdet.utils.checks import is_list
from fashion_mmdet.utils.files import write_text

Space = dict[str, dict[str, Any]]
DISTRIBUTIONS = {
    'float': optuna.distributions.FloatDistribution,
    'int': optuna.distributions.IntDistribution,
    'categorical': optuna.distributions.CategoricalDistribution,
}


def read_space(path: str, cfg: Config) -> Space:
    """Read a space file: `space = {'optim_wrapper.optimizer.lr': dict(type='float', low=1e-4, high=1e-2, log=True)}`.

    Raises:
        ValueError: names file and key: not a space, a key that `cfg` lacks, an unknown or invalid distribution.
    """
    space = load_config(path).to_dict().get('space')
    if not isinstance(space, dict) or not space:
        raise ValueError(f"{path}: expected space = {{'a.config.key': dict(type='float', low=..., high=...), ...}}")
    for key, distribution in space.items():
        try:
            value_at(cfg, key)
            _check_distribution(distribution)
        except ValueError as error:
            raise ValueError(f'{path}: {key}: {error}') from None
    return space


def _check_distribution(distribution: Any) -> None:
    """Raise ValueError unless a distribution has a known type and the arguments that Optuna takes for it."""
    if not isinstance(distribution, dict) or 'type' not in distribution:
        raise ValueError(f'expected a dict with a type, not {distribution!r}')
    arguments = dict(distribution)
    kind = arguments.pop('type')
    if kind not in DISTRIBUTIONS:
        raise ValueError(f'unknown type {kind!r}; there are {", ".join(DISTRIBUTIONS)}')
    for choice in arguments.get('choices', ()):
        if choice is not None and not isinstance(choice, (bool, int, float, str)):
            raise ValueError(f'choice {choice!r}: expected a number, True, False, None or text, read as --cfg-options')
    try:
        DISTRIBUTIONS[kind](**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f'{distribution!r} is no {kind} distribution: {error}') from None


def value_at(cfg: Any, key: str) -> Any:
    """Look up a dotted key, whose numbers index lists; ValueError names the part that is missing."""
    value, done = cfg, []
    for part in key.split('.'):
        there = ', '.join(map(str, value)) if isinstance(value, (Mapping, Config)) else f'the value {value!r}'
        if is_list(value):
            value, there = {str(index): one for index, one in enumerate(value)}, f'{len(value)} items'
        if not isinstance(value, (Mapping, Config)) or part not in value:
            where = f'{".".join(done)} has {there}' if done else 'no such top-level key'
            raise ValueError(f'the config has no {part!r}: {where}')
        value = value[part]
        done.append(part)
    return value


def suggest(trial: optuna.Trial, space: Space) -> dict[str, Any]:
    """Draw a value for every key."""
    drawn = {}
    for key, distribution in space.items():
        arguments = dict(distribution)
        drawn[key] = getattr(trial, f'suggest_{arguments.pop("type")}')(key, **arguments)
    return drawn


def to_options(values: Mapping[str, Any]) -> list[str]:
    """Write values as `--cfg-options` reads them: text as it is, everything else as a Python literal."""
    return [f'{key}={value if isinstance(value, str) else repr(value)}' for key, value in values.items()]


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """Shorten dotted keys to the fewest last parts that tell them apart, at least two."""
    keys = list(keys)
    for parts in range(2, max((key.count('.') for key in keys), default=0) + 1):
        names = {key: '.'.join(key.split('.')[-parts:]) for key in keys}
        if len(set(names.values())) == len(keys):
            return names
    return {key: key for key in keys}


def write_overlay(path: Path, config: str, options: Sequence[str], claim: str) -> None:
    """Write a config whose base is `config`, with only what the options change, headed by `claim`."""
    changed = _changed_parts(load_config(config).to_dict(), load_config(config, parse_options(options)).to_dict())
    base = os.path.relpath(Path(config).resolve(), path.resolve().parent)
    header = f'"""{claim}\n\n    python tools/train.py {path} --work-dir {path.with_suffix("")}\n"""\n'
    write_text(path, f'{header}_base_ = {base!r}\n{Config(changed).pretty_text}')


def _changed_parts(base: Mapping, other: Mapping) -> dict[str, Any]:
    """Nest the values of `other` that `base` lacks or has differently; a list counts as one value."""
    changed = {}
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), Mapping):
            value = _changed_parts(base[key], value)
            if not value:
                continue
        elif key in base and base[key] == value:
            continue
        changed[key] = value
    return changed
