"""Merge the raw predictions of several checkpoints or models into one dump, without the models.

    python tools/ensemble.py A.parquet B.parquet --out E.parquet
    python tools/ensemble.py A.parquet B.parquet C.parquet --out E.parquet --options method=nms iou_thr=0.6
    python tools/score_dump.py E.parquet data/ccp/train.csv

Boxes are merged by weighted box fusion or NMS, mask probabilities averaged. The options are those of
`fashion_mmdet.evaluation.merge.Merge`: method, iou_thr, weights, score_thr, min_votes, max_per_image.
"""

import argparse
import sys

from fashion_mmdet.config import parse_options
from fashion_mmdet.utils.cli import ToolParser, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('ensemble', __doc__)
    parser.add_argument('dumps', nargs='+', metavar='PARQUET', help='dumps of the same photos, by tools/test.py')
    parser.add_argument('--out', required=True, metavar='PARQUET', help='the merged dump')
    parser.add_shared(options='such as weights=[2,1]')
    args = parser.parse_args(argv)
    if len(args.dumps) < 2:
        parser.error('an ensemble needs at least two dumps')
    return args


def main(argv: list[str] | None = None) -> int:
    """Merge and say what came of it."""
    args = parse_args(argv)
    with one_line_errors('ensemble'):
        from fashion_mmdet.evaluation.ensemble import merge_dumps
        from fashion_mmdet.evaluation.merge import Merge

        options = Merge.from_config(parse_options(args.options))
        images, detections = merge_dumps(args.dumps, args.out, options)
    print(f'{args.out}: {images} images, {detections} detections of {len(args.dumps)} dumps')
    return 0


if __name__ == '__main__':
    sys.exit(main())
