"""A gallery of a dump: true and predicted side by side, the worst image first, errors marked.

    python tools/visualize.py work_dirs/maskrcnn_lite0_cpu/val.parquet --out gallery --truth data/ccp/train.csv
    python tools/visualize.py DUMP.parquet --out gallery --truth TRUTH.csv --classes skirt 10 --best --limit 50
    python tools/visualize.py TEST.parquet --out gallery --images data/ccp/test

Open index.html in the folder; pictures are JPEGs beside it. Masks are those that are scored, at 512x512. With --classes
only their objects are drawn, matched and scored. The options are those of the dump's own config, or of
--postprocess, and over either --options.
"""

import argparse
import sys
from pathlib import Path

from fashion_mmdet.utils.checks import COUNT, Interval
from fashion_mmdet.utils.cli import ToolParser, number, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('visualize', __doc__)
    parser.add_argument('dump', metavar='DUMP', help='Parquet file that tools/test.py wrote')
    parser.add_argument('--out', metavar='DIR', required=True, help='folder for index.html and the pictures')
    parser.add_argument('--truth', metavar='CSV', help='like train.csv; without it no errors are marked')
    parser.add_argument('--images', metavar='PHOTOS', help='folder of the photos; default: train, beside the truth')
    parser.add_argument('--classes', nargs='+', default=[], metavar='CLASS', help='ids or names; default: all')
    parser.add_shared('postprocess', 'options')
    parser.add_argument(
        '--iou', type=number(Interval(0, 1, open_high=True)), default=0.5, help='IoU that a match exceeds (%(default)s)'
    )
    parser.add_argument('--limit', type=number(COUNT), metavar='N', help='draw so many; default: all')
    parser.add_argument('--best', action='store_true', help='the best first, not the worst')
    args = parser.parse_args(argv)
    if args.truth is None and args.images is None:
        parser.error('--images PHOTOS is needed without --truth')
    return args


def main(argv: list[str] | None = None) -> int:
    """Match, draw, write the page."""
    args = parse_args(argv)
    with one_line_errors('visualize'):
        from fashion_mmdet.evaluation.dump_options import read_options
        from fashion_mmdet.experiments.gallery.entries import collect_entries, find_photos, rank, read_categories
        from fashion_mmdet.experiments.gallery.page import describe_gallery, write_gallery

        classes = read_categories(args.classes)
        options, said = read_options(args.dump, args.postprocess, args.options)
        entries = collect_entries(args.dump, args.truth, options, classes, args.iou)
        photos = Path(args.images) if args.images else Path(args.truth).parent / 'train'
        there, missing = find_photos(rank(entries, args.best), photos)
        title, lead = describe_gallery(args.dump, entries, classes, args.iou, missing)
        page = write_gallery(there[: args.limit], photos, Path(args.out), title, lead, 'best' if args.best else 'worst')
    print(said, file=sys.stderr)
    print(f'saved: {page}, {min(len(there), args.limit or len(there))} pictures')
    return 0


if __name__ == '__main__':
    sys.exit(main())
