"""A sweep: trials one after the other until the study has as many as wanted."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from mmengine.config import Config
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from fashion_mmdet.experiments.sweep import trial as training
from fashion_mmdet.experiments.sweep.report import describe_end, describe_values
from fashion_mmdet.experiments.sweep.space import Space, suggest, to_options
from fashion_mmdet.experiments.sweep.study import SURPLUS, fail_lost_trials, is_surplus, requeue, root, trials_by_root

FAILURES_IN_A_ROW = 3


class Stopped(KeyboardInterrupt):
    """The sweep was told to stop by the signal in `args`; Optuna passes on what is a KeyboardInterrupt."""


class Abandoned(Exception):
    """A trial that is not this sweep's to run: one too many, or taken over by another sweep."""


@dataclass
class Sweep:
    """What all trials share, and the loop over them."""

    study: optuna.Study
    config: str  # path of the experiment
    cfg: Config  # the same with `options` merged
    options: list[str]  # `key=value` pairs for every trial
    space: Space
    folder: Path  # of the study; the runs of its trials are `trial_0007` and so on in it
    wanted: int  # number of trials in the study
    heartbeat_s: int = 10
    train: Path = training.TRAIN  # the training tool
    trust: bool = False  # load checkpoints that may run code
    poll_s: float = 2.0  # between two looks at a running trial
    _failures: list[str] = field(default_factory=list, init=False)  # in a row
    _number: int | None = field(default=None, init=False)  # of the trial that runs here

    def run(self, deadline: float = float('inf')) -> None:
        """Run trials until the study has `wanted` finished ones; wait for those that run elsewhere.

        Args:
            deadline: on time.monotonic's clock; no trial is begun after it.

        Raises:
            ValueError: three trainings failed in a row, or the folder holds trials of another study.
            Stopped: by a signal; the trial is queued again first.
        """
        self._check_folders()
        announced = None
        while time.monotonic() < deadline:
            fail_lost_trials(self.study, self.heartbeat_s)
            states = {number: trial.state for number, trial in trials_by_root(self.study).items()}
            running = [number for number, state in states.items() if state == TrialState.RUNNING]
            if sum(state != TrialState.WAITING for state in states.values()) < self.wanted:
                self._run_trial()
            elif not running:
                break
            else:
                if running != announced:
                    print(f'waiting for trials that run elsewhere: {", ".join(map(str, running))}', flush=True)
                    announced = running
                time.sleep(self.poll_s)

    def _check_folders(self) -> None:
        """Refuse folders of trials that the study does not know: their scores would count for a new trial."""
        folders = sorted(self.folder.glob('trial_*'))  # before the study's: another sweep may just be making one
        known = {self._folder(number) for number in trials_by_root(self.study)}
        for folder in folders:
            if folder not in known:
                raise ValueError(f'{folder}: not of study {self.study.study_name}; remove it or choose another --study')

    def _folder(self, number: int) -> Path:
        return self.folder / f'trial_{number:04d}'

    def _run_trial(self) -> None:
        """Run one trial and print how it ended."""
        self._number = None
        try:
            self.study.optimize(self._objective, n_trials=1, catch=(training.TrainingFailed, Abandoned))
        except Stopped:
            if self._number is not None and self.study.trials[self._number].state == TrialState.FAIL:
                requeue(self.study, self.study.trials[self._number])
            raise
        except ValueError:  # Optuna takes no result for a trial that another sweep has taken over
            if self._number is not None:
                raise
        if self._number is None:
            return
        trial = self.study.trials[self._number]
        if trial.state != TrialState.FAIL:
            self._failures.clear()
        print(describe_end(self.study, trial, self.wanted, ''.join(self._failures[-1:])), flush=True)
        if len(self._failures) == FAILURES_IN_A_ROW:
            raise ValueError(f'{FAILURES_IN_A_ROW} trainings failed in a row; the last: {self._failures[-1]}')

    def _objective(self, trial: optuna.Trial) -> float:
        """Train one trial and return its best score."""
        self._number = trial.number
        try:
            return self._train(trial)
        except training.TrainingFailed as error:
            self._failures.append(str(error))
            raise
        except (Abandoned, UpdateFinishedTrialError):
            self._number, frozen = None, self.study.trials[trial.number]
            if SURPLUS not in frozen.user_attrs:
                print(f'trial {root(frozen)}: taken over by another sweep', flush=True)
            raise Abandoned from None

    def _train(self, trial: optuna.Trial) -> float:
        frozen = self.study.trials[trial.number]
        number, resume = root(frozen), root(frozen) != trial.number
        folder = self._folder(number)
        trial.set_user_attr('folder', str(folder))
        if is_surplus(self.study, frozen, self.wanted):
            trial.set_user_attr(SURPLUS, True)
            raise Abandoned
        values = suggest(trial, self.space)
        print(f'trial {number}: {describe_values(values)}' + ', taken up again' * resume, flush=True)
        options = [*self.options, *to_options(values)]
        command = training.train_command(self.config, folder, options, resume, self.train, self.trust)
        with training.running(command, folder) as process:
            scores = self._watch(trial, folder, process, self._last_step(values))
        training.check_ended_well(process, folder)
        if not scores:
            raise training.TrainingFailed('no fashion/score in its log; train_cfg.val_interval says when one is due')
        return max(scores.values())

    def _watch(
        self, trial: optuna.Trial, folder: Path, process: subprocess.Popen, last_step: float
    ) -> dict[int, float]:
        """Report scores as they come; stop where the pruner says so, unless the trial is at its end anyway."""
        reported: set[int] = set()
        alive = True
        while alive:
            alive = training.is_running(process, self.poll_s)
            scores = training.read_scores(folder)
            for step in sorted(scores.keys() - reported):
                trial.report(scores[step], step)
                reported.add(step)
                if alive and step < last_step and trial.should_prune():
                    raise optuna.TrialPruned
            if self.study.trials[trial.number].state != TrialState.RUNNING:
                raise Abandoned
        return scores

    def _last_step(self, values: dict[str, Any]) -> float:
        """Find the step of the last validation: epochs, or iterations where the config counts those."""
        loop = self.cfg.get('train_cfg', {})
        lengths = (values.get(f'train_cfg.{name}', loop.get(name)) for name in ('max_epochs', 'max_iters'))
        return next(filter(None, lengths), float('inf'))


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Turn the first SIGINT, SIGTERM or SIGHUP into Stopped; while that is dealt with, ignore more of them."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(number: int, frame: Any) -> None:
        for one in numbers:
            signal.signal(one, signal.SIG_IGN)
        raise Stopped(number)

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
