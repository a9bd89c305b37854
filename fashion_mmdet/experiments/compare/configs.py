"""What a run's config changed against another's, as far as it describes the experiment."""

import re
from typing import Any

from fashion_mmdet.experiments.diff import MISSING, Leaves, diff_configs
from fashion_mmdet.experiments.runs import Run

# How a run was started, logged or named, not what it tries.
IGNORED = re.compile(
    r'(work_dir|resume|launcher|custom_imports|deck_score|coco_weights|log_level|log_processor|visualizer|vis_backends|'
    r'experiment_name|default_scope|model_wrapper_cfg|env_cfg|train_cfg\.val_(begin|interval)|'
    r'default_hooks\.(timer|logger|checkpoint|visualization)|'
    r'(train|val|test)_dataloader\.(num_workers|persistent_workers|pin_memory|prefetch_factor))\b'
)
LOAD_FROM = re.compile(r'load_from\b')
# A resumed run's config names no pretrained weights: its checkpoint brings them.
PRETRAINED = re.compile(r'(load_from|model\.(.*\.)?init_cfg|model\.backbone\.weights)\b')
# What mmengine's Runner reads, and `postprocess`; any other top-level name only helps to write these.
EFFECTIVE = re.compile(
    r'(model|(train|val|test)_(dataloader|cfg|evaluator)|optim_wrapper|param_scheduler|load_from|'
    r'\w+_hooks|data_preprocessor|randomness|auto_scale_lr|postprocess|start)\b'
)
SEPARATOR = re.compile(r'\.(?![^\[]*\])')  # a full stop, unless inside ['a.b']


def experiment_changes(before: Run, after: Run) -> Leaves:
    """List what differs between two runs' configs, leaving out what does not describe the experiment.

    Left out: how it was started and logged; `load_from` where the records name the same start (both fell back to the
    same weights); pretrained weights where a resumed run's config has dropped them; a helper variable and a test loader
    that repeat a change of what they are used for.

    Returns:
        Key and [value before, value after], `MISSING` where a config has none. Different starts of which the configs
        say nothing come last, as `start`.
    """
    rows = [row for row in diff_configs([before.config, after.config]) if not IGNORED.match(row[0])]
    starts = [run.record.get('start') for run in (before, after)]
    recorded = all('start' in run.record for run in (before, after))
    if any(run.config.get('resume') for run in (before, after)):
        rows = [row for row in rows if not PRETRAINED.match(row[0])]
    elif recorded and starts[0] == starts[1]:
        rows = [row for row in rows if not LOAD_FROM.match(row[0])]
    if recorded and starts[0] != starts[1] and not any(PRETRAINED.match(key) for key, _ in rows):
        rows.append(('start', starts))
    return _drop_repeated(rows)


def _drop_repeated(rows: Leaves) -> Leaves:
    """Drop a helper variable's leaf, and a test loader's, where the same change stands at what it is used for.

    The other helpers come last.
    """
    effective = [(key, values) for key, values in rows if EFFECTIVE.match(key)]
    helpers = [(key, values) for key, values in rows if not EFFECTIVE.match(key)]
    keys = dict(effective)
    kept = []
    for key, values in effective:
        twin = re.sub('^test_', 'val_', key)
        if twin == key or twin not in keys or not _equal(keys[twin], values):
            kept.append((key, values))
    return kept + [(key, values) for key, values in helpers if not any(_equal(values, other) for _, other in effective)]


def _equal(one: list[Any], other: list[Any]) -> bool:
    return repr(one) == repr(other)  # NaN too, and 1 is not True


def summarize_changes(rows: Leaves, most: int, value_chars: int = 32) -> list[str]:
    """Say each change in a few words: `optimizer.lr 0.02 → 0.01`, `+ RandomFlip`, and a last `and 4 more`.

    Args:
        rows: key and [before, after].
        most: how many changes to say before the rest is only counted.
        value_chars: longer values are cut.
    """
    whole = {key.removesuffix('.type'): values for key, values in rows if key.endswith('.type') and MISSING in values}
    texts = []
    for key, values in rows:
        parent = next(
            (
                name
                for name, pair in whole.items()
                if key.startswith(f'{name}.')
                and (pair[0] is MISSING) == (values[0] is MISSING)
                and (pair[1] is MISSING) == (values[1] is MISSING)
            ),
            None,
        )
        if parent is None:
            before, after = _shorten_pair(values, value_chars)
            texts.append(f'{_short_key(key, [other for other, _ in rows])} {before} → {after}')
        elif key == f'{parent}.type':
            sign, name = ('+', values[1]) if values[0] is MISSING else ('-', values[0])
            texts.append(f'{sign} {getattr(name, "__name__", name)}')
    return texts if len(texts) <= most else [*texts[:most], f'and {len(texts) - most} more']


def _short_key(key: str, keys: list[str]) -> str:
    """Give the last parts of a key, two or more, that tell it from the others."""
    parts = SEPARATOR.split(key)
    for length in range(2, len(parts)):
        tail = '.'.join(parts[-length:])
        if sum(other == tail or other.endswith(f'.{tail}') for other in keys) == 1:
            return tail
    return key


def _shorten_pair(values: list[Any], most: int) -> list[str]:
    """Write two values briefly: numbers with four digits where these tell them apart."""
    rounded = [float(f'{value:.4g}') if isinstance(value, float) else value for value in values]
    return [_shorten(value, most) for value in (rounded if rounded[0] != rounded[1] else values)]


def _shorten(value: Any, most: int) -> str:
    text = repr(value)
    return text if len(text) <= most else f'{text[: most - 1]}…'
