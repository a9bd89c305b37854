"""What the command-line tools share: their arguments, range checks, and errors as one line."""

import argparse
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from fashion_mmdet.utils.checks import COUNT, NATURAL, Interval

# mmengine prefixes an error with the class it was building and that class's file.
BUILD_PREFIX = re.compile(r'^(class `\w+` in [\w/.\-]+: )+')


def data_root() -> str:
    """Return the folder of the data set: the one that FASHION_DATA names, else data/imaterialist."""
    return os.environ.get('FASHION_DATA') or 'data/imaterialist'


@contextmanager
def one_line_errors(tool: str) -> Iterator[None]:
    """Print a ValueError or OSError (bad input, missing file, full disk) as one line and exit with status 2.

    The traceback goes to the run's log file, if any, and to the terminal with FASHION_TRACEBACK=1. Any other
    exception is a defect and keeps its traceback.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        if os.environ.get('FASHION_TRACEBACK') == '1':
            raise
        _log_traceback()
        print(f'{tool}: {describe(error)}', file=sys.stderr)
        raise SystemExit(2) from None


def _log_traceback() -> None:
    """Append the traceback to the log file of mmengine's run, if a run has begun."""
    logging_module = sys.modules.get('mmengine.logging')
    if logging_module is None or not logging_module.MMLogger.check_instance_created('mmengine'):
        return
    for handler in logging_module.MMLogger.get_current_instance().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.stream.write(traceback.format_exc())
            handler.flush()


def describe(error: Exception) -> str:
    """Say in one line what an exception says; where it says nothing, its type."""
    if isinstance(error, OSError) and error.strerror:
        where = f'{error.filename}: ' if error.filename else ''
        return f'{where}{error.strerror}'
    text = BUILD_PREFIX.sub('', str(error)).strip()
    return ' '.join(text.split()) or type(error).__name__


class ToolParser(argparse.ArgumentParser):
    """The command line of a tool: the tool's docstring is its help, an error is one line.

    Args:
        tool: the tool's name, without `.py`.
        doc: its docstring.
    """

    def __init__(self, tool: str, doc: str) -> None:
        super().__init__(f'{tool}.py', description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
        self._tool = tool

    def error(self, message: str) -> NoReturn:
        """Print the error and exit with status 2."""
        self.exit(2, f'{self._tool}: {message}\n')

    def add_shared(self, *names: str, **texts: str) -> None:
        """Add arguments that several tools have (keys of SHARED); a keyword replaces the help text of its argument."""
        for name in (*names, *texts):
            settings = {'flags': [f'--{name.replace("_", "-")}'], **SHARED[name]}
            if name in DEFAULT_PATHS:
                settings['default'] = DEFAULT_PATHS[name]()
            if name in texts:
                settings['help'] = texts[name]
            self.add_argument(*settings.pop('flags'), **settings)


def number(interval: Interval) -> Callable[[str], float]:
    """Make the `type` of an argument that takes a number of an interval."""

    def parse(text: str) -> float:
        try:
            value = int(text) if interval.whole else float(text)
        except ValueError:
            value = None
        if value not in interval:
            raise argparse.ArgumentTypeError(f'{text}: must be a {interval.describe()}')
        return value

    return parse


def mask_size(text: str) -> tuple[int, int] | None:
    """Parse the side of square masks; 0 gives None, each photo's own size."""
    side = number(NATURAL)(text)
    return (side, side) if side else None


PAIRS = dict(nargs='+', action='extend', default=[], metavar='KEY=VALUE')  # given several times, all pairs count
SHARED = dict(
    options=dict(**PAIRS, help='options of the postprocessing'),
    cfg_options=dict(**PAIRS, help='override config keys'),
    postprocess=dict(metavar='FILE', help="a config's postprocess, or one from tools/tune_thresholds.py"),
    data=dict(metavar='ROOT', help='folder of train.csv and train/ (default: FASHION_DATA, else data/imaterialist)'),
    truth=dict(metavar='CSV', help='ground truth (default: train.csv of FASHION_DATA)'),
    average=dict(choices=('image', 'image_class'), default='image', help='over images, or (image, class) pairs'),
    match=dict(choices=('category', 'class_id'), default='category', help='class_id: the attributes count too'),
    size=dict(type=mask_size, default='512', help='side of the masks compared; 0 for each photo as it is'),
    json=dict(action='store_true', help='print one object'),
    seed=dict(type=number(NATURAL), default=0, help='seed (default %(default)s)'),
    folds=dict(type=number(Interval(2, whole=True)), default=5, help='held out in turn (default %(default)s)'),
    repeats=dict(type=number(COUNT), default=3, help='repetitions of the folds (default %(default)s)'),
    workers=dict(type=number(COUNT), help='processes (default: one per core)'),
    work_dir=dict(help='default: work_dirs/<config>'),
    trust=dict(action='store_true', help='load checkpoints that may run code'),
    launcher=dict(choices=('none', 'pytorch', 'slurm', 'mpi'), default='none'),
    local_rank=dict(flags=['--local-rank', '--local_rank'], type=int, default=0, help=argparse.SUPPRESS),
)
DEFAULT_PATHS = dict(data=data_root, truth=lambda: str(Path(data_root(), 'train.csv')))
