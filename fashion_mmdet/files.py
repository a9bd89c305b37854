"""Files that are whole or absent: written under a temporary name beside the target and renamed."""

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

PLAIN_NAME = re.compile(r'(?!.*-[0-9a-f]{16}$)\w[\w.-]{0,99}', re.ASCII)  # one that ends like a hash is no plain one


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


def picture_name(image_id: str, suffix: str) -> str:
    """Name an image's picture: safe in any folder, and another one for every image.

    `a.jpg` with '.png' gives `a.png`. Anything else, such as `a.png` and `x/a.jpg`, keeps what is harmless of it before
    a hash of the whole.
    """
    stem = image_id.removesuffix('.jpg')
    if stem == image_id or not PLAIN_NAME.fullmatch(stem):
        harmless = re.sub(r'[^\w.-]', '_', image_id, flags=re.ASCII).lstrip('.')[:80]
        stem = f'{harmless}-{hashlib.sha256(image_id.encode()).hexdigest()[:16]}'
    return stem + suffix


def check_outputs(outputs: Iterable[str | os.PathLike | None], inputs: Iterable[str | os.PathLike | None] = ()) -> None:
    """Raise ValueError where a file to write is one that is read, or two are the same; None stands for no file."""
    read = {Path(path).resolve() for path in inputs if path is not None}
    written: set[Path] = set()
    for path in outputs:
        if path is None:
            continue
        target = Path(path).resolve()
        if target in read or target in written:
            clash = 'is one of the files to read' if target in read else 'two outputs would be written there'
            raise ValueError(f'{path}: {clash}; give another name')
        written.add(target)


def sibling(path: str | os.PathLike, suffix: str, outputs: Iterable[str | os.PathLike | None] = (),
            inputs: Iterable[str | os.PathLike | None] = ()) -> Path:
    """Name the output that goes beside another, under another suffix.

    Raises:
        ValueError: as `check_outputs`, of both, the other outputs and the inputs.
    """
    found = Path(path).with_suffix(suffix)
    check_outputs([path, found, *outputs], inputs)
    return found
