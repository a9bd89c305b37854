"""Command-line arguments that tuning and the training of a rescorer share."""

import argparse
import shlex
import sys
from pathlib import Path

from fashion_mmdet.config import data_root
from fashion_mmdet.utils.cli import add_options

LEAST = dict(folds=2, repeats=1, min_support=1, workers=1)


def add_arguments(parser: argparse.ArgumentParser, folds: int) -> None:
    """Add the truth, the options to start from, the metric and the folds, of which `folds` by default."""
    parser.add_argument('--truth', metavar='CSV', help='default: train.csv of FASHION_DATA')
    parser.add_argument('--postprocess', metavar='FILE', help="options to start from (default: the dump's config's)")
    add_options(parser, text='changes to these')
    parser.add_argument('--average', choices=('image', 'image_class'), default='image')
    parser.add_argument('--match', choices=('category', 'class_id'), default='category')
    parser.add_argument('--size', type=int, default=512, help='side of the masks compared; 0 for each photo as it is')
    parser.add_argument('--folds', type=int, default=folds, help='held out in turn (default %(default)s)')
    parser.add_argument('--repeats', type=int, default=3, help='of the folds, each dealt anew (default %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of all that is random (default %(default)s)')


def parse(parser: argparse.ArgumentParser, argv: list[str] | None) -> argparse.Namespace:
    """Parse and check the command line; adds `command`, which repeats it, and makes `size` a height and width."""
    args = parser.parse_args(argv)
    for name, least in LEAST.items():
        if getattr(args, name, least) < least:
            parser.error(f'--{name.replace("_", "-")} {getattr(args, name)}: at least {least}')
    args.command = shlex.join(['python', f'tools/{parser.prog}', *(sys.argv[1:] if argv is None else argv)])
    args.truth = args.truth or str(Path(data_root()) / 'train.csv')
    args.size = (args.size, args.size) if args.size > 0 else None
    return args
