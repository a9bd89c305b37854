"""The Optuna study of a sweep: its storage, sampler and pruner, and which trial continues which.

Optuna marks the trial of a killed sweep as failed and queues it again under a new number (heartbeats and
RetryHeartbeatStaleTrialCallback); its `root`, the number it first had, names its folder.
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
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState

PRUNERS = {'median': MedianPruner, 'halving': SuccessiveHalvingPruner, 'hyperband': HyperbandPruner, 'none': NopPruner}
MISSED_HEARTBEATS = 6  # a sweep that has missed so many counts as dead
SURPLUS, ORIGIN = 'surplus', 'sweep'


class TrialSeededTPE(optuna.samplers.TPESampler):
    """TPE whose random numbers follow from the study's seed and the trial's number, whichever process runs it.

    One generator for all would draw the same sequence of values in every process and after every restart.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed=seed)
        self._study_seed = seed

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Seed the generators for this trial."""
        seeds = np.random.SeedSequence((self._study_seed, trial.number)).generate_state(1)
        super().__init__(seed=int(seeds[0]))
        super().before_trial(study, trial)


def open_study(url: str, name: str, origin: dict[str, Any], seed: int, pruner: str, heartbeat_s: int) -> optuna.Study:
    """Open a study, or create it.

    Args:
        url: storage, such as `sqlite:///work_dirs/sweep.db`.
        name: name of the study in the storage.
        origin: what all of its trials share (config, options, space), as JSON can hold it.
        seed: seed of the sampler.
        pruner: a key of PRUNERS.
        heartbeat_s: seconds between two heartbeats.

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
    """Connect to a database; create the tables, and an SQLite file with its folder, where they are missing."""
    try:
        address = sqlalchemy.make_url(url)
        if address.get_backend_name() == 'sqlite' and address.database:
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        for pause_s in (0.2, 0.4, 0.6, 0.8, None):
            try:
                return RDBStorage(
                    url,
                    heartbeat_interval=heartbeat_s,
                    grace_period=MISSED_HEARTBEATS * heartbeat_s,
                    heartbeat_stale_trial_callback=requeue,
                )
            except (sqlalchemy.exc.OperationalError, sqlalchemy.exc.IntegrityError) as error:
                # Of two sweeps that create the tables at once, the later finds them at its next attempt.
                if pause_s is None or 'unable to open' in str(error):
                    raise
                time.sleep(pause_s)
    except (sqlalchemy.exc.SQLAlchemyError, OSError, ImportError) as error:
        raise ValueError(f'--storage {url}: {str(getattr(error, "orig", error)).splitlines()[0]}') from None


def requeue(study: optuna.Study, trial: FrozenTrial) -> None:
    """Queue a failed trial again, with its values."""
    RetryHeartbeatStaleTrialCallback()(study, trial)


def root(trial: FrozenTrial) -> int:
    """Return the number under which a trial was first run."""
    number = RetryHeartbeatStaleTrialCallback.retried_trial_number(trial)
    return trial.number if number is None else number


def trials_by_root(study: optuna.Study) -> dict[int, FrozenTrial]:
    """List the trials that count: of one queued again the newest run, and none that was surplus."""
    trials = study.get_trials(deepcopy=False)
    return {root(trial): trial for trial in trials if SURPLUS not in trial.user_attrs}


def is_surplus(study: optuna.Study, trial: FrozenTrial, wanted: int) -> bool:
    """Return whether a new trial exceeds the wanted number, since another sweep began one at the same time.

    The storage numbers the trials in one order for all: every sweep comes to the same answer.
    """
    return root(trial) == trial.number and sum(number < trial.number for number in trials_by_root(study)) >= wanted


def fail_lost_trials(study: optuna.Study, heartbeat_s: int) -> None:
    """Queue the trials of dead sweeps again; fail those that died before their first heartbeat.

    A trial gets its folder's name right after its first heartbeat, milliseconds after its start.
    """
    optuna.storages.fail_stale_trials(study)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        age_s = time.time() - trial.datetime_start.timestamp()
        if 'folder' not in trial.user_attrs and age_s > MISSED_HEARTBEATS * heartbeat_s:
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
