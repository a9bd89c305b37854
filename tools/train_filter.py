"""Train a filter that judges detections anew, and tell what it is worth on images that it did not see.

    python tools/train_filter.py work_dirs/maskrcnn_lite0_cpu/val.parquet --truth data/ccp/train.csv --out filter.skops
    python tools/score_dump.py OTHER.parquet TRUTH.csv --options filter=filter.skops score_thr=0.12

Gradient boosting learns from score, class, geometry, certainty of the mask, overlap with other detections and what
else is in the photo how likely a detection hits and what it would add to the sweep score. In a config,
`postprocess = dict(filter='filter.skops', score_thr=...)`: the confidences take the place of the scores. The report is
from folds held out in turn; the filter written is fitted on all images, so scoring it on this dump again would flatter.
A picture of score against hit rate is drawn beside it (filter.png).
"""

import argparse
import shlex
import sys
from dataclasses import replace

from fashion_mmdet.config import parse_options, read_postprocess
from fashion_mmdet.utils.cli import ToolParser, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('train_filter', __doc__)
    parser.add_argument('dump', help='Parquet file that tools/test.py wrote, of images not trained on')
    parser.add_argument('--out', required=True, metavar='FILE.skops', help='the filter; the picture goes beside')
    parser.add_shared('truth', postprocess="options to score with (default: the dump's config's)")
    parser.add_shared('average', 'match', 'size', options='changes to these')
    parser.add_shared('folds', 'repeats', seed='seed of folds and models (default %(default)s)')
    parser.add_argument(
        '--model',
        choices=('boosting', 'linear'),
        default='boosting',
        help='linear: logistic and ridge regression (default %(default)s)',
    )
    parser.add_argument(
        '--confidence',
        choices=('gain', 'hit'),
        default='gain',
        help='in the place of the score: expected sweep gain, or P(hit) (default %(default)s)',
    )
    parser.add_argument(
        '--out-of-fold',
        metavar='FILE.parquet',
        help='write the dump with confidences of filters that did not see the image, to tune on',
    )
    args = parser.parse_args(argv)
    args.command = shlex.join(['python', 'tools/train_filter.py', *(sys.argv[1:] if argv is None else argv)])
    return args


def main(argv: list[str] | None = None) -> int:
    """Train, print the report, write filter and picture."""
    args = parse_args(argv)
    with one_line_errors('train_filter'):
        from fashion_mmdet.analysis.confidence import plot, record, report, run
        from fashion_mmdet.analysis.confidence.validation import Material, Metric, Settings
        from fashion_mmdet.analysis.tuning.run import options_of_dump, read_inputs
        from fashion_mmdet.evaluation.confidence import store
        from fashion_mmdet.evaluation.postprocess import Postprocess
        from fashion_mmdet.utils.files import sibling
        from fashion_mmdet.utils.progress import progress_bar

        truth = args.truth
        picture = sibling(args.out, '.png', [args.out_of_fold], [args.dump, truth, args.postprocess])
        metric = Metric(args.average, args.match, args.size)
        base = (
            Postprocess.from_config(read_postprocess(args.postprocess))
            if args.postprocess
            else options_of_dump(args.dump)
        )
        base = Postprocess.from_config({**vars(base), **parse_options(args.options)})
        settings = Settings(args.model, args.confidence, args.folds, args.repeats, args.seed)
        raws, truths, audit = read_inputs(args.dump, truth, metric.size)
        if audit:
            print(f'train_filter: the audit of {truth} found\n{audit}', file=sys.stderr)
        material = Material(raws, truths, base, metric)
        with progress_bar() as progress:
            task = progress.add_task('models', total=settings.fits() + run.MODELS)
            trained = run.train(material, settings, on_fit=lambda: progress.advance(task))
        print(report.format_report(trained, settings))
        meta = record.describe(trained, material, settings, args.dump, truth, args.command)
        store.save_filter(replace(trained.fitted, meta=meta), args.out)
        plot.plot_calibration(*trained.pooled, picture, plot.caption_of(trained, settings))
        saved = [args.out, str(picture)]
        if args.out_of_fold:
            record.write_dump(trained.unseen, args.out_of_fold, args.dump)
            saved.append(args.out_of_fold)
        print(f'saved: {", ".join(saved)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
