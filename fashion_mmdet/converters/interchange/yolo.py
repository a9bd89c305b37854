"""YOLO's segments (Ultralytics): a text file of polygons per photo, and data.yaml.

A line is the class and x y x y ... as shares of width and height. Points lie in the middle of their pixels, so that
the trainer, which cuts coordinates to whole pixels, finds the same pixel. Attributes and scores have no place in it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.converters.interchange.intake import Intake, Labelled, Photo, check_photo
from fashion_mmdet.converters.interchange.naming import file_name
from fashion_mmdet.converters.interchange.yolo_polygons import mask_to_polygon, polygon_to_mask
from fashion_mmdet.datasets.images import SUFFIXES, read_size
from fashion_mmdet.datasets.records import Record
from fashion_mmdet.masks.rle import coco_to_runs, mask_to_runs, runs_to_mask
from fashion_mmdet.masks.transform import crop, place
from fashion_mmdet.utils.files import atomic_path, write_text

DATA, IMAGES, LABELS = 'data.yaml', 'images', 'labels'
DIGITS = 7  # of a share; a photo has up to 2**20 pixels a side
SPLITS = ('train', 'val', 'test')


@dataclass
class Losses:
    """IoU lost by polygons: of how many masks, in sum, at worst and where that is."""

    masks: int = 0
    total: float = 0.0
    worst: float = 0.0
    where: str = ''

    def add(self, lost: float, where: str) -> None:
        """Count one mask."""
        self.masks += 1
        self.total += lost
        if lost > self.worst:
            self.worst, self.where = lost, where

    def summary(self) -> str:
        """Say in one line what is lost."""
        mean = self.total / max(self.masks, 1)
        place = f' ({self.where})' if self.where else ''
        return f'IoU lost by polygons: {mean:.6f} on average, {self.worst:.4f} at worst{place}'


def write_yolo(folder: Path, records: Iterable[Record], split: str = 'train') -> Losses:
    """Write data.yaml, last, and labels/SPLIT/*.txt, an empty one for a photo without objects; images are not touched.

    Returns:
        What the polygons lose.

    Raises:
        ValueError: a folder that has a data.yaml, or two photos whose names differ in the suffix only.
    """
    folder = Path(folder)
    if (folder / DATA).exists():
        raise ValueError(f'{folder / DATA}: is there already; delete it or choose another folder')
    losses, seen = Losses(), {}
    for record in records:
        name = file_name(record.image_id)
        text = folder / LABELS / split / Path(name).with_suffix('.txt')
        if text in seen:
            raise ValueError(f'{name}: YOLO cannot tell it from {seen[text]}; both have the labels {text.name}')
        seen[text] = name
        with atomic_path(text) as temporary:  # not synchronized to disk: data.yaml, which is, comes last
            lines = (_format_line(record, number, losses) for number in range(len(record.instances)))
            temporary.write_text(''.join(lines))
    names = '\n'.join(f'  {category}: {_quote(name)}' for category, name in enumerate(CATEGORIES))
    images = f'{IMAGES}/{split}'
    write_text(folder / DATA, f'train: {images}\nval: {images}  # nothing is held out here\nnames:\n{names}\n')
    return losses


def _quote(text: str) -> str:
    return yaml.safe_dump(text, default_style='"', width=1000).strip()


def _format_line(record: Record, number: int, losses: Losses) -> str:
    instance = record.instances[number]
    x1, y1, x2, y2 = instance.bbox
    runs = crop(coco_to_runs(instance.mask), (record.height, record.width), instance.bbox)
    mask = runs_to_mask(runs, y2 - y1, x2 - x1)
    polygon = mask_to_polygon(mask)
    drawn = polygon_to_mask(polygon, *mask.shape)
    losses.add(1 - (mask & drawn).sum() / (mask | drawn).sum(), f'{record.image_id}, object {number + 1}')
    shares = (polygon + [x1, y1] + 0.5) / [record.width, record.height]
    return f'{instance.category} ' + ' '.join(f'{share:.{DIGITS}f}' for share in shares.ravel()) + '\n'


def read_yolo(data: Path, intake: Intake) -> Iterator[Labelled]:
    """Yield the polygons of a data set in the order of its photos' names, drawn as the trainer draws them.

    Photos must be there, for their sizes. ImageIds are paths within the folder of a split.

    Args:
        data: data.yaml.
        intake: map of names; boxes are counted as left out.

    Raises:
        ValueError: a damaged data.yaml or line, or a photo that cannot be read; names file and line. OSError.
    """
    names, folders = _read_data(data)
    seen: set[str] = set()
    for folder in folders:
        for path in sorted(one for one in folder.rglob('*') if one.suffix.lower() in SUFFIXES):
            image_id = path.relative_to(folder).as_posix()
            text = _labels_of(path)
            if not text.is_file():
                continue
            if image_id in seen:
                raise ValueError(f'{path}: a photo of that name is in two splits; rename one')
            seen.add(image_id)
            photo = check_photo(str(path), image_id, *_read_size(path))
            for number, line in enumerate(text.read_text(encoding='utf-8').splitlines(), 1):
                labelled = _read_line(f'{text}:{number}', line, photo, names, intake) if line.strip() else None
                if labelled is not None:
                    yield labelled


def _read_data(path: Path) -> tuple[dict[int, str], list[Path]]:
    """Read the names of the classes and the folders of the splits' photos."""
    try:
        found = yaml.safe_load(path.read_text(encoding='utf-8'))
        root = path.parent / (found.get('path') or '')
        names = found['names']
        names = dict(enumerate(names)) if isinstance(names, list) else names
        folders = [root / found[split] for split in SPLITS if found.get(split)]
        if not all(isinstance(key, int) and isinstance(name, str) for key, name in names.items()):
            raise TypeError('names')
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f'{path}: names and folders of photos (train, val) are wanted: {error}') from None
    folders = list(dict.fromkeys(folders))
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing or not folders:
        raise ValueError(f'{path}: no folder {missing[0] if missing else "of photos"}')
    return names, folders


def _read_size(path: Path) -> tuple[int, int]:
    try:
        return read_size(path)
    except EOFError as error:  # no OSError: it would pass for a defect
        raise ValueError(str(error)) from None


def _labels_of(path: Path) -> Path:
    """Return the labels of a photo: the last `images` of its path becomes `labels`, as Ultralytics does."""
    parts = list(path.with_suffix('.txt').parts)
    places = [place for place, part in enumerate(parts) if part == IMAGES]
    if places:
        parts[places[-1]] = LABELS
    return Path(*parts)


def _read_line(where: str, line: str, photo: Photo, names: dict[int, str], intake: Intake) -> Labelled | None:
    words = line.split()
    try:
        shares = np.array(words[1:], float)
        number = int(words[0])
    except ValueError:
        raise ValueError(f'{where}: class and numbers are wanted: {line!r:.60}') from None
    if number not in names:
        raise ValueError(f'{where}: no class {number} in names')
    name = names[number]
    if shares.size == 4:
        intake.skip('box without a mask', name)
        return None
    if shares.size < 6 or shares.size % 2 or not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError(f'{where}: x y x y ... between 0 and 1, three points at least, are wanted: {line!r:.60}')
    category = intake.category(name)
    if category is None:
        return None
    points = np.floor(shares.reshape(-1, 2) * [photo.width, photo.height] + 1e-6)
    points = np.minimum(points, [photo.width - 1, photo.height - 1]).astype(np.int64)
    left, top = points.min(axis=0)
    right, bottom = points.max(axis=0) + 1
    drawn = polygon_to_mask(points - [left, top], bottom - top, right - left)
    runs = place(mask_to_runs(drawn), drawn.shape, (photo.height, photo.width), int(top), int(left))
    return intake.take(photo, name, category, (), runs)
