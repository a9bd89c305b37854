"""The space of a sweep: its file, its check against a config, and what a choice from it makes of the config."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from mmengine.config import Config

from fashion_mmdet.config import load_config
from fashion_mmdet.utils.files import write_text
from fashion_mmdet.utils.options import parse_options

Space = dict[str, dict[str, Any]]
DISTRIBUTIONS = {
    'float': optuna.distributions.FloatDistribution,
    'int': optuna.distributions.IntDistribution,
    'categorical': optuna.distributions.CategoricalDistribution,
}


def read_space(path: str, cfg: Config) -> Space:
    """Read a space file: `space = {'optim_wrapper.optimizer.lr': dict(type='float', low=1e-4, high=1e-2, log=True)}`.

    Args:
        path: a config file with the one name `space`.
        cfg: the config that the keys must be in.

    Raises:
        ValueError: naming file and key: not a space, a key that the config lacks, an unknown or unfit distribution.
    """
    space = load_config(path).to_dict().get('space')
    if not isinstance(space, dict) or not space:
        raise ValueError(f"{path}: expected space = {{'a.config.key': dict(type='float', low=..., high=...), ...}}")
    for key, distribution in space.items():
        try:
            value_at(cfg, key)
            check_distribution(distribution)
        except ValueError as error:
            raise ValueError(f'{path}: {key}: {error}') from None
    return space


def check_distribution(distribution: Any) -> None:
    """Raise ValueError unless a distribution has a known type and the arguments that Optuna takes for it."""
    if not isinstance(distribution, dict) or 'type' not in distribution:
        raise ValueError(f'expected a dict with a type, not {distribution!r}')
    arguments = dict(distribution)
    kind = arguments.pop('type')
    if kind not in DISTRIBUTIONS:
        raise ValueError(f'unknown type {kind!r}; there are {", ".join(DISTRIBUTIONS)}')
    for choice in arguments.get('choices', ()):
        if choice is not None and not isinstance(choice, (bool, int, float, str)):
            raise ValueError(
                f'choice {choice!r}: expected a number, True, False, None or text (which is read as '
                '--cfg-options reads it)'
            )
    try:
        DISTRIBUTIONS[kind](**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f'{distribution!r} is no {kind} distribution: {error}') from None


def value_at(cfg: Any, key: str) -> Any:
    """Look up a dotted key; numbers index lists.

    Raises:
        ValueError: naming the part that is missing and what there is instead.
    """
    value, done = cfg, []
    for part in key.split('.'):
        if isinstance(value, (list, tuple)):
            value, names = dict(zip(map(str, range(len(value))), value, strict=True)), f'{len(value)} items'
        elif isinstance(value, (Mapping, Config)):
            names = ', '.join(map(str, value)) if value is not cfg else ''
        else:
            value, names = {}, f'the value {value!r}'
        if part not in value:
            where = f'{".".join(done)} has {names}' if done else 'no such top-level key'
            raise ValueError(f'the config has no {part!r}: {where}')
        value = value[part]
        done.append(part)
    return value


def suggest(trial: optuna.Trial, space: Space) -> dict[str, Any]:
    """Draw a value for every key."""
    values = {}
    for key, distribution in space.items():
        arguments = dict(distribution)
        values[key] = getattr(trial, f'suggest_{arguments.pop("type")}')(key, **arguments)
    return values


def to_options(values: Mapping[str, Any]) -> list[str]:
    """Write values as `--cfg-options` reads them: text as it is, all else as Python literals."""
    return [f'{key}={value if isinstance(value, str) else repr(value)}' for key, value in values.items()]


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """Shorten dotted keys to the fewest last parts that tell them apart, two at least."""
    split = {key: key.split('.') for key in keys}
    for parts in range(2, max(map(len, split.values()), default=2) + 1):
        names = {key: '.'.join(one[-parts:]) for key, one in split.items()}
        if len(set(names.values())) == len(names):
            return names
    return {key: key for key in split}


def changed_parts(base: Mapping, other: Mapping) -> dict[str, Any]:
    """Nest what `other` has that `base` has not, or has with another value. A list counts as one value."""
    changed = {}
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), Mapping):
            if parts := changed_parts(base[key], value):
                changed[key] = parts
        elif key not in base or base[key] != value:
            changed[key] = value
    return changed


def write_overlay(path: Path, config: str, options: Sequence[str], claim: str) -> None:
    """Write a config that has another one as its base and only what `--cfg-options` changes.

    Args:
        path: of the new config; whole or absent.
        config: the base.
        options: `key=value` pairs.
        claim: the first line of the new config's header.
    """
    changed = changed_parts(load_config(config).to_dict(), load_config(config, parse_options(options)).to_dict())
    base = os.path.relpath(Path(config).resolve(), path.resolve().parent)
    header = f'"""{claim}\n\n    python tools/train.py {path} --work-dir {path.with_suffix("")}\n"""\n'
    write_text(path, f'{header}_base_ = {base!r}\n{Config(changed).pretty_text}')
