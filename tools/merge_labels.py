"""Put corrected labels back: a train.csv in which all rows of the corrected photos are replaced.

    python tools/merge_labels.py data/ccp/train.csv CORRECTED.csv --out data/ccp/train_corrected.csv

CORRECTED has the columns of train.csv, such as rows.csv of tools/find_label_errors.py after it went through a labelling
tool. A photo that has no row in it keeps its old ones.
"""

import argparse
import sys

from fashion_mmdet.utils.cli import ToolParser, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('merge_labels', __doc__)
    parser.add_argument('truth', metavar='CSV', help='all labels')
    parser.add_argument('corrected', metavar='CORRECTED', help='corrected rows of some photos')
    parser.add_argument('--out', metavar='CSV', required=True, help='file to write')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Merge and write."""
    args = parse_args(argv)
    with one_line_errors('merge_labels'):
        from fashion_mmdet.datasets.row_subsets import replace_rows
        from fashion_mmdet.utils.files import check_outputs, write_text

        check_outputs([args.out], [args.truth, args.corrected])
        text = replace_rows(args.truth, args.corrected)
        write_text(args.out, text)
    print(f'saved: {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
