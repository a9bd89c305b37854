"""Explore a data set: sizes, labels, categories, attributes, areas, examples and audit as pictures and one page.

    python tools/eda.py --data data/ccp --out work_dirs/eda
    FASHION_DATA=data/imaterialist python tools/eda.py --out work_dirs/eda --examples 8

Writes OUT/README.md and the pictures it shows. The CSV is parsed once, in chunks.
"""

import argparse
import sys
from pathlib import Path

from fashion_mmdet.utils.checks import NATURAL
from fashion_mmdet.utils.cli import ToolParser, number, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('eda', __doc__)
    parser.add_shared('data')
    parser.add_argument('--out', metavar='DIR', required=True, help='the folder to write')
    parser.add_argument('--examples', type=number(NATURAL), default=4, help='photos to show (default %(default)s)')
    parser.add_shared(seed='seed of their choice (default %(default)s)')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Read, draw, write; 2 for what is wrong with the data."""
    args = parse_args(argv)
    with one_line_errors('eda'):
        from fashion_mmdet.analysis.eda_page import write_pages

        print(f'saved: {write_pages(Path(args.data), Path(args.out), args.examples, args.seed)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
