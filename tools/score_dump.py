"""Score a dump of raw predictions under other thresholds, without the model.

    python tools/score_dump.py work_dirs/maskrcnn_lite0_cpu/val.parquet data/ccp/train.csv
    python tools/score_dump.py DUMP TRUTH.csv --options score_thr=0.3 nms_iou=None overlap=all
    python tools/score_dump.py DUMP TRUTH.csv --postprocess tuned.py

The options are those of the dump's own config (`postprocess`), or of --postprocess, and over either --options; the line
on stderr says which. The ground truth is a CSV like train.csv.
"""

import argparse
import json
import sys
from dataclasses import asdict

from fashion_mmdet.utils.cli import ToolParser, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('score_dump', __doc__)
    parser.add_argument('dump', help='Parquet file that tools/test.py wrote')
    parser.add_argument('truth', help='CSV with ImageId,EncodedPixels,Height,Width,ClassId')
    parser.add_shared('postprocess', 'options', 'average', 'match', 'size')
    parser.add_shared(json='print one object: score, score_50, score_75, classes')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Score and print."""
    args = parse_args(argv)
    with one_line_errors('score_dump'):
        from fashion_mmdet.evaluation.dump_options import read_options
        from fashion_mmdet.evaluation.offline import score_dump
        from fashion_mmdet.evaluation.scoring import format_scores

        options, said = read_options(args.dump, args.postprocess, args.options)
        scores, audit = score_dump(args.dump, args.truth, options, args.size, args.average, args.match)
    if audit:
        print(f'score_dump: the audit of {args.truth} found\n{audit}', file=sys.stderr)
    print(said, file=sys.stderr)
    print(json.dumps(asdict(scores)) if args.json else format_scores(scores))
    return 0


if __name__ == '__main__':
    sys.exit(main())
