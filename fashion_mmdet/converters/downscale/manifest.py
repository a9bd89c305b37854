"""What a copy was made of and how: prepared.json, by which a later run tells that it may go on."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from fashion_mmdet.utils.files import TEMPORARY_SUFFIX, sha256, write_text
from fashion_mmdet.utils.locks import locked

MANIFEST = 'prepared.json'
WORK = '.prepare'  # in the copy: what a later run needs to go on
TRAIN, SAMPLE, LABELS = 'train.csv', 'sample_submission.csv', 'label_descriptions.json'
FOLDERS = ('train', 'test')
CACHES = '*.arrow'  # index and photo sizes, which are made anew beside the copy
CARRIED = (TRAIN, SAMPLE, LABELS, *FOLDERS, MANIFEST, WORK)


@dataclass(frozen=True)
class Options:
    """How photos are shrunk.

    Attributes:
        max_side: longest side of a photo, in pixels; smaller photos stay as they are.
        quality: of the JPEGs, 1 to 100.

    Raises:
        ValueError: a number out of range.
    """

    max_side: int
    quality: int = 95

    def __post_init__(self) -> None:
        if self.max_side < 1:
            raise ValueError(f'max side {self.max_side}: 1 or more pixels, please')
        if not 1 <= self.quality <= 100:
            raise ValueError(f'quality {self.quality}: 1 to 100, please')


def fingerprint(source: Path) -> dict[str, str]:
    """Hash the tables' bytes and the photos' names and sizes; one pass over the CSV, some seconds a gigabyte."""
    found = {name: sha256(source / name) for name in (TRAIN, SAMPLE, LABELS) if (source / name).is_file()}
    for folder in FOLDERS:
        digest = hashlib.sha256()
        for path in list_files(source / folder):
            digest.update(f'{path.name}\0{path.stat().st_size}\n'.encode(errors='surrogateescape'))
        found[f'{folder}/'] = digest.hexdigest()
    return found


def list_files(folder: Path) -> list[os.DirEntry]:
    """List a folder's files by name; none where there is no such folder."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if entry.is_file()), key=lambda entry: entry.name)


@contextmanager
def claim(source: Path, target: Path, options: Options) -> Iterator[None]:
    """Take a folder for a copy: new or empty, or one that the same source and options began.

    Raises:
        ValueError: no data set, or a folder with other data, another source's or options', or in use.
    """
    if not (source / TRAIN).is_file():
        raise ValueError(f'{source}: no {TRAIN}; SRC is a folder with {TRAIN}, train/, test/')
    inner, outer = target.resolve(), source.resolve()
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise ValueError(f'{target}: lies in {source} or holds it; choose a folder beside it')
    manifest = dict(options=asdict(options), fingerprint=fingerprint(source))
    if (target / MANIFEST).exists():
        _refuse_other(target, read_manifest(target), manifest)
    elif target.exists() and not (
        target.is_dir() and all(path.name.endswith(TEMPORARY_SUFFIX) for path in target.iterdir())
    ):
        raise ValueError(f'{target}: not empty, and no {MANIFEST} says that it is a copy; choose another folder')
    else:
        write_manifest(target, dict(source=str(outer), **manifest))
    (target / WORK).mkdir(exist_ok=True)

    def refuse() -> None:
        raise ValueError(f'{target}: another run is at work on it; wait for it or stop it')

    with locked(target / WORK / 'lock', refuse):
        yield


def _refuse_other(target: Path, before: dict, now: dict) -> None:
    for name, value in now['options'].items():
        if before['options'].get(name) != value:
            raise ValueError(
                f'{target}: made with {name} {before["options"].get(name)}, not {value}; '
                'delete it or choose another folder'
            )
    for name in sorted(before['fingerprint'].keys() | now['fingerprint'].keys()):
        if before['fingerprint'].get(name) != now['fingerprint'].get(name):
            raise ValueError(
                f'{target}: made from {before["source"]} with another {name}; delete it or choose another folder'
            )


def read_manifest(target: Path) -> dict:
    """Read prepared.json.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    path = target / MANIFEST
    if not path.is_file():
        raise ValueError(f'{target}: no {MANIFEST}; not a copy made by prepare_data')
    try:
        manifest = json.loads(path.read_text())
        if not {'options', 'fingerprint', 'source'} <= manifest.keys():
            raise ValueError
    except (ValueError, AttributeError):
        raise ValueError(f'{path}: damaged; delete the copy or choose another folder') from None
    return manifest


def write_manifest(target: Path, manifest: dict) -> None:
    """Write prepared.json whole or not at all."""
    write_text(target / MANIFEST, json.dumps(manifest, indent=1) + '\n')
