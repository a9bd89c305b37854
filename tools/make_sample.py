"""Draw people in labelled clothes, in the Kaggle layout: data to try everything on without the competition's photos.

    python tools/make_sample.py data/sample --images 400 --test-images 100
    python tools/make_sample.py data/pairs --images 400 --views 2   every two images show the same clothes

Same seed, same files. test_truth.csv holds the truth of test/, so that a submission can be scored. With
--views, train_identities.csv says of every row of train.csv which garment it is, whoever wears it.
"""

import argparse
import sys

from fashion_mmdet.utils.cli import ToolParser, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('make_sample', __doc__)
    parser.add_argument('root', metavar='DST', help='the folder to write; an older sample in it is replaced')
    parser.add_argument('--images', type=int, default=400, help='training images (default %(default)s)')
    parser.add_argument('--test-images', type=int, default=0, help='test images (default %(default)s)')
    parser.add_argument('--height', type=int, default=384, help='pixels (default %(default)s)')
    parser.add_argument('--width', type=int, default=256, help='pixels (default %(default)s)')
    parser.add_argument('--sizes', choices=['imaterialist'], help='mixed sizes instead of --height, --width')
    parser.add_argument('--views', type=int, default=1, help='images of the same clothes (default %(default)s)')
    parser.add_shared('seed', 'workers')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Draw the sample; 0 when it is written, 130 when interrupted."""
    args = parse_args(argv)
    from fashion_mmdet.synthetic import make_sample

    try:
        with one_line_errors('make_sample'):
            make_sample(**vars(args), progress=True)
    except KeyboardInterrupt:
        print('make_sample: interrupted; the sample is not complete', file=sys.stderr)
        return 130
    print(f'{args.images} training and {args.test_images} test images in {args.root}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
