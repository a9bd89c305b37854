"""Which photos a command line names, and what each is called in the results."""

import glob
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fashion_mmdet.datasets.images import SUFFIXES


def find_photos(named: Sequence[str]) -> list[Path]:
    """List photos in the order named, each once.

    Args:
        named: files, whatever their suffix; folders, of which all photos at any depth are taken; patterns such as
            'shop/*/front.jpg' or 'shop/**/*.png', for shells that do not expand them.

    Raises:
        FileNotFoundError: nothing of that name.
        ValueError: a folder or pattern without photos.
    """
    found: dict[Path, None] = {}
    for name in named:
        path = Path(name)
        if path.is_dir():
            some = sorted(one for one in path.rglob('*') if _is_photo(one.relative_to(path)) and one.is_file())
        elif path.exists() or not glob.has_magic(name):
            os.stat(path)
            some = [path]
        else:
            some = [one for one in map(Path, sorted(glob.glob(name, recursive=True))) if one.is_file()]
        if not some:
            raise ValueError(f'{name}: no photos there ({", ".join(SUFFIXES)})')
        found.update(dict.fromkeys(some))
    return list(found)


def _is_photo(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not any(part.startswith('.') for part in path.parts)


def name_photos(paths: Sequence[Path]) -> list[str]:
    """Name photos by their files; where two have the same name, by their paths below the folder that holds them all.

    No two names are the same, and the paths have forward slashes.
    """
    if len({path.name for path in paths}) == len(paths):
        return [path.name for path in paths]
    full = [Path(os.path.abspath(path)) for path in paths]
    base = os.path.commonpath([path.parent for path in full])
    return [path.relative_to(base).as_posix() for path in full]


def picture_stems(names: Sequence[str]) -> list[str]:
    """Return what the files made of each photo begin with: its name without suffix, with it where two would clash."""
    bare = [name.removesuffix(Path(name).suffix) for name in names]
    taken = Counter(one.casefold() for one in bare)
    return [one if taken[one.casefold()] == 1 else name for one, name in zip(bare, names, strict=True)]
