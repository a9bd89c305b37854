"""Find labels that predictions contradict: a ranked CSV, and a gallery of the photos to look at first.

    python tools/find_label_errors.py OUT_OF_FOLD.parquet --truth data/ccp/train.csv --out label_errors
    python tools/find_label_errors.py HELD_OUT.parquet --truth TRUTH.csv --corrupt 0.05 --seed 0

The dump, which tools/test.py writes, must be of photos that the model was not trained on: the val split, or each fold
by a model trained on the others. DIR gets suspects.csv, a row per suspicious or missing label, the worst first;
rows.csv, the labels of the first photos, to be corrected in a labelling tool and put back by tools/merge_labels.py; and
index.html, which shows these photos. With --corrupt a share of the labels is made wrong (another class, a shifted mask,
or none), in memory only, and the command prints how many stand at the top.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fashion_mmdet.utils.checks import COUNT, OPEN_SHARE
from fashion_mmdet.utils.cli import ToolParser, number, one_line_errors

if TYPE_CHECKING:
    from fashion_mmdet.analysis.label_errors.ranking import Finding
    from fashion_mmdet.evaluation.postprocess import Postprocess

OUTPUTS = SUSPECTS, ROWS, _ = 'suspects.csv', 'rows.csv', 'index.html'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('find_label_errors', __doc__)
    parser.add_argument('dump', metavar='DUMP', help='Parquet file of photos that the model was not trained on')
    parser.add_shared(truth='labels to check (default: train.csv of FASHION_DATA)')
    parser.add_argument('--out', metavar='DIR', type=Path, help='folder for the list and the gallery')
    parser.add_argument(
        '--images', metavar='PHOTOS', type=Path, help='folder of the photos; default: train, beside CSV'
    )
    parser.add_argument('--first', type=number(COUNT), default=50, metavar='N', help='photos drawn (%(default)s)')
    parser.add_argument('--corrupt', type=number(OPEN_SHARE), metavar='SHARE', help='measure on labels made wrong')
    parser.add_shared(
        'seed', postprocess="options to start from (default: the dump's config's)", options='changes to these'
    )
    args = parser.parse_args(argv)
    if (args.out is None) == (args.corrupt is None):
        parser.error('--out DIR to list label errors, or --corrupt SHARE to measure how well they are found')
    args.images = args.images or Path(args.truth).parent / 'train'
    return args


def main(argv: list[str] | None = None) -> int:
    """Compare, rank, write; or corrupt, rank, count."""
    args = parse_args(argv)
    with one_line_errors('find_label_errors'):
        from fashion_mmdet.analysis.label_errors import corrupt, pairs, ranking, recovery, report
        from fashion_mmdet.evaluation.dump_options import read_options

        if args.out:
            check_files(args)
        options, said = read_options(args.dump, args.postprocess, args.options)
        print(said, file=sys.stderr)
        truths, predictions = pairs.read_objects(args.dump, args.truth, options)
        if args.corrupt:
            truths, done = corrupt.corrupt(truths, args.corrupt, args.seed)
        findings = ranking.rank([pairs.pair_up(*pair) for pair in zip(truths, predictions, strict=True)])
        photos = report.by_photo(findings)
        if args.corrupt:
            labels = sum(len(truth.masks) for truth in truths)
            print(recovery.format_recovery(recovery.recover(findings, list(photos), done, labels), args.first))
            return 0
        page = write(args, findings, photos, options)
    print(f'saved: {page}, {SUSPECTS} and {ROWS} beside it')
    return 0


def check_files(args: argparse.Namespace) -> None:
    """Raise ValueError or FileNotFoundError now for what would stop the writing later."""
    from fashion_mmdet.experiments.gallery.entries import find_photos
    from fashion_mmdet.utils.files import check_outputs

    check_outputs([args.out / name for name in OUTPUTS], [args.dump, args.truth])
    find_photos([], args.images)


def write(
    args: argparse.Namespace, findings: list['Finding'], photos: dict[str, list['Finding']], options: 'Postprocess'
) -> Path:
    """Write the list, the first photos' labels and the gallery; return its page."""
    from dataclasses import replace

    from fashion_mmdet.analysis.label_errors.report import caption, format_csv
    from fashion_mmdet.datasets.row_subsets import select_rows
    from fashion_mmdet.evaluation.dump import read_info
    from fashion_mmdet.experiments.gallery.entries import collect_entries, find_photos
    from fashion_mmdet.experiments.gallery.page import write_gallery
    from fashion_mmdet.utils.files import write_text

    sizes = {image: (height, width) for image, height, width in read_info(args.dump).images}
    first = list(photos)[: args.first]
    drawn = {entry.image_id: entry for entry in collect_entries(args.dump, args.truth, options, images=first)}
    entries = [replace(drawn[image], note=caption(photos[image])) for image in first]
    there, missing = find_photos(entries, args.images)
    write_text(args.out / SUSPECTS, format_csv(findings, sizes))
    write_text(args.out / ROWS, select_rows(args.truth, first))
    lead = (
        f'The {len(there):,} of {len(sizes):,} photos whose labels the predictions contradict most. Labels left, '
        'predictions right; below, each label to check and what the predictions say.'
    ) + (f' {missing:,} photos are missing.' if missing else '')
    return write_gallery(there, args.images, args.out, f'Labels to check: {Path(args.truth).name}', lead, 'listed')


if __name__ == '__main__':
    sys.exit(main())
