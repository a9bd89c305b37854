"""Test a checkpoint: score on val, submission on test, pictures, a dump of raw predictions.

    python tools/test.py CONFIG CHECKPOINT                              score on the held-out photos
    python tools/test.py CONFIG CHECKPOINT --submission submission.csv  predict the test photos, write the CSV
    python tools/test.py CONFIG CHECKPOINT --show-dir pictures          ground truth and prediction side by side
    python tools/test.py CONFIG CHECKPOINT --tta                        several views of each photo, merged

The raw predictions go to work_dirs/<config>/<split>.parquet (<split>_tta.parquet with --tta), or where --dump says, the
scores of val beside them as JSON; submission and pictures are made from that file with the config's `postprocess`.
"""

import argparse
import json
import sys
from pathlib import Path

from fashion_mmdet.config import load_config, parse_options
from fashion_mmdet.utils.cli import ToolParser, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('test', __doc__)
    parser.add_argument('config', help='config, such as a file of configs/fashion or the one in a work_dir')
    parser.add_argument('checkpoint', help='.pth or .safetensors file of that config')
    parser.add_argument('--split', choices=('val', 'test'), help='default: test with --submission, else val')
    parser.add_argument('--submission', metavar='CSV', help='write a submission of the test photos')
    parser.add_argument('--dump', metavar='PARQUET', help='file for the raw predictions')
    parser.add_argument('--tta', action='store_true', help="test-time augmentation: the config's tta_pipeline")
    parser.add_argument(
        '--show-dir', metavar='DIR', help='write ground truth and prediction side by side, one PNG per image'
    )
    parser.add_shared(postprocess="in place of the config's, from tools/tune_thresholds.py")
    parser.add_shared('work_dir', 'cfg_options', 'trust', 'launcher', 'local_rank')
    args = parser.parse_args(argv)
    args.split = args.split or ('test' if args.submission else 'val')
    if args.submission and args.split == 'val':
        parser.error('--submission predicts the test photos; leave --split val out')
    return args


def main(argv: list[str] | None = None) -> int:
    """Run the model over the split, then make submission and pictures from its dump."""
    args = parse_args(argv)
    with one_line_errors('test'):
        cfg = load_config(args.config, parse_options(args.cfg_options), args.postprocess)
        from mmengine import dist
        from mmengine.runner import Runner

        from fashion_mmdet.evaluation import reporting
        from fashion_mmdet.evaluation.postprocess import Postprocess
        from fashion_mmdet.experiments import setup
        from fashion_mmdet.experiments.agreement import check_classes
        from fashion_mmdet.experiments.checkpoints import trust_files
        from fashion_mmdet.experiments.weights import check_fit
        from fashion_mmdet.utils.files import sibling, write_text

        trust_files(args.trust)
        cfg.work_dir = args.work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(args.config).stem)
        dump = args.dump or str(Path(cfg.work_dir) / f'{args.split}{"_tta" * args.tta}.parquet')
        scores = sibling(dump, '.json', [args.submission], [args.config, args.checkpoint, args.postprocess])
        options = Postprocess.from_config(cfg.get('postprocess'))
        setup.prepare_test(cfg, args.checkpoint, args.split, dump, args.tta)
        setup.start_processes(cfg, args.launcher)
        runner = Runner.from_cfg(cfg)
        check_classes(cfg, runner.model, args.checkpoint)
        check_fit(args.checkpoint, runner.model)
        metrics = runner.test()
        if not dist.is_main_process():
            return 0
        print(f'raw predictions: {dump}')
        if args.split == 'val':
            write_text(scores, json.dumps(metrics, indent=1))
            print(f'scores: {scores}')
        dataset = runner.test_dataloader.dataset
        if args.submission:
            masks = reporting.submit(dump, args.submission, options, setup.submission_images(cfg))
            print(f'submission: {args.submission}, {masks} masks')
        if args.show_dir:
            images = [dataset.get_data_info(index) for index in range(len(dataset))]
            count = reporting.draw_overlays(
                dump, args.show_dir, options, images, dataset.metainfo, with_truth=args.split == 'val'
            )
            print(f'pictures: {count} in {args.show_dir}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
