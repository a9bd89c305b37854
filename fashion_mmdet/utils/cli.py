"""What the command-line tools share: errors as one line, options as `key=value`."""

import argparse
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

# mmengine prefixes an error with the class it was building and that class's file.
BUILD_PREFIX = re.compile(r'^(class `\w+` in [\w/.\-]+: )+')


@contextmanager
def one_line_errors(tool: str) -> Iterator[None]:
    """Print a ValueError or OSError (bad input, missing file, full disk) as one line and exit with status 2.

    The traceback goes to the run's log file where there is one, and to the terminal with FASHION_TRACEBACK=1. Any other
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


def add_options(parser: argparse.ArgumentParser, flag: str = '--options', text: str = 'of the postprocessing') -> None:
    """Add the argument that takes `key=value` pairs; given several times, all of its pairs count.

    Args:
        parser: of the tool.
        flag: the argument's name.
        text: its help.
    """
    parser.add_argument(flag, nargs='+', action='extend', default=[], metavar='KEY=VALUE', help=text)
