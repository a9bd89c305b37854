"""Tune the postprocessing on a dump of raw predictions, and tell what it is worth on images that it did not see.

    python tools/tune_thresholds.py work_dirs/maskrcnn_lite0_cpu/val.parquet --truth data/ccp/train.csv --out tuned.py
    python tools/test.py CONFIG CHECKPOINT --postprocess tuned.py
    python tools/score_dump.py DUMP TRUTH.csv --postprocess tuned.py

Searches score threshold (common, then by class), NMS IoU, IoU between classes, mask threshold, minimum area, overlap
and categories to drop, from the config's `postprocess` in the dump. Options are found on some folds of the images and
scored on the others, in turn and repeated; a stage that does not help there is left out of the file. What is written is
fitted on all images. Score against each threshold is drawn beside it (tuned.png).
"""

import argparse
import shlex
import sys
from pathlib import Path

from fashion_mmdet.config import data_root, read_postprocess
from fashion_mmdet.utils.cli import add_options, one_line_errors
from fashion_mmdet.utils.options import parse_options
from fashion_mmdet.utils.parallel import count_cores


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('dump', help='Parquet file that tools/test.py wrote')
    parser.add_argument('--out', required=True, metavar='FILE.py', help='for the options; the picture goes beside')
    parser.add_argument('--truth', metavar='CSV', help='default: train.csv of FASHION_DATA')
    parser.add_argument('--postprocess', metavar='FILE', help="options to start from (default: the dump's config's)")
    add_options(parser, text='changes to these')
    parser.add_argument('--average', choices=('image', 'image_class'), default='image')
    parser.add_argument('--match', choices=('category', 'class_id'), default='category')
    parser.add_argument('--size', type=int, default=512, help='side of the masks compared; 0 for each photo as it is')
    parser.add_argument('--folds', type=int, default=2, help='held out in turn (default %(default)s)')
    parser.add_argument('--repeats', type=int, default=3, help='of the folds, each dealt anew (default %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of the folds (default %(default)s)')
    parser.add_argument(
        '--min-support',
        type=int,
        default=10,
        metavar='N',
        help='a class with fewer true objects keeps the common threshold (default %(default)s)',
    )
    parser.add_argument('--workers', type=int, default=count_cores(), help='processes (default: one a core)')
    args = parser.parse_args(argv)
    for name in ('repeats', 'min_support', 'workers'):
        if getattr(args, name) < 1:
            parser.error(f'--{name.replace("_", "-")} {getattr(args, name)}: at least 1')
    if args.folds < 2:
        parser.error(f'--folds {args.folds}: at least 2, to fit on one and score on another')
    args.command = shlex.join(['python', 'tools/tune_thresholds.py', *(sys.argv[1:] if argv is None else argv)])
    return args


def main(argv: list[str] | None = None) -> int:
    """Tune, print the table, write options and picture."""
    args = parse_args(argv)
    with one_line_errors('tune_thresholds'):
        from rich.console import Console
        from rich.progress import Progress

        from fashion_mmdet.analysis.tuning import curves, report, run
        from fashion_mmdet.analysis.tuning.score_cache import ScoreCache
        from fashion_mmdet.evaluation.dump import read_info
        from fashion_mmdet.evaluation.postprocess import Postprocess
        from fashion_mmdet.utils.files import sibling, write_text

        truth = args.truth or Path(data_root()) / 'train.csv'
        out, picture = Path(args.out), sibling(args.out, '.png', inputs=[args.dump, truth, args.postprocess])
        size = (args.size, args.size) if args.size > 0 else None
        base = (
            Postprocess.from_config(read_postprocess(args.postprocess))
            if args.postprocess
            else run.options_of_dump(args.dump)
        )
        base = Postprocess.from_config({**vars(base), **parse_options(args.options)})
        raws, truths, audit = run.read_inputs(args.dump, truth, size)
        if audit:
            print(f'tune_thresholds: the audit of {truth} found\n{audit}', file=sys.stderr)
        plan = run.Plan(args.folds, args.repeats, args.seed)
        with (
            Progress(console=Console(stderr=True)) as progress,
            ScoreCache(raws, truths, size, args.average, args.match, args.workers, progress) as cache,
        ):
            task = progress.add_task('searches', total=plan.searches())
            tuning, tuner = run.tune(cache, base, plan, args.min_support, on_fit=lambda: progress.advance(task))
            drawn = curves.held_out_curves(tuner, tuning.splits, tuning.choice.kept, tuning.options)
        print(report.format_table(tuning))
        metric = f'sweep score, average={args.average}, match={args.match}'
        write_text(out, report.format_overlay(tuning, args.dump, read_info(args.dump).checkpoint, metric, args.command))
        curves.plot_curves(
            drawn,
            picture,
            f'{metric}; line: mean over {plan.repeats} x {plan.folds} held-out folds, '
            'band: one standard deviation; red: chosen on all images',
        )
        print(f'saved: {out}, {picture}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
