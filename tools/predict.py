"""Find the garments in photos: masks drawn over each photo, and one file of all that was found.

    python tools/predict.py photo.jpg                              with the shipped weights
    python tools/predict.py photos 'shop/*/front.jpg' --out found  folders (all depths), patterns
    python tools/predict.py photos --cutouts --format coco         each garment as a PNG; COCO JSON
    python tools/predict.py photos --model work_dirs/RUN --options score_thr=0.3

Writes NAME.jpg for every photo, cutouts/NAME/01_jacket.png (RGBA, the photo's own colours and size) with --cutouts, and
predictions.json, predictions.coco.json or submission.csv. Photos that cannot be read are listed, the rest is done, and
the exit status is 1. After Ctrl-C the file has the photos done so far.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from fashion_mmdet.config import parse_options, read_postprocess
from fashion_mmdet.utils.cli import ToolParser, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('predict', __doc__)
    parser.add_argument('photos', nargs='+', metavar='PHOTO', help='photo, folder or pattern')
    parser.add_argument(
        '--model', metavar='RUN', help="a run's folder, weights or config; default: the shipped weights"
    )
    parser.add_argument('--checkpoint', metavar='FILE', help='weights for a config, or others of the run')
    parser.add_argument('--out', metavar='DIR', default='work_dirs/predict', help='default: %(default)s')
    parser.add_argument('--format', choices=('json', 'coco', 'csv'), default='json', help='default: %(default)s')
    parser.add_argument('--cutouts', action='store_true', help='write every garment as a transparent PNG')
    parser.add_argument(
        '--tta', action='store_true', help='merge several views of each photo: better, 6 times the work'
    )
    parser.add_argument('--device', help='such as cpu or cuda:1; default: the GPU where there is one')
    parser.add_shared('trust', postprocess="in place of the model's, from tools/tune_thresholds.py")
    parser.add_shared(options="that go over the model's postprocess, such as score_thr=0.3")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Predict, say what was found, and list what could not be read."""
    args = parse_args(argv)
    with one_line_errors('predict'):
        from fashion_mmdet.inference.listing import find_photos

        paths = find_photos(args.photos)
        options = {**(read_postprocess(args.postprocess) if args.postprocess else {}), **parse_options(args.options)}
        from fashion_mmdet.experiments.checkpoints import trust_files
        from fashion_mmdet.inference import load_model
        from fashion_mmdet.inference.folder import NAMES, WRITERS, Job
        from fashion_mmdet.inference.wording import describe_garments
        from fashion_mmdet.utils.progress import track

        trust_files(args.trust)
        model = load_model(args.model, args.checkpoint, device=args.device, postprocess=options)
        job = Job(model, paths, Path(args.out), args.tta, args.cutouts)
        # On a terminal the bar makes room for lines; one that goes into a file must not pass through it.
        say = print if sys.stdout.isatty() else partial(print, file=sys.stdout, flush=True)

        def said():
            for found in track(job.run(), 'photos', len(paths)):
                say(f'{found.result.image_id}: {describe_garments(found.result.garments)}')
                yield found

        file = job.out / NAMES[args.format]
        WRITERS[args.format](job, file, said())
    print(f'pictures: {args.out}   {args.format}: {file}')
    for path, reason in job.failed.items():
        print(f'not read: {reason if path in reason else f"{path}: {reason}"}', file=sys.stderr)
    if job.stopped:
        return 130
    return 1 if job.failed else 0


if __name__ == '__main__':
    sys.exit(main())
