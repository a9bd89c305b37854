"""Write the Clothing Co-Parsing data set in the competition's layout.

    python tools/convert_ccp.py path/to/clothing-co-parsing data/ccp
    python tools/convert_ccp.py --list        # which CCP label becomes which category, and why

Annotated photos go to DST/train with train.csv, the others to DST/test with sample_submission.csv. 904 photos take
19 seconds on 2 cores.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from fashion_mmdet.utils.cli import ToolParser, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('convert_ccp', __doc__)
    parser.add_argument(
        'source',
        metavar='SRC',
        nargs='?',
        type=Path,
        help='CCP folder: photos/, annotations/pixel-level/, label_list.mat',
    )
    parser.add_argument('target', metavar='DST', nargs='?', type=Path, help='folder to write')
    parser.add_argument('--list', action='store_true', help='print the mapping of labels to categories and stop')
    args = parser.parse_args(argv)
    if not args.list and args.target is None:
        parser.error('SRC and DST are needed (or --list)')
    return args


def print_mapping() -> None:
    """Print every CCP label with its category and the reason."""
    from fashion_mmdet.classes import CATEGORIES
    from fashion_mmdet.converters.ccp import LABELS
    from fashion_mmdet.utils.tables import format_text

    rows = [
        (name, category, 'left out' if category is None else CATEGORIES[category], reason)
        for name, (category, reason) in LABELS.items()
    ]
    print(format_text(('CCP label', 'id', 'category', 'why'), rows))


def print_summary(photos: int, test_photos: int, class_ids: list[str]) -> None:
    """Print the numbers of photos and instances, and the objects of each category."""
    from fashion_mmdet.classes import CATEGORIES
    from fashion_mmdet.utils.tables import format_text

    counts = sorted(Counter(map(int, class_ids)).items())
    rows = [(category, CATEGORIES[category], objects) for category, objects in counts]
    print(format_text(('id', 'category', 'objects'), rows))
    print(f'{photos} photos with {len(class_ids)} instances, {test_photos} test photos')


def convert(source: Path, target: Path) -> None:
    """Convert the whole folder, with a progress bar."""
    from fashion_mmdet.converters import ccp
    from fashion_mmdet.utils.progress import track

    annotated, unannotated = ccp.list_photos(source)
    total = len(annotated) + len(unannotated)
    photos = track(ccp.convert_photos(source, target), 'photos', total)
    rows = [row for photo in photos for row in photo]
    ccp.write_tables(target, rows, unannotated)
    print_summary(len(annotated), len(unannotated), [row.class_id for row in rows])


def main(argv: list[str] | None = None) -> int:
    """Convert, or list the mapping; 2 for what is wrong with the data."""
    args = parse_args(argv)
    with one_line_errors('convert_ccp'):
        if args.list:
            print_mapping()
        else:
            convert(args.source, args.target)
    return 0


if __name__ == '__main__':
    sys.exit(main())
