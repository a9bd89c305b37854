"""Show which categories, attributes and colours of a catalogue rise or fall over time, with intervals.

    pip install -e .[catalogue]
    python tools/trends.py catalogue --date date
    python tools/trends.py catalogue --date uploaded --by week --out work_dirs/trends

CATALOGUE is a folder of tools/annotate.py; the date is a column that its input brought. Writes OUT/index.html (self
contained), OUT/trends.csv and OUT/shares.csv.
"""

import argparse
import sys
from pathlib import Path

from fashion_mmdet.utils.checks import OPEN_SHARE
from fashion_mmdet.utils.cli import ToolParser, number, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('trends', __doc__)
    parser.add_argument('catalogue', metavar='CATALOGUE', help='folder of a catalogue')
    parser.add_argument('--date', metavar='COLUMN', required=True, help="column of the photos' dates")
    parser.add_argument('--by', choices=('month', 'week'), default='month', help='period (default %(default)s)')
    parser.add_argument(
        '--fdr', type=number(OPEN_SHARE), default=0.05, help='false discovery rate over all tests (default %(default)s)'
    )
    parser.add_argument(
        '--out', metavar='DIR', default='work_dirs/trends', help='folder to write (default %(default)s)'
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Count, test, print, write."""
    args = parse_args(argv)
    with one_line_errors('trends'):
        from fashion_mmdet.catalogue.counts import count_terms
        from fashion_mmdet.catalogue.schema import Catalogue
        from fashion_mmdet.catalogue.trends import design_effect, find_trends
        from fashion_mmdet.catalogue.trends_page import format_trends, write_page

        catalogue = Catalogue.open(args.catalogue)
        counts = count_terms(catalogue, args.date, args.by)
        deff = design_effect(counts.hits.sum(1), counts.totals.sum(1), counts.yy, counts.yn, counts.nn)
        trends = find_trends(counts.x, counts.hits, counts.totals, deff)
        if missing := len(catalogue.missing_shards()):
            print(
                f'unfinished: {missing} of {catalogue.plan.shards} shards of the catalogue are missing', file=sys.stderr
            )
        source = catalogue.folder.absolute().name
        files = write_page(counts, trends, by=args.by, level=args.fdr, source=source, out=Path(args.out))
        print(format_trends(counts, trends, args.fdr))
        print('saved: ' + ', '.join(map(str, files)))
    return 0


if __name__ == '__main__':
    sys.exit(main())
