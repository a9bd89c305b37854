"""Print what differs between resolved configs, one line a key.

    python tools/diff_configs.py configs/fashion/maskrcnn_r50_aug.py configs/fashion/maskrcnn_r50_lossw.py
    python tools/diff_configs.py work_dirs/run_a work_dirs/run_b work_dirs/run_c --format markdown

A folder stands for the one config dumped in it; what lies in a run's folder is read as data, any other config is run.
Lists of parts with a `type` are compared type by type: `param_scheduler.LinearLR.end`, `#2` for the second of a type.
`-` means that a config has no such key; in JSON it is left out of the key's values. The exit status is that of diff: 0
for no difference, 1 for some, 2 for trouble.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fashion_mmdet.utils.cli import ToolParser, one_line_errors

if TYPE_CHECKING:
    from mmengine import Config


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('diff_configs', __doc__)
    parser.add_argument('configs', metavar='CONFIG', nargs='+', help='config file, or a folder of work_dirs')
    parser.add_argument('--format', choices=('table', 'markdown', 'json'), default='table')
    args = parser.parse_args(argv)
    if len(args.configs) < 2:
        parser.error('two configs or more are needed')
    return args


def format_rows(style: str, paths: list[str], rows: list[tuple[str, list]]) -> str:
    """Lay out differences as table, Markdown or JSON."""
    from fashion_mmdet.experiments.diff import MISSING, column_names, format_markdown, format_table

    names = column_names(paths)
    if style != 'json':
        return (format_markdown if style == 'markdown' else format_table)(names, rows) if rows else ''
    entries = []
    for key, values in rows:
        pairs = zip(names, values, strict=True)
        entries.append(dict(key=key, values={name: value for name, value in pairs if value is not MISSING}))
    return json.dumps(entries, indent=1, default=str)


def main(argv: list[str] | None = None) -> int:
    """Compare; 0 for no difference, 1 for some, 2 for a config that cannot be read."""
    args = parse_args(argv)
    from fashion_mmdet.config import find_config, read_config, read_dumped
    from fashion_mmdet.experiments.diff import diff_configs
    from fashion_mmdet.experiments.runs import is_run

    def read(path: str) -> 'Config':
        file = find_config(path)
        if Path(path).is_dir() or is_run(file.parent):
            return read_dumped(file)
        return read_config(file, import_custom_modules=False)

    with one_line_errors('diff_configs'):
        rows = diff_configs([read(path) for path in args.configs])
    text = format_rows(args.format, args.configs, rows)
    if text:
        print(text)
    return 1 if rows else 0


if __name__ == '__main__':
    sys.exit(main())
