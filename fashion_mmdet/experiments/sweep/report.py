"""What a sweep prints of its trials, and the best one as a table, as options and as a config."""

from pathlib import Path
from shlex import quote
from typing import Any

import optuna
from mmengine.config import Config
from optuna.trial import FrozenTrial, TrialState

from fashion_mmdet.experiments.diff import format_table
from fashion_mmdet.experiments.sweep.space import short_names, to_options, value_at, write_overlay
from fashion_mmdet.experiments.sweep.study import root, trials_by_root

BEST = 'best.py'


def describe_values(values: dict[str, Any]) -> str:
    """Write values in one line, keys shortened to what tells them apart."""
    texts = {key: f'{value:.4g}' if isinstance(value, float) else str(value) for key, value in values.items()}
    return ' '.join(f'{name}={texts[key]}' for key, name in short_names(values).items())


def describe_end(study: optuna.Study, trial: FrozenTrial, wanted: int, failure: str) -> str:
    """Write in one line how a trial ended, the best so far, and how many of how many are done."""
    if trial.state == TrialState.FAIL:
        outcome = f'failed: {failure}'
    elif trial.state == TrialState.PRUNED:
        outcome = f'pruned after step {trial.last_step} with score {trial.value:.4f}'
    else:
        outcome = f'score {trial.value:.4f}'
    best = best_trial(study)
    so_far = f'; best {best.value:.4f}, trial {root(best)}' if best else ''
    done = sum(one.state.is_finished() for one in trials_by_root(study).values())
    return f'trial {root(trial)}: {outcome}{so_far} [{done}/{wanted}]'


def best_trial(study: optuna.Study) -> FrozenTrial | None:
    """Return the completed trial with the highest score, the first of equals."""
    completed = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return max(completed, key=lambda trial: trial.value, default=None)


def save_best(study: optuna.Study, config: str, cfg: Config, options: list[str], folder: Path) -> str:
    """Write the best trial as `best.py` into the study's folder; `cfg` is `config` with the `options` of all trials.

    Returns:
        A table against the config, the options ready to paste, and where run and config are.

    Raises:
        ValueError: no trial was completed.
    """
    best = best_trial(study)
    if best is None:
        raise ValueError(f'study {study.study_name}: no trial was completed')
    pairs, name, path = [*options, *to_options(best.params)], f'trial {root(best)}', folder / BEST
    write_overlay(path, config, pairs, f'{name} of sweep {study.study_name}: score {best.value:.4f}.')
    table = format_table(['config', name], [(key, [value_at(cfg, key), value]) for key, value in best.params.items()])
    return (
        f'best: {name}, fashion/score {best.value:.4f}, run {best.user_attrs["folder"]}, config {path}\n\n'
        f'{table}\n\n--cfg-options {" ".join(map(quote, pairs))}'
    )
