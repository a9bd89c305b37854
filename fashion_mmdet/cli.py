"""What the command-line tools share: errors as one line, configs by path. No torch."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# mmengine prefixes an error with the class it was building and that class's file.
BUILD_PREFIX = re.compile(r'^(class `\w+` in [\w/.\-]+: )+')


@contextmanager
def one_line_errors(tool: str) -> Iterator[None]:
    """Print a ValueError or OSError (bad input, missing file, full disk) as one line and exit with status 2.

    Any other exception is a defect and keeps its traceback.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        print(f'{tool}: {describe(error)}', file=sys.stderr)
        raise SystemExit(2) from None


def describe(error: Exception) -> str:
    """Say in one line what an exception says; where it says nothing, its type."""
    if isinstance(error, OSError) and error.strerror:
        where = f'{error.filename}: ' if error.filename else ''
        return f'{where}{error.strerror}'
    text = BUILD_PREFIX.sub('', str(error)).strip()
    return ' '.join(text.split()) or type(error).__name__


def load_config(path: str, options: dict | None = None):
    """Read a config and merge `--cfg-options`.

    Raises:
        FileNotFoundError: no such config; names those that stand beside it.
        ValueError: the file is no config, or an option does not fit.
    """
    from mmengine.config import Config
    file = Path(path)
    if not file.is_file():
        folder = file.parent if file.parent.is_dir() else Path('configs/fashion')
        beside = ', '.join(sorted(other.name for other in folder.glob('*.py')))
        raise FileNotFoundError(f'{path}: no such config' + (f'; {folder} has {beside}' if beside else ''))
    try:
        cfg = Config.fromfile(path)
    except (SyntaxError, KeyError, TypeError, AttributeError, NameError) as error:
        raise ValueError(f'{path}: not a config: {error}') from None
    if options:
        cfg.merge_from_dict(options)
    _share_postprocess(cfg)
    return cfg


def _share_postprocess(cfg) -> None:
    """Give the config's one `postprocess` to every evaluator that scores masks, unless it declares its own."""
    for name in ('val_evaluator', 'test_evaluator'):
        evaluators = cfg.get(name) or []
        for evaluator in evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]:
            if evaluator.type == 'FashionIoUSweepMetric':
                evaluator.setdefault('postprocess', cfg.get('postprocess', {}))
