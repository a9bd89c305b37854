"""Search config values with Optuna: loss weights, learning rate, heads. Every trial is an ordinary training run.

    python tools/sweep.py configs/fashion/quickstart.py --space configs/spaces/loss_weights.py --trials 20
    python tools/sweep.py CONFIG --space SPACE.py --trials 20 --cfg-options train_cfg.val_interval=1
    python tools/compare_runs.py work_dirs/quickstart_loss_weights/trial_*

After a stop or a kill the same command continues; an interrupted trial is resumed from its newest checkpoint. Sweeps on
several GPUs or machines share the trials through one --storage (a file that all see, or a database server). A trial
below the median of the earlier ones at the same epoch is stopped early, so let the config validate often.
"""

import argparse
import hashlib
import sys
import time
from pathlib import Path

from fashion_mmdet.config import load_config, parse_options
from fashion_mmdet.utils.checks import COUNT, Interval
from fashion_mmdet.utils.cli import ToolParser, number, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('sweep', __doc__)
    parser.add_argument('config', help='config, such as a file of configs/fashion')
    parser.add_argument('--space', required=True, help='search space, such as a file of configs/spaces')
    parser.add_argument('--trials', type=number(COUNT), required=True, help='total number of trials in the study')
    parser.add_argument('--storage', default='sqlite:///work_dirs/sweep.db', metavar='URL', help='default %(default)s')
    parser.add_argument('--study', help='default: <config>_<space>')
    parser.add_shared(work_dir='default: work_dirs/<study>', cfg_options='for every trial')
    parser.add_shared(seed='seed of the sampler (default %(default)s)')
    parser.add_argument('--pruner', choices=('median', 'halving', 'hyperband', 'none'), default='median')
    parser.add_argument(
        '--timeout-min', type=number(Interval(0)), default=float('inf'), help='begin no trial after that'
    )
    parser.add_argument(
        '--heartbeat-s',
        type=number(COUNT),
        default=10,
        help='seconds between two heartbeats in the storage; a sweep that misses six counts as dead (%(default)s)',
    )
    parser.add_shared(trust='of every trial: load checkpoints that may run code')
    parser.add_argument('--train', type=Path, metavar='TOOL', help='default: tools/train.py')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Check the arguments, run the trials, show the best."""
    args = parse_args(argv)
    with one_line_errors('sweep'):
        try:
            import optuna  # noqa: F401
        except ImportError:
            raise ValueError('optuna is not installed: pip install -e .[sweep]') from None
        return run_sweep(args)


def run_sweep(args: argparse.Namespace) -> int:
    """Run a sweep; return 0, or 128 + the number of the signal that stopped it."""
    from fashion_mmdet.experiments.sweep.loop import Stopped, Sweep, stopped_by_signals
    from fashion_mmdet.experiments.sweep.report import BEST, save_best
    from fashion_mmdet.experiments.sweep.space import read_space
    from fashion_mmdet.experiments.sweep.study import open_study
    from fashion_mmdet.experiments.sweep.trial import TRAIN
    from fashion_mmdet.utils.files import check_outputs

    deadline = time.monotonic() + 60 * args.timeout_min
    options = parse_options(args.cfg_options)
    cfg = load_config(args.config, options)
    space = read_space(args.space, cfg)
    if twice := sorted(options.keys() & space.keys()):
        raise ValueError(f'--cfg-options {twice[0]}: {args.space} varies it')
    name = args.study or f'{Path(args.config).stem}_{Path(args.space).stem}'
    folder = Path(args.work_dir or Path('work_dirs') / name)
    check_outputs([folder / BEST], [args.config, args.space])
    content = hashlib.sha256(cfg.pretty_text.encode()).hexdigest()  # the data's folder is in it
    origin = dict(config=content, options=sorted(args.cfg_options), space=space)
    study = open_study(args.storage, name, origin, args.seed, args.pruner, args.heartbeat_s)
    shared = dict(heartbeat_s=args.heartbeat_s, train=args.train or TRAIN, trust=args.trust)
    sweep = Sweep(study, args.config, cfg, args.cfg_options, space, folder, args.trials, **shared)
    try:
        with stopped_by_signals():
            sweep.run(deadline)
    except Stopped as stop:
        print('sweep: stopped; the same command goes on', file=sys.stderr)
        return 128 + stop.args[0]
    print(save_best(study, args.config, cfg, args.cfg_options, folder))
    return 0


if __name__ == '__main__':
    sys.exit(main())
