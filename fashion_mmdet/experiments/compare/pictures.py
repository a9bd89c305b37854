"""The worst pictures of a run for its page: true and predicted, small."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import cv2
from PIL import Image

from fashion_mmdet.datasets.decoding import load_photo
from fashion_mmdet.datasets.images import photo_path
from fashion_mmdet.datasets.index_store import open_index
from fashion_mmdet.evaluation.dump import read_dump
from fashion_mmdet.evaluation.offline import truth_from_record
from fashion_mmdet.evaluation.overlay import GAP_PX, TITLE_PX, side_by_side
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from fashion_mmdet.experiments.compare.comparison import Row
from fashion_mmdet.experiments.compare.notes import short_name
from fashion_mmdet.utils.progress import track

WIDTH_PX = 800
JPEG_QUALITY = 68  # some 60 KB a picture


@dataclass(frozen=True)
class Picture:
    """One image, true and predicted side by side.

    Attributes:
        image_id: as in the CSV.
        score, score_50: of the image.
        categories: true or predicted in it, ascending.
        text: what is to be seen, for who cannot see it.
        uri: the JPEG as a data URI.
        size: width and height in pixels.
    """

    image_id: str
    score: float
    score_50: float
    categories: tuple[int, ...]
    text: str
    uri: str
    size: tuple[int, int]


def draw_worst(row: Row, count: int) -> tuple[list[Picture], str]:
    """Draw the images with the lowest scores, the worst first; of equals, by name.

    Returns:
        The pictures, and why there are fewer than asked for ('' where there are not).
    """
    if row.scores is None:
        return [], 'no dump of raw predictions that could be scored'
    if not row.run.truth.is_file():
        return [], f'{row.run.truth} is missing'
    ranked = sorted(row.scores.images, key=lambda image: (row.scores.images[image][0], image))
    there = [image for image in ranked if photo_path(row.run.photos, image).is_file()]
    wanted = there[:count]
    pictures = _draw(row, wanted) if wanted else {}
    lost = len(ranked) - len(there)
    reason = f'{lost} of {len(ranked)} photos are not in {row.run.photos}' if lost else ''
    return [pictures[image] for image in wanted if image in pictures], reason


def _draw(row: Row, wanted: list[str]) -> dict[str, Picture]:
    """Go through the dump once and draw what is wanted."""
    options = Postprocess.from_config(row.run.options)
    index = open_index(row.run.truth)
    pictures = {}
    for raw in track(read_dump(row.run.dump), f'pictures of {row.run.name}', total=len(row.scores.images)):
        if raw.image_id in wanted:
            photo = read_photo(photo_path(row.run.photos, raw.image_id))
            truth, prediction = truth_from_record(index.find(raw.image_id)), postprocess(raw, options)
            score, score_50 = row.scores.images[raw.image_id]
            sheet = side_by_side(photo, prediction, truth)
            # The page has its own captions: cut the sheet's margins and title off.
            uri, size = to_data_uri(sheet.crop((GAP_PX, TITLE_PX, sheet.width - GAP_PX, sheet.height - GAP_PX)))
            pictures[raw.image_id] = Picture(
                raw.image_id,
                score,
                score_50,
                tuple(sorted({*truth.categories.tolist(), *prediction.categories.tolist()})),
                describe(raw.image_id, score, truth, prediction),
                uri,
                size,
            )
    return pictures


def read_photo(path: Path) -> cv2.typing.MatLike:
    """Read a photo; (H, W, 3) uint8, RGB. ValueError or OSError names one that cannot be read."""
    return cv2.cvtColor(load_photo(path), cv2.COLOR_BGR2RGB)


def describe(image_id: str, score: float | None, truth: Truth | None, prediction: Prediction) -> str:
    """Say what a picture shows; without a truth, what is predicted."""
    predicted = ', '.join(map(short_name, prediction.categories.tolist())) or 'nothing'
    if truth is None:
        return f'{image_id}. Predicted: {predicted}.'
    true = ', '.join(map(short_name, truth.categories.tolist())) or 'nothing'
    return f'{image_id}, score {score:.3f}. True: {true}. Predicted: {predicted}.'


def to_data_uri(picture: Image.Image) -> tuple[str, tuple[int, int]]:
    """Shrink a picture to the page's width and write it as a JPEG data URI; returns it with width and height."""
    size = (min(WIDTH_PX, picture.width), round(picture.height * min(1.0, WIDTH_PX / picture.width)))
    buffer = io.BytesIO()
    picture.resize(size, Image.Resampling.LANCZOS).save(
        buffer, format='JPEG', quality=JPEG_QUALITY, optimize=True, progressive=True
    )
    return 'data:image/jpeg;base64,' + base64.b64encode(buffer.getvalue()).decode(), size
