"""Measure speed and memory beside the peers: ours, mmdet's, pycocotools', torchvision's, on the same input in one run.

    python tools/benchmark.py loader
    python tools/benchmark.py all --format markdown

Times are medians of interleaved rounds, memory is the peak of a fresh process above its input. Compare ratios, not
seconds: both contenders had the same machine. Peers that are not installed (pip install -e .[benchmark]) are named.
"""

import argparse
import importlib
import sys

from fashion_mmdet.benchmarks import NAMES
from fashion_mmdet.utils.checks import COUNT
from fashion_mmdet.utils.cli import ToolParser, number, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('benchmark', __doc__)
    parser.add_argument('work', nargs='+', choices=(*NAMES, 'all'), help='what to measure')
    parser.add_argument(
        '--rounds', type=number(COUNT), default=5, help='timed calls of each contender (default %(default)s)'
    )
    parser.add_argument('--format', choices=('table', 'markdown'), default='table')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure and print, a table a piece of work."""
    args = parse_args(argv)
    with one_line_errors('benchmark'):
        from fashion_mmdet.benchmarks.report import format_tables
        from fashion_mmdet.utils.progress import progress_bar

        names = NAMES if 'all' in args.work else tuple(dict.fromkeys(args.work))
        with progress_bar() as progress:
            for name in names:
                module = importlib.import_module(f'fashion_mmdet.benchmarks.{name}')
                print(format_tables(module.run(args.rounds, progress), args.format), flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
