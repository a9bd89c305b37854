"""A folder for caches, also for a user without a home."""

import hashlib
import logging
import os
import tempfile
from pathlib import Path

VARIABLE = 'XDG_CACHE_HOME'  # numba, torch and matplotlib follow it too


def provide_cache() -> None:
    """Set XDG_CACHE_HOME to a folder among the temporary files where neither it nor ~/.cache can be written; say so.

    So it is for a user id without a name, as containers have, or a home that is read-only.
    """
    usual = os.environ.get(VARIABLE) or os.path.expanduser('~/.cache')
    if is_writable(usual):
        return
    owner = os.getuid() if hasattr(os, 'getuid') else 0
    try:
        folder = Path(tempfile.gettempdir()) / f'fashion_mmdet_{owner}'
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != owner:
            raise PermissionError(None, 'somebody else made it', str(folder))
    except OSError as error:
        logging.getLogger(__name__).warning(
            'no folder for caches: %s cannot be written, nor %s (%s); set %s',
            usual,
            error.filename,
            error.strerror,
            VARIABLE,
        )
        return
    os.environ[VARIABLE] = str(folder)
    os.environ.setdefault('MPLCONFIGDIR', str(folder / 'matplotlib'))
    logging.getLogger(__name__).warning(
        '%s cannot be written; caches go to %s, unless %s names another folder', usual, folder, VARIABLE
    )


def is_writable(folder: str | os.PathLike) -> bool:
    """Return whether a folder can be written, or made and written."""
    path = Path(folder)
    there = next((one for one in (path, *path.parents) if os.path.exists(one)), path)
    return path.is_absolute() and os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK)


def writable_place(beside: Path) -> Path:
    """Return where to keep a file that belongs beside a data set: there, or in the user's cache, by that path.

    Raises:
        OSError: neither can be written.
    """
    if os.access(beside.parent, os.W_OK):
        return beside
    cache = Path(os.environ.get(VARIABLE) or os.path.expanduser('~/.cache'))
    if not is_writable(cache):
        raise OSError(f'{beside.parent}: cannot be written, nor can {cache}; set {VARIABLE} to a folder that can')
    return cache / 'fashion_mmdet' / hashlib.sha256(os.fsencode(beside.parent.resolve())).hexdigest()[:16] / beside.name
