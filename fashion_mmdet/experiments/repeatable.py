"""Make a run a function of its config and seed: a resumed one continues as if it had never been stopped.

From a checkpoint mmengine restores what the config may have changed since (the schedulers' lengths, the optimizer's
settings, the iteration count of another batch size), and does not restore random numbers.
"""

import itertools
import random
from pathlib import Path

import numpy as np
import torch
from mmengine import dist
from mmengine.dataset import worker_init_fn
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.optim import _ParamScheduler
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop, Runner

from fashion_mmdet.experiments.lock import on_main
from fashion_mmdet.experiments.runs import find_logs
from fashion_mmdet.experiments.train_log import read_log

PROGRESS = {'last_step', '_global_step', '_last_value', 'best', 'num_bad_epochs', 'cooldown_counter'}


@HOOKS.register_module()
class RepeatableHook(Hook):
    """Seed every iteration and every epoch's workers by their number; let a resumed run follow today's config.

    Learning rate, momentum and so on become what a run of this config from the start would have at this point: the
    schedulers are stepped through the iterations that are done. Workers that outlive an epoch (`persistent_workers`)
    are seeded once: with them a resumed run draws other augmentations.

    Raises:
        ValueError: a schedule that cannot be replayed, since another one depends on the scores (ReduceOnPlateauLR).
    """

    priority = 'LOWEST'  # after the hooks that draw random numbers or save a checkpoint

    def before_train(self, runner: Runner) -> None:
        """Run the validation that is missing where the run was killed before the last one ended."""
        if runner._resume and runner.val_loop is not None and on_main(lambda: lacks_validation(runner)):
            runner.val_loop.run()

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed the first batch and the workers; mmengine's own function seeds them the same in every epoch."""
        seed_everything(runner, runner.iter)
        loader = runner.train_dataloader
        loader.generator = torch.Generator().manual_seed(derive_seed(runner, runner.epoch, 1))
        if getattr(loader.worker_init_fn, 'func', None) is worker_init_fn:
            loader.worker_init_fn = None  # then PyTorch seeds every library from the generator

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Seed the next batch: its loading, where no worker does that, and its training step."""
        seed_everything(runner, runner.iter + 1)

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Seed the next batch again: a run resumed here does not repeat the validation."""
        seed_everything(runner, runner.iter)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Bring a checkpoint that is resumed from in line with the config."""
        if not runner._resume:
            return
        if isinstance(runner.train_loop, EpochBasedTrainLoop):  # begins the epoch, which may have another length now
            checkpoint['meta']['iter'] = checkpoint['meta']['epoch'] * len(runner.train_dataloader)
        schedulers = runner.param_schedulers or []
        if 'optimizer' in checkpoint and isinstance(schedulers, list):
            _follow_config(runner, schedulers, checkpoint)


def lacks_validation(runner: Runner) -> bool:
    """Return whether a run has reached a validation of its config whose score its logs lack."""
    loop = runner.train_loop
    done, end = (loop.epoch, loop.max_epochs) if isinstance(loop, EpochBasedTrainLoop) else (loop.iter, loop.max_iters)
    if not done or done < loop.val_begin or (done % loop.val_interval and done < end):
        return False
    # Where training counts no epochs, a score stands at the last logged loss before it.
    last = (done - 1) // loop.val_interval * loop.val_interval
    return not any(last < line['step'] <= done for line in read_log(find_logs(Path(runner.work_dir))).val)


def derive_seed(runner: Runner, *key: int) -> int:
    """Derive a seed from the run's seed, this process's rank and a key."""
    return int(np.random.SeedSequence([runner.seed, dist.get_rank(), *key]).generate_state(1)[0])


def seed_everything(runner: Runner, iteration: int) -> None:
    """Seed Python, NumPy and PyTorch for an iteration; takes well under a millisecond."""
    seed = derive_seed(runner, iteration)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _follow_config(runner: Runner, schedulers: list[_ParamScheduler], checkpoint: dict) -> None:
    """Put the config's optimizer settings and schedulers, at the checkpoint's iteration, into the checkpoint."""
    saved = checkpoint['optimizer']
    if any(getattr(scheduler, 'need_val_args', False) for scheduler in schedulers):
        _keep_rates(schedulers, checkpoint)
        return
    replay(runner, schedulers, checkpoint['meta']['iter'])
    now = runner.optim_wrapper.state_dict()
    before = [group['lr'] for group in saved['param_groups']]
    pairs = zip(now['param_groups'], saved['param_groups'], strict=False)  # torch refuses other lengths
    saved['param_groups'] = [{**group, 'params': old['params']} for group, old in pairs]
    if 'base_param_settings' in now:
        saved['base_param_settings'] = now['base_param_settings']
    checkpoint['param_schedulers'] = [scheduler.state_dict() for scheduler in schedulers]
    rates = [group['lr'] for group in saved['param_groups']]
    if rates != before:
        message = f'by the config the learning rate is {rates[0]:g} here; the checkpoint had {before[0]:g}'
        print_log(message, logger='current')


def replay(runner: Runner, schedulers: list[_ParamScheduler], iterations: int) -> None:
    """Step new schedulers through iterations, in the order of training.

    Each multiplies the rate that it finds, so that only the same steps in the same order give the same rate.
    """
    by_epoch = [scheduler for scheduler in schedulers if scheduler.by_epoch]
    by_iteration = [scheduler for scheduler in schedulers if not scheduler.by_epoch]
    counts_epochs = isinstance(runner.train_loop, EpochBasedTrainLoop)
    runner.optim_wrapper._global_step = iterations  # else the schedulers warn that no step has been trained
    for done in range(1, iterations + 1):
        at_end = counts_epochs and done % len(runner.train_dataloader) == 0
        for scheduler in by_iteration + by_epoch if at_end else by_iteration:
            scheduler.step()


def _keep_rates(schedulers: list[_ParamScheduler], checkpoint: dict) -> None:
    """Take progress and rates from the checkpoint, the settings of score-dependent schedulers from the config."""
    for scheduler, saved in itertools.zip_longest(schedulers, checkpoint.get('param_schedulers', [])):
        now, saved = scheduler.state_dict() if scheduler else {}, {} if saved is None else saved
        changed = sorted(
            name
            for name in (now.keys() | saved.keys()) - PROGRESS
            if now.get(name) != saved.get(name) and not callable(now.get(name))
        )
        if changed and not getattr(scheduler, 'need_val_args', False):
            raise ValueError(
                f'param_scheduler: {changed[0]} is {now.get(changed[0])} and was {saved.get(changed[0])} in the '
                'checkpoint; beside a scheduler that goes by the scores the rate cannot be worked out: set it back, or '
                'start a new run with load_from'
            )
        saved.update({name: now.get(name) for name in changed})
