"""Files that are whole or absent: written under a temporary name beside the target and renamed.

A writer holds a lock on its temporary file for as long as it lives, so what a killed one left is told from what is
being written, and the next writer into the folder removes it. A sealed file also carries a hash of what it holds.
"""

import contextlib
import functools
import hashlib
import mmap
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import xxhash

try:
    import fcntl
except ImportError:  # Windows: nothing is locked, and what killed writers leave stays
    fcntl = None

TEMPORARY_SUFFIX = '.fashion.tmp'
BLOCK_BYTES = 1 << 18  # read at once: stays in the processor's cache
SEAL_BYTES = 64  # keeps what follows aligned as Arrow wants it
SEAL_START = b'fashion_mmdet sealed 1\n'

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
    remove_abandoned(target.parent.absolute())
    handle, temporary = _create_locked(target)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        if handle is not None:
            os.close(handle)


def _create_locked(target: Path) -> tuple[int | None, Path]:
    """Create a temporary file and lock it; return the handle, which holds the lock if there is one, and the path."""
    while True:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f'.{target.name}.', suffix=TEMPORARY_SUFFIX)
        if fcntl is None:  # Windows renames no open file
            os.close(handle)
            return None, Path(name)
        with contextlib.suppress(OSError):  # a file system without locks: nobody can take the file for abandoned
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.exists(name):
            return handle, Path(name)
        os.close(handle)  # removed between its creation and the lock


@functools.cache
def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files in a folder whose writers have died; once a process, large folders take a while."""
    for path in folder.glob(f'.*{TEMPORARY_SUFFIX}') if fcntl is not None else ():
        with contextlib.suppress(OSError):  # being written, gone, somebody else's, or no locks here
            handle = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(_folder_of(path), ignore_errors=True)
                path.unlink()
            finally:
                os.close(handle)


@contextlib.contextmanager
def own_tempdir() -> Iterator[None]:
    """Let `tempfile` work in a folder of the block's own, so that what a killed process leaves there is found again.

    `tempfile` has one folder for the whole process: not for blocks in several threads at once.
    """
    usual, before = Path(tempfile.gettempdir()), tempfile.tempdir
    remove_abandoned(usual)
    handle, marker = _create_locked(usual / 'fashion_mmdet')
    folder = _folder_of(marker)
    try:
        folder.mkdir(mode=0o700)
        tempfile.tempdir = str(folder)
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)
        marker.unlink(missing_ok=True)
        if handle is not None:
            os.close(handle)


def _folder_of(marker: Path) -> Path:
    """Name the folder that lives as long as the lock on a temporary file."""
    return marker.with_name(f'{marker.name}.d')


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write `content` so that `path` holds all of it or what it held before."""
    with atomic_path(path) as temporary, open(temporary, 'wb') as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_text(path: str | os.PathLike, content: str) -> None:
    """Write `content` as UTF-8 so that `path` holds all of it or what it held before."""
    write_bytes(path, content.encode())


@contextlib.contextmanager
def write_sealed(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Yield a file to write to; when the block ends well, seal what was written and give it its name."""
    with atomic_path(path) as temporary, open(temporary, 'w+b') as file:
        file.write(bytes(SEAL_BYTES))
        yield file
        file.seek(SEAL_BYTES)
        seal = _make_seal(file)
        file.seek(0)
        file.write(seal)
        file.flush()
        os.fsync(file.fileno())


def read_sealed(path: str | os.PathLike, check: bool = True) -> memoryview:
    """Map what `write_sealed` wrote into memory.

    Args:
        path: of the file.
        check: hash the content first; needless where another process of this run just did.

    Raises:
        FileNotFoundError: no such file.
        ValueError: damaged, cut off, or not a sealed file.
    """
    with open(path, 'rb') as file:
        seal = file.read(SEAL_BYTES)
        if not seal.startswith(SEAL_START) or (check and seal != _make_seal(file)):
            raise ValueError(f'{path}: damaged, or not of this version')
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))[SEAL_BYTES:]


def _make_seal(file: BinaryIO) -> bytes:
    return (SEAL_START + bytes.fromhex(_hash_rest(file, xxhash.xxh3_128()))).ljust(SEAL_BYTES, b'\0')


def fast_hash(path: str | os.PathLike) -> str:
    """Hash a file's content with XXH3, which tells files apart but is no proof against forgery; 0.1 s a gigabyte."""
    with open(path, 'rb') as file:
        return _hash_rest(file, xxhash.xxh3_128())


def sha256(path: str | os.PathLike) -> str:
    """Hash a file so that nobody can forge another of that hash; a gigabyte takes a second or more."""
    with open(path, 'rb') as file:
        return _hash_rest(file, hashlib.sha256())


def _hash_rest(file: BinaryIO, digest: 'xxhash.xxh3_128 | hashlib._Hash') -> str:
    """Hash a file from where it stands."""
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


def count_lines(path: str | os.PathLike) -> int:
    """Count a file's line ends, for progress bars; 1 GB takes a second."""
    with open(path, 'rb') as file:
        return sum(block.count(b'\n') for block in iter(lambda: file.read(BLOCK_BYTES), b''))


def picture_name(image_id: str, suffix: str) -> str:
    """Return the file name of an image's picture: safe in any folder, and different for every image.

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


def sibling(
    path: str | os.PathLike,
    suffix: str,
    outputs: Iterable[str | os.PathLike | None] = (),
    inputs: Iterable[str | os.PathLike | None] = (),
) -> Path:
    """Return the path of an output that goes beside another, under another suffix.

    Raises:
        ValueError: as `check_outputs`, of both, the other outputs and the inputs.
    """
    found = Path(path).with_suffix(suffix)
    check_outputs([path, found, *outputs], inputs)
    return found
