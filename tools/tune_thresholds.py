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

from fashion_mmdet.utils.checks import COUNT
from fashion_mmdet.utils.cli import ToolParser, number, one_line_errors
from fashion_mmdet.utils.parallel import count_cores


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('tune_thresholds', __doc__)
    parser.add_argument('dump', help='Parquet file that tools/test.py wrote')
    parser.add_argument('--out', required=True, metavar='FILE.py', help='for the options; the picture goes beside')
    parser.add_shared('truth', postprocess="options to start from (default: the dump's config's)")
    parser.add_shared('average', 'match', 'size', options='changes to these')
    parser.add_shared('folds', 'repeats', 'workers', seed='seed of the folds (default %(default)s)')
    parser.set_defaults(folds=2, workers=count_cores())
    parser.add_argument(
        '--min-support',
        type=number(COUNT),
        default=10,
        metavar='N',
        help='a class with fewer true objects keeps the common threshold (default %(default)s)',
    )
    args = parser.parse_args(argv)
    args.command = shlex.join(['python', 'tools/tune_thresholds.py', *(sys.argv[1:] if argv is None else argv)])
    return args


def main(argv: list[str] | None = None) -> int:
    """Tune, print the table, write options and picture."""
    args = parse_args(argv)
    with one_line_errors('tune_thresholds'):
        from fashion_mmdet.analysis.tuning import curves, report
        from fashion_mmdet.analysis.tuning.inputs import read_inputs
        from fashion_mmdet.analysis.tuning.score_cache import ScoreCache
        from fashion_mmdet.analysis.tuning.validation import Plan, tune
        from fashion_mmdet.evaluation.dump import read_info
        from fashion_mmdet.evaluation.dump_options import read_options
        from fashion_mmdet.utils.files import sibling, write_text
        from fashion_mmdet.utils.progress import progress_bar

        picture = sibling(args.out, '.png', inputs=[args.dump, args.truth, args.postprocess])
        base, said = read_options(args.dump, args.postprocess, args.options)
        raws, truths, audit = read_inputs(args.dump, args.truth, args.size)
        if audit:
            print(f'tune_thresholds: the audit of {args.truth} found\n{audit}', file=sys.stderr)
        plan = Plan(args.folds, args.repeats, args.seed)
        with (
            progress_bar() as progress,
            ScoreCache(raws, truths, args.size, args.average, args.match, args.workers, progress) as cache,
        ):
            task = progress.add_task('searches', total=plan.searches())
            tuning, tuner = tune(cache, base, plan, args.min_support, on_fit=lambda: progress.advance(task))
            drawn = curves.held_out_curves(tuner, tuning.splits, tuning.choice.kept, tuning.options)
        print(said, file=sys.stderr)
        print(report.format_table(tuning))
        metric = f'sweep score, average={args.average}, match={args.match}'
        overlay = report.format_overlay(tuning, args.dump, read_info(args.dump).checkpoint, metric, args.command)
        write_text(args.out, overlay)
        caption = (
            f'{metric}; line: mean over {plan.repeats} x {plan.folds} held-out folds, band: one standard deviation; '
            'red: chosen on all images'
        )
        curves.plot_curves(drawn, picture, caption)
        print(f'saved: {args.out}, {picture}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
