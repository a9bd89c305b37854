"""Files that are whole or absent: written under a temporary name beside the target and renamed."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path in the target's folder; rename it onto the target when the block ends well.

    Args:
        path: the target; its folder is made where it is missing.

    Raises:
        OSError: as the block or the rename raised it (a full disk, say). The temporary file is removed and an
            older file under the target's name stays as it was.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f'.{target.name}.', suffix='.tmp')
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write `content` so that `path` holds all of it or what it held before."""
    with atomic_path(path) as temporary, open(temporary, 'wb') as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_text(path: str | os.PathLike, content: str) -> None:
    """Write `content` as UTF-8 so that `path` holds all of it or what it held before."""
    write_bytes(path, content.encode())


def sha256(path: str | os.PathLike) -> str:
    """Hash a file, a megabyte at a time; a gigabyte takes some seconds."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
