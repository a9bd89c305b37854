"""What differs between resolved mmengine configs, leaf by leaf; pipelines step by step.

A leaf is a plain value or a list of plain values (a tuple counts as a list). A list of dicts that all have a `type`
(pipeline, hooks, schedulers) is a list of steps: its keys name the step, not its place, so that an inserted step is
one added step and not a change of all that follow:

    train_pipeline.RandomFlip.prob        the first RandomFlip
    train_pipeline.RandomFlip#2.prob      the second
    model.train_cfg.rcnn[0].pos_weight    an item of any other list that holds dicts
    custom_keys['backbone.norm'].lr_mult  a key that is not one plain word
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fashion_mmdet.utils import tables
from fashion_mmdet.utils.files import own_tempdir
from fashion_mmdet.utils.options import read_assignments

if TYPE_CHECKING:
    from mmengine import Config

Leaves = list[tuple[str, list[Any]]]


class _Missing:
    """The value of a key that a config does not have."""

    def __repr__(self) -> str:
        return '-'


MISSING = _Missing()
IGNORED_KEYS = frozenset({'_scope_', 'launcher'})  # mmengine's notes of where a base came from and how it was started
# A dumped config repeats its `postprocess` for the metrics.
DERIVED = re.compile(r'(val|test)_evaluator(\.\w+)?\.postprocess\b')


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


def load_config(path: str | Path) -> 'Config':
    """Load a config with its bases, without importing its custom modules.

    Raises:
        ValueError: naming the file, whatever running it raised.
    """
    from mmengine import Config

    path = find_config(path)
    try:
        with own_tempdir():
            return Config.fromfile(path, import_custom_modules=False)
    except Exception as error:  # a config is a program: it raises what it likes
        reason = ' '.join(str(error).replace('<unknown>, ', '').split())
        raise ValueError(f'{path}: cannot be loaded ({type(error).__name__}: {reason})') from error


def read_dumped(path: str | Path) -> 'Config':
    """Read a config that mmengine dumped into a run's folder as data: nothing of it is run, whoever wrote it.

    Raises:
        ValueError: naming the file; it holds more than plain data.
    """
    from mmengine import Config

    path = find_config(path)
    try:
        return Config(read_assignments(path.read_text(encoding='utf-8')), filename=str(path))
    except (ValueError, KeyError, TypeError) as error:  # of Config: a name that it keeps for itself
        raise ValueError(f"{path}: {error}; a run's config is read as data, as mmengine dumps it") from None


def flatten(cfg: 'Config | Mapping') -> dict[str, Any]:
    """List a config's leaves by key (see the module's head), in the config's order."""
    return {key: values[0] for key, values in _all_leaves([cfg])}


def diff_configs(cfgs: Sequence['Config | Mapping']) -> Leaves:
    """List the leaves on which not all configs agree.

    Returns:
        Key and one value per config, `MISSING` where it has none, in the order of the configs.
    """
    return [
        (key, values)
        for key, values in _all_leaves(cfgs)
        if not DERIVED.match(key) and not all(_same(values[0], value) for value in values[1:])
    ]


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


def _kind(value: Any) -> str:
    """Tell how a value is taken apart: 'missing', 'leaf', 'dict', 'steps' or 'items'."""
    if value is MISSING:
        return 'missing'
    if isinstance(value, dict) and value:
        return 'dict'
    if isinstance(value, list) and any(_kind(one) in ('dict', 'steps', 'items') for one in value):
        return 'steps' if all(isinstance(one, dict) and 'type' in one for one in value) else 'items'
    return 'leaf'


def _all_leaves(cfgs: Sequence['Config | Mapping']) -> Iterator[tuple[str, list[Any]]]:
    for key, values in _dict_children('', [_plain(cfg) for cfg in cfgs]):
        yield from _leaves(key, values)


