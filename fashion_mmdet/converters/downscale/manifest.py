"""prepared.json: what a copy was made from and how, by which a later run knows whether it may go on."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from fashion_mmdet.utils.files import TEMPORARY_SUFFIX, sha256, write_text
from fashion_mmdet.utils.json_files import COUNT, OBJECT, TEXT, read_object
from fashion_mmdet.utils.locks import locked

MANIFEST = 'prepared.json'
WORK = '.prepare'  # in the copy: lock, rows on their way to train.csv
TRAIN, SAMPLE, LABELS = 'train.csv', 'sample_submission.csv', 'label_descriptions.json'
FOLDERS = ('train', 'test')
FIELDS = {'source': TEXT, 'options': OBJECT, 'options.max_side': COUNT, 'fingerprint': OBJECT, 'counts': OBJECT}


@dataclass(frozen=True)
class Options:
    """How photos are shrunk.

    Attributes:
        max_side: longest side of a photo, in pixels; smaller photos stay as they are.
        quality: JPEG quality, 1 to 100.
    """

    max_side: int
    quality: int = 95

    def __post_init__(self) -> None:
        if self.max_side < 1:
            raise ValueError(f'max side {self.max_side}: must be at least 1 pixel')
        if not 1 <= self.quality <= 100:
            raise ValueError(f'quality {self.quality}: must be from 1 to 100')


def list_files(folder: Path) -> list[Path]:
    """List the files of a folder by name; none where there is no such folder."""
    return sorted(path for path in folder.glob('*') if path.is_file())


def list_left_out(source: Path) -> list[str]:
    """List what a copy leaves out of its source, apart from hidden files and caches (*.arrow), which are rebuilt."""
    carried = {TRAIN, SAMPLE, LABELS, *FOLDERS, MANIFEST}
    names = {path.name for path in source.iterdir() if not path.name.startswith('.') and path.suffix != '.arrow'}
    return sorted(names - carried)


def fingerprint(source: Path) -> dict[str, str]:
    """Hash the tables' bytes and the photos' names and sizes; one pass over the CSV, some seconds a gigabyte."""
    found = {name: sha256(source / name) for name in (TRAIN, SAMPLE, LABELS) if (source / name).is_file()}
    for folder in FOLDERS:
        lines = (f'{path.name}\0{path.stat().st_size}\n' for path in list_files(source / folder))
        found[f'{folder}/'] = hashlib.sha256(''.join(lines).encode(errors='surrogateescape')).hexdigest()
    return found


@contextmanager
def claim(source: Path, target: Path, options: Options) -> Iterator[None]:
    """Lock a folder for a copy: new or empty, or begun with the same source and options.

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
        _check_same(target, read_manifest(target), manifest)
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


def _check_same(target: Path, before: dict, now: dict) -> None:
    """Raise ValueError where a copy was begun with another option or source."""
    for name, value in now['options'].items():
        if (old := before['options'].get(name)) != value:
            raise ValueError(f'{target}: made with {name} {old}, not {value}; delete it or choose another folder')
    old, new = before['fingerprint'], now['fingerprint']
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            raise ValueError(
                f'{target}: made from {before["source"]} with another {name}; delete it or choose another folder'
            )


def read_manifest(target: Path) -> dict:
    """Read prepared.json; ValueError where there is none or it is damaged."""
    path = target / MANIFEST
    if not path.is_file():
        raise ValueError(f'{target}: no {MANIFEST}; not a copy made by prepare_data')
    try:
        return read_object(path, FIELDS, FIELDS.keys() - {'counts'})
    except ValueError as error:
        raise ValueError(f'{error}: damaged; delete the copy or choose another folder') from None


def write_manifest(target: Path, manifest: dict) -> None:
    """Write prepared.json whole or not at all."""
    write_text(target / MANIFEST, json.dumps(manifest, indent=1) + '\n')
