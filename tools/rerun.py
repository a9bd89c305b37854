"""Repeat a run from its folder, and say whether losses, scores and weights are equal or what differs.

    python tools/rerun.py work_dirs/quickstart                              trains into work_dirs/quickstart_rerun
    python tools/rerun.py work_dirs/quickstart --against work_dirs/other    compares only

The resolved config is trained again with the recorded seed, start, data and number of threads, by the code and packages
that are here; where these are others, the table says so. To have the code of the run: `git checkout` its commit, and
`git apply` its code.patch where there is one. Status 0 if weights and scores are equal, 1 if not.
"""

import argparse
import sys
from pathlib import Path

from fashion_mmdet.utils.cli import ToolParser, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('rerun', __doc__)
    parser.add_argument('run', metavar='RUN', type=Path, help='folder of the run')
    parser.add_argument('--out', metavar='DIR', type=Path, help='folder to train in (default: RUN_rerun)')
    parser.add_argument('--against', metavar='RUN', type=Path, help='compare with this run instead of training')
    parser.add_shared('trust')
    args = parser.parse_args(argv)
    if args.out and args.against:
        parser.error('--against trains nothing: leave --out out')
    return args


def main(argv: list[str] | None = None) -> int:
    """Train, compare, print."""
    args = parse_args(argv)
    with one_line_errors('rerun'):
        from fashion_mmdet.experiments import rerun
        from fashion_mmdet.experiments.checkpoints import trust_files
        from fashion_mmdet.experiments.runs import read_runs
        from fashion_mmdet.utils.tables import format_text

        trust_files(args.trust)
        (run,) = read_runs([args.run])
        out = args.against or args.out or args.run.resolve().with_name(f'{args.run.resolve().name}_rerun')
        if not args.against:
            if out.exists() and any(out.iterdir()):
                raise ValueError(f'{out}: not empty; choose another --out, or compare with --against {out}')
            status = rerun.repeat(run, out, args.trust)
            if status:
                return status
        findings = rerun.compare_runs(*read_runs([args.run, out]))
    print(format_text(('', str(args.run), f'-> {out}'), rerun.describe(findings)))
    equal = rerun.same_results(findings)
    print('weights and scores are equal' if equal else 'weights and scores are not all equal')
    return 0 if equal else 1


if __name__ == '__main__':
    sys.exit(main())
