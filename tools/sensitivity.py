"""Find the classes that a model misses, what it calls them instead, and which to resample.

    python tools/sensitivity.py work_dirs/maskrcnn_r50_aug/val.parquet
    python tools/sensitivity.py DUMP.parquet --truth data/ccp/train.csv --top 5 --out work_dirs/sensitivity.json

The targets are "most occurring but least sensitive": among the more frequent half of the classes, the --top with the
lowest sensitivity. ClassBalancedSampler takes the file as its `targets`.
"""

import argparse
import json
import sys
from pathlib import Path

from fashion_mmdet.utils.checks import COUNT
from fashion_mmdet.utils.cli import ToolParser, number, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('sensitivity', __doc__)
    parser.add_argument('dump', help='Parquet file that tools/test.py wrote')
    parser.add_shared('truth')
    parser.add_argument('--top', type=number(COUNT), default=5, help='how many targets to pick (default %(default)s)')
    parser.add_argument('--out', metavar='JSON', help='where to save targets and classes')
    parser.add_shared('postprocess', 'options')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Count, print, save."""
    args = parse_args(argv)
    with one_line_errors('sensitivity'):
        from fashion_mmdet.analysis.sensitivity import format_tallies, pick_targets, tally
        from fashion_mmdet.classes import CATEGORIES
        from fashion_mmdet.evaluation.dump_options import read_options
        from fashion_mmdet.utils.files import check_outputs, write_text

        truth = args.truth
        if not Path(truth).is_file():
            raise FileNotFoundError(f'{truth}: no such file; name the CSV by --truth or its folder by FASHION_DATA')
        check_outputs([args.out], [args.dump, truth, args.postprocess])
        options, said = read_options(args.dump, args.postprocess, args.options)
        rows = tally(args.dump, truth, options)
        targets = pick_targets(rows, args.top)
        print(said, file=sys.stderr)
        print(format_tallies(rows))
        print(
            'most occurring but least sensitive: '
            + '; '.join(f'{category} {CATEGORIES[category]}' for category in targets)
        )
        if args.out:
            write_text(args.out, json.dumps(dict(targets=targets, classes=[row.to_dict() for row in rows]), indent=1))
            print(f'saved: {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
