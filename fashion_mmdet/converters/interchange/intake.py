"""Take foreign labels: names become our categories and attributes, and what finds no place is counted."""

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

from fashion_mmdet.classes import ATTRIBUTES, CATEGORIES, NUM_MAIN_CATEGORIES
from fashion_mmdet.datasets.audit import is_size_possible
from fashion_mmdet.datasets.images import is_safe_id
from fashion_mmdet.masks.transform import Runs
from fashion_mmdet.utils.tables import format_text

OWN_NAMES = {
    name.casefold(): category
    for category, names in enumerate(CATEGORIES)
    for name in (names, *(part.strip() for part in names.split(',')))
}  # 'shirt, blouse', 'shirt' and 'blouse' are 0; no two categories share a name
ATTRIBUTE_IDS = {name: attribute for attribute, name in enumerate(ATTRIBUTES)}


class Photo(NamedTuple):
    """A photo that labels belong to: ImageId, height and width in pixels."""

    image_id: str
    height: int
    width: int


class Labelled(NamedTuple):
    """An object of a photo: category id, attribute ids (ascending), runs of at least one pixel."""

    photo: Photo
    category: int
    attributes: tuple[int, ...]
    runs: Runs


class Intake:
    """What the readers of all formats share: the map of names, and the counts for the report.

    Args:
        names: our category id, or None to leave out, by foreign name; see `read_name_map`.
        keep_crowd: keep COCO's crowds (`iscrowd` 1, a group as one mask) as objects.

    Attributes:
        taken: objects by foreign name and category id.
        left_out: what was left out by reason and name.
    """

    def __init__(self, names: Mapping[str, int | None] | None = None, keep_crowd: bool = False) -> None:
        self.names, self.keep_crowd = dict(names or {}), keep_crowd
        self.taken: Counter[tuple[str, int]] = Counter()
        self.left_out: Counter[tuple[str, str]] = Counter()

    def category(self, name: str) -> int | None:
        """Return the category id of a foreign name; None, counted, where there is none.

        The map decides; a name that it does not hold is ours if it is a category's name or one of its alternatives,
        in upper or lower case.
        """
        found = self.names[name] if name in self.names else OWN_NAMES.get(name.strip().casefold())
        if found is None:
            self.skip('category dropped by the map' if name in self.names else 'no such category', name)
        return found

    def skip(self, reason: str, name: str) -> None:
        """Count something that is left out."""
        self.left_out[reason, name] += 1

    def take(self, photo: Photo, name: str, category: int, attributes: Iterable[str], runs: Runs) -> Labelled | None:
        """Return an object, without the attributes that are not ours; None, counted, where its mask is empty."""
        if runs[0].size == 0:
            self.skip('mask without a pixel', name)
            return None
        kept = set()
        for attribute in attributes:
            if attribute not in ATTRIBUTE_IDS:
                self.skip('no such attribute', attribute)
            elif category >= NUM_MAIN_CATEGORIES:
                self.skip('attribute of no main garment', attribute)
            else:
                kept.add(ATTRIBUTE_IDS[attribute])
        self.taken[name, category] += 1
        return Labelled(photo, category, tuple(sorted(kept)), runs)

    def report(self, most: int = 20) -> str:
        """Describe in two tables what became of every name and what was left out, the `most` frequent by reason."""
        rows = [(_printable(name), CATEGORIES[category], count) for (name, category), count in self.taken.most_common()]
        parts = [format_text(('name', 'category', 'objects'), rows)] if rows else []
        lost, shown = [], Counter()
        for (reason, name), count in self.left_out.most_common():
            shown[reason] += 1
            if shown[reason] <= most:
                lost.append((reason, _printable(name), count))
        lost += [(reason, f'and {count - most} more', None) for reason, count in shown.items() if count > most]
        if lost:
            parts.append(format_text(('left out', 'name', 'times'), sorted(lost, key=lambda row: row[0])))
        return '\n\n'.join(parts)


def _printable(name: str) -> str:
    """Return a foreign name without what would move a terminal's cursor."""
    return ''.join(one if one.isprintable() else '?' for one in name[:60])


def check_photo(where: str, image_id: str, height: int, width: int) -> Photo:
    """Return a photo's name and size; ValueError for a name that leads out of a folder, or an impossible size."""
    if not is_safe_id(image_id) or not _is_unicode(image_id):
        raise ValueError(f'{where}: file name {image_id[:80]!r} does not name a photo inside a folder')
    if not is_size_possible(height, width):
        raise ValueError(f'{where}: a photo of {height}x{width} (height x width) pixels cannot be')
    return Photo(image_id, height, width)


def _is_unicode(text: str) -> bool:
    """Tell whether a text can be written: JSON may hold half of a surrogate pair."""
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False


def read_name_map(path: str | os.PathLike) -> dict[str, int | None]:
    """Read which of our categories a foreign name stands for.

    Args:
        path: CSV of two columns without a header, or a YAML or JSON object: foreign name, our name (any that
            `OWN_NAMES` holds) or nothing to leave it out.

    Raises:
        ValueError: another kind of file, a name given twice, or a category that we do not have.
    """
    pairs: dict[str, int | None] = {}
    for name, own in _read_pairs(Path(path)):
        own = own.strip()
        if own and own.casefold() not in OWN_NAMES:
            raise ValueError(f'{path}: {name!r}: no category {own!r}; one of {"; ".join(CATEGORIES)}')
        if name in pairs:
            raise ValueError(f'{path}: {name!r} comes twice')
        pairs[name] = OWN_NAMES[own.casefold()] if own else None
    return pairs


def _read_pairs(path: Path) -> list[tuple[str, str]]:
    try:
        text = path.read_text(encoding='utf-8-sig')
        if path.suffix.lower() == '.csv':
            rows = [row for row in csv.reader(text.splitlines(), strict=True) if row]
            if any(len(row) != 2 for row in rows):
                raise ValueError('every line must be: foreign name,our name')
            return [(name, own) for name, own in rows]
        found = json.loads(text) if path.suffix.lower() == '.json' else yaml.safe_load(text)
    except (yaml.YAMLError, csv.Error, RecursionError, ValueError) as error:
        raise ValueError(f'{path}: no map of names: {error}') from None
    if not isinstance(found, dict):
        raise ValueError(f'{path}: no map of names: an object, foreign name: our name, is wanted')
    for name, own in found.items():
        if not isinstance(name, str) or not isinstance(own, (str, type(None))):
            raise ValueError(f'{path}: {name!r}: {own!r}: both must be text; put quotes around them')
    return [(name, own or '') for name, own in found.items()]
