"""Compare runs in one table: scores with standard errors, sensitivity, cost, and what each config changed.

    python tools/compare_runs.py                                        every run under work_dirs, oldest first
    python tools/compare_runs.py work_dirs/run_a work_dirs/run_b --format markdown
    python tools/compare_runs.py --format html --out runs.html --overlays 8
    python tools/compare_runs.py --baseline work_dirs/run_a --keys optim_wrapper.optimizer.lr train_cfg.max_epochs

Scores come from val.parquet, which tools/test.py writes, and stay beside it as val.scores.json; a run without one shows
the last score of its log, starred. Each run is compared with the one above it, or the baseline, image by image. Runs
that differ in the seed only are one row; then the intervals hold for other photos and other seeds.
"""

import argparse
import sys
from pathlib import Path

from fashion_mmdet.utils.checks import NATURAL
from fashion_mmdet.utils.cli import ToolParser, number, one_line_errors

TEXT_FORMATS = ('table', 'markdown', 'json')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('compare_runs', __doc__)
    parser.add_argument('runs', metavar='RUN', nargs='*', help='folders of work_dirs; default: all, oldest first')
    parser.add_argument('--format', choices=(*TEXT_FORMATS, 'html'), default='table')
    parser.add_argument('--out', metavar='FILE', help='default: print')
    parser.add_argument('--baseline', metavar='RUN', type=Path, help='compare with this run, not with the one above')
    parser.add_argument('--keys', nargs='+', default=[], metavar='KEY', help='config keys to show as columns')
    parser.add_argument(
        '--targets',
        metavar='FILE|IDS',
        help='classes to show: the file of tools/sensitivity.py, or '
        'ids as 0,6,23; default: the five most occurring but least sensitive of the first run',
    )
    parser.add_argument(
        '--reference', '--deck', dest='deck', action='store_true', help="add the reference report's scores (deck_score)"
    )
    parser.add_argument(
        '--columns',
        metavar='GROUPS',
        help='of table and markdown, joined by commas: score, '
        'difference, keys, deck, classes, cost, commit, changes; default: all',
    )
    parser.add_argument('--overlays', type=number(NATURAL), default=8, help='pictures per run in HTML (%(default)s)')
    args = parser.parse_args(argv)
    if args.format == 'html' and not args.out:
        parser.error('--format html needs --out FILE')
    return args


def read_groups(text: str | None) -> tuple[str, ...]:
    """Read `--columns`; ValueError names a group that does not exist."""
    from fashion_mmdet.experiments.compare.report import GROUPS

    groups = GROUPS if text is None else tuple(text.split(','))
    for group in groups:
        if group not in GROUPS:
            raise ValueError(f'--columns {group}: one of {", ".join(GROUPS)}')
    return groups


def main(argv: list[str] | None = None) -> int:
    """Read, compare, write."""
    args = parse_args(argv)
    with one_line_errors('compare_runs'):
        from fashion_mmdet.experiments.compare import report
        from fashion_mmdet.experiments.compare.comparison import compare, read_target_ids
        from fashion_mmdet.experiments.runs import find_runs, read_runs
        from fashion_mmdet.utils.files import check_outputs, write_text

        targets = read_target_ids(args.targets) if args.targets else None
        folders = [Path(folder) for folder in args.runs or find_runs('work_dirs')]
        if args.baseline and args.baseline.resolve() not in [folder.resolve() for folder in folders]:
            folders.insert(0, args.baseline)
        runs = read_runs(folders)
        check_outputs([args.out], [args.targets, *(file for run in runs for file in run.files)])
        comparison = compare(runs, targets, args.targets or '', args.baseline, args.keys)
        if args.format == 'html':
            from fashion_mmdet.experiments.compare.page import format_html

            text = format_html(comparison, args.deck, args.overlays)
        elif args.format == 'json':
            text = report.format_json(comparison, args.deck)
        else:
            text = getattr(report, f'format_{args.format}')(comparison, args.deck, read_groups(args.columns))
        if args.out:
            write_text(args.out, text + '\n')
            print(f'saved: {args.out}, {Path(args.out).stat().st_size / 1e6:.1f} MB', file=sys.stderr)
        else:
            print(text)
    return 0


if __name__ == '__main__':
    sys.exit(main())
