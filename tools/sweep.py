"""Search config values with Optuna: loss weights, learning rate, heads. Every trial is an ordinary run.

    python tools/sweep.py configs/fashion/quickstart.py --space configs/spaces/loss_weights.py --trials 20
    python tools/sweep.py CONFIG --space SPACE.py --trials 20 --cfg-options train_cfg.val_interval=1
    python tools/compare_runs.py work_dirs/quickstart_loss_weights/trial_*

The same command goes on after a stop or a kill; a trial that was cut off is resumed from its newest checkpoint. Started
on several GPUs or machines with one --storage (a file both see, or a database server), sweeps share the trials. A trial
below the median of the earlier ones at the same epoch is stopped early, so let the config validate often.
"""

import argparse
import hashlib
import sys
import time
from pathlib import Path

from fashion_mmdet.config import load_config, parse_options
from fashion_mmdet.utils.cli import add_options, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a file of configs/fashion')
    parser.add_argument('--space', required=True, help='a file of configs/spaces')
    parser.add_argument('--trials', type=int, required=True, help='how many the study shall have in all')
    parser.add_argument('--storage', default='sqlite:///work_dirs/sweep.db', metavar='URL', help='default %(default)s')
    parser.add_argument('--study', help='default: <config>_<space>')
    parser.add_argument('--work-dir', help='default: work_dirs/<study>')
    add_options(parser, '--cfg-options', 'for every trial')
    parser.add_argument('--seed', type=int, default=0, help='of the sampler (default %(default)s)')
    parser.add_argument('--pruner', choices=('median', 'halving', 'hyperband', 'none'), default='median')
    parser.add_argument('--timeout-min', type=float, default=float('inf'), help='begin no trial after so many minutes')
    parser.add_argument(
        '--heartbeat-s',
        type=int,
        default=10,
        help='seconds between two signs of life in the storage; '
        'a sweep silent for six counts as dead (default %(default)s)',
    )
    parser.add_argument('--trust', action='store_true', help='of every trial: load checkpoints that may run code')
    parser.add_argument('--train', type=Path, metavar='TOOL', help='default: tools/train.py')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Check all, then run trials, then show the best."""
    args = parse_args(argv)
    with one_line_errors('sweep'):
        for name in ('trials', 'heartbeat_s'):
            if getattr(args, name) < 1:
                raise ValueError(f'--{name.replace("_", "-")} {getattr(args, name)}: 1 or more')
        try:
            import optuna  # noqa: F401
        except ImportError:
            raise ValueError('optuna is not installed: pip install -e .[sweep]') from None
        return run(args)


def run(args: argparse.Namespace) -> int:
    """Run a sweep; 128 + the signal's number if one stopped it."""
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
    try:
        with stopped_by_signals():
            Sweep(
                study,
                args.config,
                cfg,
                args.cfg_options,
                space,
                folder,
                args.trials,
                args.heartbeat_s,
                args.train or TRAIN,
                args.trust,
            ).run(deadline)
    except Stopped as stop:
        print('sweep: stopped; the same command goes on', file=sys.stderr)
        return 128 + stop.args[0]
    print(save_best(study, args.config, cfg, args.cfg_options, folder))
    return 0


if __name__ == '__main__':
    sys.exit(main())
