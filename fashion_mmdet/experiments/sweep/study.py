"""The study of a sweep: its storage, its sampler and pruner, and which trial stands for which.

A trial whose sweep died is marked as failed and queued again by Optuna's own means (heartbeats and
RetryHeartbeatStaleTrialCallback) under a new number; its `root`, the number it first had, names its folder.
"""

import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import sqlalchemy
from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState

PRUNERS = {'median': MedianPruner, 'halving': SuccessiveHalvingPruner, 'hyperband': HyperbandPruner, 'none': NopPruner}
SILENT_BEATS = 6  # a sweep that has missed so many heartbeats counts as dead
SURPLUS, ORIGIN = 'surplus', 'sweep'


class TrialSeededTPE(BaseSampler):
    """TPE with a generator of its own for every trial, seeded by the study's seed and the trial's number.

    One seed for all would begin the same row of values again in every process and after every restart.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._tpe = TPESampler(seed=seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Start the generator of this trial."""
        self._tpe = TPESampler(seed=int(np.random.SeedSequence((self._seed, trial.number)).generate_state(1)[0]))

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, Any]:
        """As TPE does."""
        return self._tpe.infer_relative_search_space(study, trial)

    def sample_relative(self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, Any]) -> dict[str, Any]:
        """As TPE does."""
        return self._tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: optuna.distributions.BaseDistribution,
    ) -> Any:
        """As TPE does."""
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)


def open_study(url: str, name: str, origin: dict[str, Any], seed: int, pruner: str, heartbeat_s: int) -> optuna.Study:
    """Open a study, or make it.

    Args:
        url: of the storage, such as `sqlite:///work_dirs/sweep.db`.
        name: of the study in the storage.
        origin: what all of its trials share (config, options, space), as JSON can hold it.
        seed: of the sampler.
        pruner: a key of PRUNERS.
        heartbeat_s: seconds between two signs of life.

    Raises:
        ValueError: no such storage, or a study of that name with another origin.
    """
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    warnings.filterwarnings('ignore', category=optuna.exceptions.ExperimentalWarning)
    study = optuna.create_study(
        storage=open_storage(url, heartbeat_s),
        study_name=name,
        direction='maximize',
        load_if_exists=True,
        sampler=TrialSeededTPE(seed),
        pruner=PRUNERS[pruner](),
    )
    origin = json.loads(json.dumps(origin))
    known = study.user_attrs.get(ORIGIN, origin)
    for key, value in origin.items():
        if known[key] != value:
            raise ValueError(f'study {name} in {url} was begun with another {key}; choose another --study')
    study.set_user_attr(ORIGIN, origin)
    return study


def open_storage(url: str, heartbeat_s: int) -> RDBStorage:
    """Connect to a database; make the tables, and an SQLite file with its folder, where they are missing.

    Raises:
        ValueError: naming the storage: no such database, no driver for it, or not a URL.
    """
    try:
        address = sqlalchemy.make_url(url)
        if address.get_backend_name() == 'sqlite' and address.database:
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    except (sqlalchemy.exc.ArgumentError, OSError) as error:
        raise ValueError(f'--storage {url}: {error}') from None
    for attempt in range(5):
        try:
            return RDBStorage(
                url,
                heartbeat_interval=heartbeat_s,
                grace_period=SILENT_BEATS * heartbeat_s,
                heartbeat_stale_trial_callback=requeue,
            )
        except (sqlalchemy.exc.OperationalError, sqlalchemy.exc.IntegrityError) as error:
            # Two sweeps that begin at once both create the tables; the later finds them at its next attempt.
            if attempt == 4 or 'unable to open' in str(error):
                raise ValueError(f'--storage {url}: {error.orig}') from None
            time.sleep(0.2 * (attempt + 1))
        except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
            raise ValueError(f'--storage {url}: {str(error).splitlines()[0]}') from None
    raise AssertionError('unreachable')


def requeue(study: optuna.Study, trial: FrozenTrial) -> None:
    """Queue a failed trial again, with its values."""
    RetryHeartbeatStaleTrialCallback()(study, trial)


def root(trial: FrozenTrial) -> int:
    """Give the number under which a trial was first run."""
    number = RetryHeartbeatStaleTrialCallback.retried_trial_number(trial)
    return trial.number if number is None else number


def trials_by_root(study: optuna.Study) -> dict[int, FrozenTrial]:
    """List the trials that count: of one queued again its newest run, and none that was surplus."""
    trials = study.get_trials(deepcopy=False)
    return {root(trial): trial for trial in trials if SURPLUS not in trial.user_attrs}


def is_surplus(study: optuna.Study, trial: FrozenTrial, wanted: int) -> bool:
    """Tell whether a new trial exceeds the wanted number, since another sweep began one at the same time.

    Numbers are given by the storage in one order for all: every sweep comes to the same answer.
    """
    return root(trial) == trial.number and sum(number < trial.number for number in trials_by_root(study)) >= wanted


def fail_lost_trials(study: optuna.Study, heartbeat_s: int) -> None:
    """Queue again the trials of dead sweeps; fail those that died before their first heartbeat.

    A trial gets its folder's name right after its first heartbeat, milliseconds after its start.
    """
    optuna.storages.fail_stale_trials(study)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        age_s = time.time() - trial.datetime_start.timestamp()
        if 'folder' not in trial.user_attrs and age_s > SILENT_BEATS * heartbeat_s:
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
