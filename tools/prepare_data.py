"""Copy a data set with photos and masks shrunk, in the same layout, for those who train for weeks.

    python tools/prepare_data.py data/imaterialist data/imaterialist_1024 --max-side 1024
    python tools/prepare_data.py --check data/imaterialist_1024

Then train with FASHION_DATA=data/imaterialist_1024. Stopped, by kill -9 too, the same command goes on.
Photos shrink by area, from a JPEG decoded at the nearest larger of 1/2, 1/4, 1/8; masks as cv2.resize(INTER_NEAREST)
shrinks them. Photos that are small enough are copied as they are. JPEGs get full colour resolution (4:4:4), PNGs stay
PNGs. Broken rows and photos are left out as the data set does, and reported.
"""

import argparse
import sys
from pathlib import Path

from fashion_mmdet.utils.cli import ToolParser, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('prepare_data', __doc__)
    parser.add_argument(
        'folders',
        metavar='SRC DST',
        nargs='+',
        type=Path,
        help='folder with train.csv and the copy to make; with --check the copy alone',
    )
    parser.add_argument('--max-side', type=int, help='longest side of a photo, pixels; none is enlarged')
    parser.add_argument('--quality', type=int, default=95, help='of the JPEGs, 1 to 100 (default %(default)s)')
    parser.add_shared('workers')
    parser.add_argument('--check', action='store_true', help='only check the copy DST, changing nothing')
    args = parser.parse_args(argv)
    if len(args.folders) != (1 if args.check else 2):
        parser.error('DST alone is needed with --check' if args.check else 'SRC and DST are needed')
    if not args.check and args.max_side is None:
        parser.error('--max-side is needed')
    return args


def print_counts(counts: dict) -> None:
    """Print where rows and photos went, and what the audit found."""
    from fashion_mmdet.classes import CATEGORIES
    from fashion_mmdet.utils.tables import format_text

    rows = [(name.replace('_', ' '), f'{value:,}') for name, value in counts.items() if isinstance(value, int)]
    print(format_text(('of the source', 'number'), rows, right=['number']))
    vanished = sorted(counts['vanished_by_category'].items(), key=lambda item: -item[1])
    if vanished:
        print('vanished: ' + ', '.join(f'{number} {CATEGORIES[int(category)]}' for category, number in vanished))
    if counts['files_left_out']:
        print('not copied: ' + ', '.join(counts['files_left_out']))
    if counts['audit_report']:
        print(f'the audit of the source found\n{counts["audit_report"]}')


def main(argv: list[str] | None = None) -> int:
    """Copy, or check; 0 when the copy is right, 2 when not, 130 when interrupted."""
    args = parse_args(argv)
    from fashion_mmdet.converters.downscale import Options, check_copy, downscale
    from fashion_mmdet.utils.parallel import WorkerPool

    try:
        with one_line_errors('prepare_data'):
            if args.check:
                with WorkerPool(args.workers) as pool:
                    counts = check_copy(args.folders[0], pool)
            else:
                counts = downscale(*args.folders, Options(args.max_side, args.quality), args.workers)
    except KeyboardInterrupt:
        print('prepare_data: interrupted; the same command goes on', file=sys.stderr)
        return 130
    print_counts(counts)
    print(f'{args.folders[-1]}: checked, as it should be')
    return 0


if __name__ == '__main__':
    sys.exit(main())