def _leaves(key: str, values: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Walk the same key of all configs; values of different kinds are walked one kind after the other."""
    split = {'dict': _dict_children, 'steps': _step_children, 'items': _item_children}
    kinds = [_kind(value) for value in values]
    filled = {type(value): kind for value, kind in zip(values, kinds, strict=True) if kind in split}
    # An empty list or dict beside a filled one is one of its kind without children, not a leaf of its own.
    kinds = [
        filled.get(type(value), kind) if value in ([], {}) else kind for value, kind in zip(values, kinds, strict=True)
    ]
    for kind in dict.fromkeys(kinds):
        if kind == 'missing':
            continue
        of_kind = [value if one == kind else MISSING for value, one in zip(values, kinds, strict=True)]
        if kind == 'leaf':
            yield key, of_kind
        else:
            for child_key, children in split[kind](key, of_kind):
                yield from _leaves(child_key, children)


def _dict_children(key: str, dicts: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    names = dict.fromkeys(name for one in dicts if one is not MISSING for name in one)
    for name in names:
        if isinstance(name, str) and re.fullmatch(r'[\w-]+', name):
            child_key = f'{key}.{name}' if key else name
        else:
            child_key = f'{key}[{name!r}]'
        yield child_key, [MISSING if one is MISSING else one.get(name, MISSING) for one in dicts]


def _item_children(key: str, lists: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    lists = [[] if one is MISSING else one for one in lists]
    for index in range(max(map(len, lists))):
        yield f'{key}[{index}]', [one[index] if index < len(one) else MISSING for one in lists]


def _step_children(key: str, lists: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    seen: Counter[str] = Counter()
    for steps in _align_all([[] if one is MISSING else one for one in lists]):
        name = next(_type_name(step) for step in steps if step is not MISSING)
        seen[name] += 1
        yield f'{key}.{name}' + (f'#{seen[name]}' if seen[name] > 1 else ''), steps


def _type_name(step: dict) -> str:
    """Name a step's class without scope or module: 'mmdet.RandomFlip' and the class itself give 'RandomFlip'."""
    kind = step['type']
    return getattr(kind, '__name__', str(kind)).rpartition('.')[2]


def _align_all(pipelines: list[list[dict]]) -> list[list[Any]]:
    """Put the steps of all pipelines into common rows; a row's steps are of one type, `MISSING` where there is none."""
    rows: list[list[Any]] = []
    for done, pipeline in enumerate(pipelines):
        known = [next(step for step in row if step is not MISSING) for row in rows]
        aligned = align_steps(known, pipeline)
        rows = [
            (rows[old] if old is not None else [MISSING] * done) + [pipeline[new] if new is not None else MISSING]
            for old, new in aligned
        ]
    return rows


def align_steps(before: list[dict], after: list[dict]) -> list[tuple[int | None, int | None]]:
    """Pair two pipelines' steps in order: as many pairs of one type as possible, then as many equal ones as possible.

    difflib pairs the longest block first and looks at types only: a Resize put before a Resize would come out as a
    changed first and a new second one.

    Returns:
        Index pairs, None on the side that lacks the step; a removed step comes before an added one.
    """
    best = [[(0, 0)] * (len(after) + 1) for _ in range(len(before) + 1)]  # [i][j]: of before[i:] and after[j:]
    for i in reversed(range(len(before))):
        for j in reversed(range(len(after))):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], _paired(before[i], after[j], best[i + 1][j + 1]))
    pairs: list[tuple[int | None, int | None]] = []
    i = j = 0
    while i < len(before) and j < len(after):
        if _type_name(before[i]) == _type_name(after[j]) and (
            best[i][j] == _paired(before[i], after[j], best[i + 1][j + 1])
        ):
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            pairs.append((i, None))
            i += 1
        else:
            pairs.append((None, j))
            j += 1
    return pairs + [(rest, None) for rest in range(i, len(before))] + [(None, rest) for rest in range(j, len(after))]


def _paired(one: dict, other: dict, rest: tuple[int, int]) -> tuple[int, int]:
    """Score pairing two steps: pairs and equal pairs, with those of the `rest`."""
    if _type_name(one) != _type_name(other):
        return rest
    return rest[0] + 1, rest[1] + _same(one, other)


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
