"""What differs between resolved mmengine configs, leaf by leaf.

A leaf is a plain value or a list of plain values (a tuple counts as a list). Keys:

    train_dataloader.dataset.pipeline.flip.prob   dicts in dicts
    custom_keys['backbone.norm'].lr_mult          a key that is not one plain word
    model.train_cfg.rcnn[0].pos_weight            an item of a list that holds dicts
    param_scheduler.LinearLR.end                  of a list of dicts that all have a `type`: the first of this type
    param_scheduler.LinearLR#2.end                the second
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fashion_mmdet.config import find_config
from fashion_mmdet.utils import tables

if TYPE_CHECKING:
    from mmengine import Config

Leaves = list[tuple[str, list[Any]]]


class _Missing:
    """The value of a key that a config does not have."""

    def __repr__(self) -> str:
        return '-'


MISSING = _Missing()
IGNORED_KEYS = frozenset({'_scope_', 'launcher'})  # mmengine's notes of where a base came from and how it was started
PLAIN = re.compile(r'[\w-]+')
# A dumped config repeats its `postprocess` for the metrics.
DERIVED = re.compile(r'(val|test)_evaluator(\.\w+)?\.postprocess\b')


def diff_configs(cfgs: Sequence['Config | Mapping']) -> Leaves:
    """List the leaves on which not all configs agree.

    Returns:
        Key and one value per config, `MISSING` where it has none, in the order of the configs.
    """
    return [
        (key, values)
        for key, values in _walk('', [_plain(cfg) for cfg in cfgs])
        if not DERIVED.match(key) and not all(_same(values[0], value) for value in values[1:])
    ]


def list_leaves(cfg: 'Config | Mapping') -> dict[str, Any]:
    """Return the value of every leaf of a config by its key."""
    return {key: values[0] for key, values in _walk('', [_plain(cfg)])}


def _plain(cfg: 'Config | Mapping') -> dict:
    """Turn a config into dicts, lists and values, without what only says where it lies.

    That is `filename`, and `work_dir` where it is the config's folder or is named after its file (mmengine's default,
    written into every dumped config). Any other `work_dir` was chosen, and stays.
    """
    plain = _builtin(cfg.to_dict() if hasattr(cfg, 'to_dict') else cfg)
    plain.pop('filename', None)
    filename, work_dir = getattr(cfg, 'filename', None), plain.get('work_dir')
    if filename and isinstance(work_dir, str):
        own, folder = Path(filename).resolve(), Path(work_dir).resolve()
        if folder == own.parent or folder.name == own.stem:
            del plain['work_dir']
    return plain


def _builtin(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _builtin(one) for key, one in value.items() if key not in IGNORED_KEYS}
    if isinstance(value, (list, tuple)):
        return [_builtin(one) for one in value]
    return value


def _same(one: Any, other: Any) -> bool:
    """Compare values or lists: 1 equals 1.0 but not True, NaN equals NaN."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    return one == other or (one != one and other != other)


def _walk(key: str, values: list[Any]) -> Leaves:
    """List the leaves at and below the same key of all configs."""
    children = [_children(value) for value in values]
    filled = {type(value) for value, below in zip(values, children, strict=True) if below}
    # An empty list or dict beside a filled one is one of its kind without children, not a leaf of its own.
    leaves = [
        MISSING if below or (value in ([], {}) and type(value) in filled) else value
        for value, below in zip(values, children, strict=True)
    ]
    own = [(key, leaves)] if any(leaf is not MISSING for leaf in leaves) else []
    rows: Leaves = []
    for name in dict.fromkeys(name for below in children for name in below):
        rows += _walk(f'{key}{name}'.removeprefix('.'), [below.get(name, MISSING) for below in children])
    shared = [[name for name in below if all(name in other for other in children)] for below in children]
    if isinstance(values[0], list) and any(names != shared[0] for names in shared):  # the same steps in another order
        rows.append((key, [[name.removeprefix('.') for name in names] for names in shared]))
    leaf_first = leaves[[value is MISSING for value in values].index(False)] is not MISSING
    return own + rows if leaf_first else rows + own


def _children(value: Any) -> dict[str, Any]:
    """List the parts of a value by what each adds to the key; {} for a leaf."""
    if isinstance(value, dict):
        plain = {key for key in value if isinstance(key, str) and PLAIN.fullmatch(key)}
        return {f'.{key}' if key in plain else f'[{key!r}]': one for key, one in value.items()}
    if not isinstance(value, list) or not any(map(_children, value)):
        return {}
    if not all(isinstance(one, dict) and 'type' in one for one in value):
        return {f'[{index}]': one for index, one in enumerate(value)}
    seen: Counter[str] = Counter()
    parts = {}
    for one in value:
        kind = getattr(one['type'], '__name__', str(one['type'])).rpartition('.')[2]  # 'mmdet.Flip', the class: Flip
        seen[kind] += 1
        parts[f'.{kind}' + (f'#{seen[kind]}' if seen[kind] > 1 else '')] = one
    return parts


def column_names(paths: Sequence[str | Path]) -> list[str]:
    """Name configs by file stem where that tells them apart, else by path, else by number and path."""
    stems, full = [find_config(path).stem for path in paths], [str(path) for path in paths]
    for names in (stems, full):
        if len(set(names)) == len(names):
            return names
    return [f'{number}: {name}' for number, name in enumerate(full, 1)]


def format_table(names: list[str], rows: Leaves) -> str:
    """Lay out differences in plain columns."""
    return tables.format_text(['key', *names], [[key, *map(repr, values)] for key, values in rows])


def format_markdown(names: list[str], rows: Leaves) -> str:
    """Lay out differences as a Markdown table."""
    return tables.format_markdown(
        ['key', *names],
        [[f'`{key}`', *('-' if value is MISSING else f'`{value!r}`' for value in values)] for key, values in rows],
    )
