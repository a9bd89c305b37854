"""Predict many photos, a few of them in memory at a time, and write what was found."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from fashion_mmdet.classes import CATEGORIES, short_name
from fashion_mmdet.evaluation.overlay import save_picture
from fashion_mmdet.evaluation.postprocess import postprocess
from fashion_mmdet.evaluation.predictions import RawPrediction
from fashion_mmdet.evaluation.submission import SIZE, write_submission
from fashion_mmdet.inference.listing import name_photos, picture_stems
from fashion_mmdet.inference.photos import to_rgb
from fashion_mmdet.inference.result import Result, make_result
from fashion_mmdet.utils.cli import describe
from fashion_mmdet.utils.files import atomic_path, check_outputs

if TYPE_CHECKING:
    from fashion_mmdet.inference.model import Model

AT_ONCE = 8
NAMES = dict(json='predictions.json', coco='predictions.coco.json', csv='submission.csv')  # by format


class Found(NamedTuple):
    """What was found in one photo: before and after postprocessing, the latter with the photo's pixels."""

    raw: RawPrediction
    result: Result


@dataclass
class Job:
    """Photos to predict, and where to; read `failed` and `stopped` when `run` has ended.

    Attributes:
        model: what predicts.
        paths: photos; see `listing.name_photos` for the names that they get.
        out: folder for NAME.jpg, an overlay of each photo, and cutouts/NAME/01_jacket.png.
        tta: predict several views of each photo.
        cutouts: cut the garments out.
        failed: why, by path, for the photos that could not be read.
        stopped: whether Ctrl-C ended it before the last photo.
    """

    model: 'Model'
    paths: Sequence[Path]
    out: Path
    tta: bool = False
    cutouts: bool = False
    failed: dict[str, str] = field(default_factory=dict)
    stopped: bool = False

    def __post_init__(self) -> None:
        self.names = name_photos(self.paths)
        self.stems = dict(zip(self.names, picture_stems(self.names), strict=True))
        files = [self.out / name for name in NAMES.values()]
        check_outputs([*(self.out / f'{stem}.jpg' for stem in self.stems.values()), *files], self.paths)

    def run(self) -> Iterator[Found]:
        """Predict photo after photo and write its pictures; one that cannot be read is noted in `failed`.

        Raises:
            OSError: a picture cannot be written.
        """
        todo = iter(zip(self.names, self.paths, strict=True))
        try:
            while some := list(islice(todo, AT_ONCE)):
                for found in self._predict(some):
                    self._save_pictures(found.result)
                    yield found
        except KeyboardInterrupt:
            self.stopped = True

    def _predict(self, some: Sequence[tuple[str, Path]]) -> Iterator[Found]:
        try:
            raws = self.model.raw([path for _, path in some], tta=self.tta)
        except (OSError, ValueError) as error:
            if len(some) == 1:
                self.failed[str(some[0][1])] = describe(error)
            else:  # which of them is it?
                for one in some:
                    yield from self._predict([one])
            return
        for (name, path), raw in zip(some, raws, strict=True):
            try:
                photo = to_rgb(path)
            except (OSError, ValueError) as error:  # broken in a part that a smaller scale does not need
                self.failed[str(path)] = describe(error)
                continue
            raw = replace(raw, image_id=name)
            yield Found(raw, make_result(postprocess(raw, self.model.postprocess), photo))

    def _save_pictures(self, result: Result) -> None:
        stem = self.stems[result.image_id]
        save_picture(Image.fromarray(result.draw()), self.out / f'{stem}.jpg')
        folder = self.out / 'cutouts' / stem
        for older in folder.glob('[0-9][0-9]_*.png'):
            older.unlink()
        for index, garment in enumerate(result.garments if self.cutouts else ()):
            name = f'{index + 1:02d}_{short_name(garment.category_id).replace(" ", "-")}.png'
            save_picture(Image.fromarray(result.cutout(index)), folder / name)


def write_json(job: Job, path: Path, found: Iterable[Found]) -> None:
    """Write {photos: [`Result.to_json`, ...], model, failed}, as they come."""
    photos = (one.result.to_json() for one in found)
    model = dict(name=job.model.name, fingerprint=job.model.fingerprint)
    _write_object(path, 'photos', photos, lambda: dict(model=model, failed=job.failed))


def write_coco(job: Job, path: Path, found: Iterable[Found]) -> None:
    """Write COCO's annotations with scores; images and annotations are numbered from 1, category ids are ours."""
    images: list[dict[str, Any]] = []

    def annotations() -> Iterator[dict[str, Any]]:
        count = 0
        for number, one in enumerate(found, 1):
            result = one.result
            images.append(dict(id=number, file_name=result.image_id, height=result.height, width=result.width))
            yield from result.to_coco(number, count + 1)
            count += len(result.garments)

    info = dict(description=f'predictions of {job.model.name}', model=job.model.fingerprint)
    categories = [dict(id=category, name=CATEGORIES[category]) for category in job.model.categories]
    _write_object(path, 'annotations', annotations(), lambda: dict(images=images, categories=categories, info=info))


def write_csv(job: Job, path: Path, found: Iterable[Found]) -> None:
    """Write the competition's submission: masks at 512x512; a photo that could not be read has a row without runs."""
    options = job.model.postprocess
    if options.overlap == 'none':
        raise ValueError("overlap='none': the competition refuses masks of a ClassId that overlap")
    write_submission(path, (postprocess(one.raw, options, SIZE) for one in found), job.names)


WRITERS = dict(json=write_json, coco=write_coco, csv=write_csv)


def _write_object(path: Path, name: str, items: Iterable[Any], rest: Callable[[], dict[str, Any]]) -> None:
    """Write a JSON object whose first value is a list of any length; the others are asked for when it has ended."""
    with atomic_path(path) as temporary, open(temporary, 'w', encoding='utf-8') as file:
        file.write(f'{{{json.dumps(name)}: [')
        for index, item in enumerate(items):
            file.write(f'{"," * (index > 0)}\n{json.dumps(item)}')
        file.write('\n]')
        for other, value in rest().items():
            file.write(f',\n{json.dumps(other)}: {json.dumps(value)}')
        file.write('}\n')
