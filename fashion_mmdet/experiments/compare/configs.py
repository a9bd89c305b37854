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
    """Drop helper variables and test loaders whose change stands where they are used; other helpers come last."""
    # As text, so that NaN equals NaN and 1 is not True.
    effective = {key: repr(values) for key, values in rows if EFFECTIVE.match(key)}
    kept = [(key, values) for key, values in rows if key in effective and not _repeats_val(key, effective)]
    texts = set(effective.values())
    return kept + [(key, values) for key, values in rows if key not in effective and repr(values) not in texts]


def _repeats_val(key: str, changes: dict[str, str]) -> bool:
    twin = re.sub('^test_', 'val_', key)
    return twin != key and changes.get(twin) == changes[key]


def summarize_changes(rows: Leaves, most: int, value_chars: int = 32) -> list[str]:
    """Say each change in a few words: `optimizer.lr 0.02 → 0.01`, `+ RandomFlip`, and a last `and 4 more`.

    Args:
        rows: key and [before, after].
        most: number of changes to name; the rest is only counted.
        value_chars: length at which values are cut.
    """
    # Parts that are there on one side alone: their type stands for all of their keys.
    whole = {key.removesuffix('type'): values for key, values in rows if key.endswith('.type') and MISSING in values}
    keys, texts = [key for key, _ in rows], []
    for key, values in rows:
        absent = [value is MISSING for value in values]
        part = next(
            (
                name
                for name, pair in whole.items()
                if key.startswith(name) and absent == [value is MISSING for value in pair]
            ),
            None,
        )
        if part is None:
            before, after = _shorten_pair(values, value_chars)
            texts.append(f'{_short_key(key, keys)} {before} → {after}')
        elif key == f'{part}type':
            sign, name = ('+', values[1]) if absent[0] else ('-', values[0])
            texts.append(f'{sign} {getattr(name, "__name__", name)}')
    return texts if len(texts) <= most else [*texts[:most], f'and {len(texts) - most} more']


def _short_key(key: str, keys: list[str]) -> str:
    """Return the last parts of a key, two or more, that tell it from the others."""
    parts = SEPARATOR.split(key)
    tails = ('.'.join(parts[-length:]) for length in range(2, len(parts)))
    return next((tail for tail in tails if sum(f'.{other}'.endswith(f'.{tail}') for other in keys) == 1), key)


def _shorten_pair(values: list[Any], most: int) -> list[str]:
    """Write two values briefly: numbers with four digits where these tell them apart."""
    rounded = [float(f'{value:.4g}') if isinstance(value, float) else value for value in values]
    texts = [repr(value) for value in (rounded if rounded[0] != rounded[1] else values)]
    return [text if len(text) <= most else f'{text[: most - 1]}…' for text in texts]
