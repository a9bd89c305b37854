"""Train a rescorer, which gives detections new scores, and report its worth on held-out images.

    python tools/train_rescorer.py work_dirs/RUN/val.parquet --truth data/ccp/train.csv --out rescorer.skops
    python tools/score_dump.py OTHER.parquet TRUTH.csv --options rescorer=rescorer.skops score_thr=0.12

Gradient boosting learns from score, class, geometry, mask certainty, overlap with other detections and what else is in
the photo how likely a detection is a true positive and how much it would add to the sweep score. In a config,
`postprocess = dict(rescorer='rescorer.skops', score_thr=...)` replaces the model's scores. The report comes from folds
held out in turn; the saved rescorer is fitted on all images, so scoring this dump with it would flatter. A picture of
score against hit rate is drawn beside it (rescorer.png).
"""

import argparse
import shlex
import sys
from dataclasses import replace

from fashion_mmdet.utils.cli import ToolParser, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('train_rescorer', __doc__)
    parser.add_argument('dump', help='Parquet file that tools/test.py wrote, of images not trained on')
    parser.add_argument('--out', required=True, metavar='FILE.skops', help='the rescorer; the picture goes beside')
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
        help='what replaces the score: expected sweep gain, or P(hit) (default %(default)s)',
    )
    parser.add_argument(
        '--out-of-fold',
        metavar='FILE.parquet',
        help='write the dump with confidences of rescorers that did not see the image, to tune on',
    )
    args = parser.parse_args(argv)
    args.command = shlex.join(['python', 'tools/train_rescorer.py', *(sys.argv[1:] if argv is None else argv)])
    return args


def main(argv: list[str] | None = None) -> int:
    """Train, print the report, write rescorer and picture."""
    args = parse_args(argv)
    with one_line_errors('train_rescorer'):
        from fashion_mmdet.analysis.rescorer import plot, report, run
        from fashion_mmdet.analysis.rescorer.data import Metric, TrainingData
        from fashion_mmdet.analysis.rescorer.validation import Settings
        from fashion_mmdet.analysis.tuning.inputs import read_inputs
        from fashion_mmdet.evaluation.dump_options import read_options
        from fashion_mmdet.evaluation.rescorer import store
        from fashion_mmdet.utils.files import sibling
        from fashion_mmdet.utils.progress import progress_bar

        picture = sibling(args.out, '.png', [args.out_of_fold], [args.dump, args.truth, args.postprocess])
        base, said = read_options(args.dump, args.postprocess, args.options)
        raws, truths, audit = read_inputs(args.dump, args.truth, args.size)
        if audit:
            print(f'train_rescorer: the audit of {args.truth} found\n{audit}', file=sys.stderr)
        settings = Settings(args.model, args.confidence, args.folds, args.repeats, args.seed)
        with progress_bar() as progress:
            task = progress.add_task('models', total=settings.fits() + run.MODELS)
            metric = Metric(args.average, args.match, args.size)
            data = TrainingData(raws, truths, base, metric, on_fit=lambda: progress.advance(task))
            trained = run.train(data, settings)
        print(said, file=sys.stderr)
        print(report.format_report(trained, settings))
        meta = run.describe(trained, data, settings, args.dump, args.truth, args.command)
        store.save_rescorer(replace(trained.fitted, meta=meta), args.out)
        plot.plot_calibration(*trained.pooled, picture, plot.caption_of(trained, settings))
        saved = [args.out, str(picture)]
        if args.out_of_fold:
            run.write_dump(trained.out_of_fold, args.out_of_fold, args.dump)
            saved.append(args.out_of_fold)
        print(f'saved: {", ".join(saved)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
