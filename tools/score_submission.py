"""Score a submission against the ground truth, or check it against the competition's rules.

    python tools/score_submission.py submission.csv data/imaterialist/train.csv --json
    python tools/score_submission.py submission.csv --validate-only --sample data/imaterialist/sample_submission.csv

The ground truth is a CSV like train.csv. Only images of the submission count, or those that --images lists (a text file
with one ImageId per line; a listed image that the submission lacks counts as one without predictions). The rows of an
image are in order of descending score. The exit status is 2 for an invalid submission.
"""

import argparse
import json
import sys
from dataclasses import asdict

from fashion_mmdet.utils.cli import ToolParser, one_line_errors

MOST_PROBLEMS = 20


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('score_submission', __doc__)
    parser.add_argument('submission', help='CSV with ImageId,EncodedPixels,ClassId')
    parser.add_argument('truth', nargs='?', help='CSV with ImageId,EncodedPixels,Height,Width,ClassId')
    parser.add_shared('average', 'match', size='side of the submitted masks in pixels')
    parser.add_shared(json='print one object: score, score_50, score_75, classes')
    parser.add_argument('--images', metavar='FILE', help='score these images only, one ImageId a line')
    parser.add_argument('--validate-only', action='store_true', help='check the rules, score nothing')
    parser.add_argument('--sample', metavar='CSV', help='sample_submission.csv: which images there must be')
    args = parser.parse_args(argv)
    if not args.validate_only and args.truth is None:
        parser.error('a truth CSV is needed to score (or --validate-only)')
    if args.sample and not args.validate_only:
        parser.error('--sample goes with --validate-only')
    if args.size is None:
        parser.error('argument --size: 0: must be at least 1')
    return args


def validate(args: argparse.Namespace) -> int:
    """Print every broken rule, or that there is none."""
    from fashion_mmdet.evaluation.submission import find_problems

    count = 0
    for count, problem in enumerate(find_problems(args.submission, args.sample, args.size), 1):
        if count <= MOST_PROBLEMS:
            print(f'score_submission: {problem}', file=sys.stderr)
    if count > MOST_PROBLEMS:
        print(f'score_submission: and {count - MOST_PROBLEMS} more', file=sys.stderr)
    if not count:
        print(f'{args.submission}: valid')
    return 2 if count else 0


def score(args: argparse.Namespace) -> int:
    """Match every image and print the averages."""
    from fashion_mmdet.evaluation.offline import score_submission

    scores, audit = score_submission(
        args.submission,
        args.truth,
        args.size,
        args.average,
        args.match,
        read_lines(args.images) if args.images else None,
    )
    if audit:
        print(f'score_submission: the audit of {args.truth} found\n{audit}', file=sys.stderr)
    from fashion_mmdet.evaluation.scoring import format_scores

    print(json.dumps(asdict(scores)) if args.json else format_scores(scores))
    return 0


def read_lines(path: str) -> list[str]:
    """Read the non-empty lines of a text file; editors on Windows put a byte order mark in front."""
    with open(path, encoding='utf-8-sig') as file:
        return [line.strip() for line in file if line.strip()]


def main(argv: list[str] | None = None) -> int:
    """Validate or score."""
    args = parse_args(argv)
    with one_line_errors('score_submission'):
        return validate(args) if args.validate_only else score(args)


if __name__ == '__main__':
    sys.exit(main())
