"""Train a rescorer, which scores detections anew, and report its worth on held-out images.

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
from pathlib import Path

from fashion_mmdet.config import data_root, read_postprocess
from fashion_mmdet.utils.cli import add_options, one_line_errors
from fashion_mmdet.utils.options import parse_options


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('dump', help='Parquet file that tools/test.py wrote, of images not trained on')
    parser.add_argument('--out', required=True, metavar='FILE.skops', help='the rescorer; the picture goes beside')
    parser.add_argument('--truth', metavar='CSV', help='default: train.csv of FASHION_DATA')
    parser.add_argument('--postprocess', metavar='FILE', help="options to score with (default: the dump's config's)")
    add_options(parser, text='changes to these')
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
    parser.add_argument('--average', choices=('image', 'image_class'), default='image')
    parser.add_argument('--match', choices=('category', 'class_id'), default='category')
    parser.add_argument('--size', type=int, default=512, help='side of the masks compared; 0 for each photo as it is')
    parser.add_argument('--folds', type=int, default=5, help='held out in turn (default %(default)s)')
    parser.add_argument('--repeats', type=int, default=3, help='of the folds, each dealt anew (default %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of folds and models (default %(default)s)')
    parser.add_argument(
        '--out-of-fold',
        metavar='FILE.parquet',
        help='write the dump with confidences of rescorers that did not see the image, to tune on',
    )
    args = parser.parse_args(argv)
    if args.repeats < 1:
        parser.error(f'--repeats {args.repeats}: at least 1')
    if args.folds < 2:
        parser.error(f'--folds {args.folds}: at least 2, to fit on one and score on another')
    args.command = shlex.join(['python', 'tools/train_rescorer.py', *(sys.argv[1:] if argv is None else argv)])
    return args


def main(argv: list[str] | None = None) -> int:
    """Train, print the report, write rescorer and picture."""
    args = parse_args(argv)
    with one_line_errors('train_rescorer'):
        from fashion_mmdet.analysis.rescorer import plot, report, run
        from fashion_mmdet.analysis.rescorer.data import Metric, TrainingData
        from fashion_mmdet.analysis.rescorer.validation import Settings
        from fashion_mmdet.analysis.tuning.run import options_of_dump, read_inputs
        from fashion_mmdet.evaluation.postprocess import Postprocess
        from fashion_mmdet.evaluation.rescorer import store
        from fashion_mmdet.utils.files import sibling
        from fashion_mmdet.utils.progress import progress_bar

        truth = args.truth or Path(data_root()) / 'train.csv'
        picture = sibling(args.out, '.png', [args.out_of_fold], [args.dump, truth, args.postprocess])
        metric = Metric(args.average, args.match, (args.size, args.size) if args.size > 0 else None)
        base = (
            Postprocess.from_config(read_postprocess(args.postprocess))
            if args.postprocess
            else options_of_dump(args.dump)
        )
        base = Postprocess.from_config({**vars(base), **parse_options(args.options)})
        settings = Settings(args.model, args.confidence, args.folds, args.repeats, args.seed)
        raws, truths, audit = read_inputs(args.dump, truth, metric.size)
        if audit:
            print(f'train_rescorer: the audit of {truth} found\n{audit}', file=sys.stderr)
        data = TrainingData(raws, truths, base, metric)
        with progress_bar() as progress:
            task = progress.add_task('models', total=settings.fits() + run.MODELS)
            trained = run.train(data, settings, on_fit=lambda: progress.advance(task))
        print(report.format_report(trained, settings))
        meta = run.describe(trained, data, settings, args.dump, truth, args.command)
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
