"""Score the attributes of a dump of raw predictions: F1 and AP by attribute on true hits, Fashionpedia's AP.

    python tools/score_attributes.py work_dirs/maskrcnn_lite0_attributes/val.parquet data/attributes/train.csv
    python tools/score_attributes.py DUMP TRUTH.csv --options attribute_thr=0.4 score_thr=0.3 --train other/train.csv

The model needs an attribute head. A hit is a detection whose mask has an IoU above 0.5 with a true object of its
category; hits on objects without attributes do not count. Beside it stands the majority guess: for each category the
attributes that more than half of its training objects have. Training objects are those of TRUTH's images that are not
in the dump, or of --train.
"""

import argparse
import json
import sys
from dataclasses import asdict

from fashion_mmdet.utils.checks import COUNT
from fashion_mmdet.utils.cli import ToolParser, number, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('score_attributes', __doc__)
    parser.add_argument('dump', help='Parquet file that tools/test.py wrote')
    parser.add_argument('truth', help='CSV with ImageId,EncodedPixels,Height,Width,ClassId')
    parser.add_argument('--train', metavar='CSV', help='whose objects the majority guess is learned from')
    parser.add_argument(
        '--min-objects',
        type=number(COUNT),
        default=10,
        metavar='N',
        help='attributes of at least N true objects are in the mean (default %(default)s)',
    )
    parser.add_shared('postprocess', 'options', 'size', 'json')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Score and print."""
    args = parse_args(argv)
    with one_line_errors('score_attributes'):
        from fashion_mmdet.evaluation.attribute_scores import format_attributes, score_attributes
        from fashion_mmdet.evaluation.dump_options import read_options

        options, said = read_options(args.dump, args.postprocess, args.options)
        scores = score_attributes(args.dump, args.truth, options, args.train, args.min_objects, args.size)
    print(said, file=sys.stderr)
    print(json.dumps(asdict(scores)) if args.json else format_attributes(scores))
    return 0


if __name__ == '__main__':
    sys.exit(main())
