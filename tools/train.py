"""Train an experiment; checkpoints, logs and curves go to work_dirs/<config>.

python tools/train.py configs/fashion/maskrcnn_r50_lossw.py
FASHION_DATA=data/ccp python tools/train.py configs/fashion/maskrcnn_lite0_cpu.py --resume
python tools/train.py CONFIG --cfg-options train_cfg.max_epochs=5 model.rpn_head.loss_cls.loss_weight=10.0
"""

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fashion_mmdet.config import load_config, parse_options
from fashion_mmdet.utils.cli import ToolParser, one_line_errors

if TYPE_CHECKING:
    from mmengine.config import Config


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('train', __doc__)
    parser.add_argument('config', help='config, such as a file of configs/fashion')
    parser.add_argument('--resume', action='store_true', help='continue from the furthest checkpoint of the work_dir')
    parser.add_argument('--amp', action='store_true', help='mixed precision: float16 on a GPU, bfloat16 on a CPU')
    parser.add_shared('work_dir', 'cfg_options', 'trust', 'launcher', 'local_rank')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Prepare the config, then let mmengine train."""
    args = parse_args(argv)
    with one_line_errors('train'):
        options = parse_options(args.cfg_options)
        cfg = load_config(args.config, options)
        if 'load_from' in options:
            cfg.coco_weights = None  # what was asked for by hand must be there
        from fashion_mmdet.experiments import setup
        from fashion_mmdet.experiments.checkpoints import trust_files
        from fashion_mmdet.experiments.lock import only_training
        from fashion_mmdet.experiments.resume import resume_latest

        trust_files(args.trust)
        cfg.work_dir = args.work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(args.config).stem)
        setup.write_atomically()
        setup.start_processes(cfg, args.launcher)
        if args.amp:
            setup.use_mixed_precision(cfg)
        with only_training(cfg.work_dir) as warning:
            resumed = resume_latest(cfg) if args.resume else None
            train(cfg, args.config, sys.argv[1:] if argv is None else argv, resumed, [warning] if warning else [])
    return 0


def train(cfg: 'Config', config: str, argv: list[str], resumed: str | None, warnings: list[str]) -> None:
    """Build mmengine's Runner and run it."""
    from mmengine.logging import print_log
    from mmengine.runner import Runner

    from fashion_mmdet.experiments.agreement import check_classes
    from fashion_mmdet.experiments.provenance import ProvenanceHook
    from fashion_mmdet.experiments.weights import check_shares, prepare_weights

    missing = [] if resumed else prepare_weights(cfg)
    runner = Runner.from_cfg(cfg)
    check_classes(cfg, runner.model, resumed)
    if cfg.load_from and not resumed:
        check_shares(cfg.load_from, runner.model)
    runner.register_hook(
        ProvenanceHook(
            ['python', 'tools/train.py', *argv],
            config,
            start=cfg.load_from,
            random_start=bool(missing) and cfg.load_from is None,
        )
    )
    for problem in warnings + missing:
        print_log(problem, logger='current', level=logging.WARNING)
    if resumed:
        print_log(f'going on from {resumed}', logger='current')
    runner.train()


if __name__ == '__main__':
    sys.exit(main())
