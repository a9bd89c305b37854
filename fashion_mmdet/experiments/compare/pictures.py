"""The worst pictures of a run for its page: true and predicted, small."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import cv2
from PIL import Image

from fashion_mmdet.classes import short_name
from fashion_mmdet.datasets.decoding import load_photo
from fashion_mmdet.datasets.images import photo_path
from fashion_mmdet.evaluation.dump import read_dump
from fashion_mmdet.evaluation.overlay import PAPER, draw_pair
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from fashion_mmdet.evaluation.truths import Truths
from fashion_mmdet.experiments.compare.comparison import Row
from fashion_mmdet.utils.progress import track

WIDTH_PX, GAP_PX = 800, 12
JPEG_QUALITY = 68  # some 60 KB a picture


@dataclass(frozen=True)
class Picture:
    """One image, true and predicted side by side.

    Attributes:
        image_id: file name, as in the CSV.
        score, score_50: the image's own.
        categories: ids that are true or predicted in it, ascending.
        text: description for screen readers.
        uri: the JPEG as a data URI.
        size: width and height in pixels.
    """

    image_id: str
    score: float
    score_50: float
    categories: list[int]
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
    images = row.scores.images
    there = [image for image in images if photo_path(row.run.photos, image).is_file()]
    worst = sorted(there, key=lambda image: (images[image][0], image))[:count]
    pictures = _draw(row, worst) if worst else []
    lost = len(images) - len(there)
    reason = f'{lost} of {len(images)} photos are not in {row.run.photos}' if lost else ''
    return sorted(pictures, key=lambda picture: worst.index(picture.image_id)), reason


def _draw(row: Row, wanted: list[str]) -> list[Picture]:
    """Draw the wanted images in one pass over the dump."""
    options, truths, pictures = Postprocess.from_config(row.run.options), Truths(row.run.truth), []
    for raw in track(read_dump(row.run.dump), f'pictures of {row.name}', total=len(row.scores.images)):
        image = raw.image_id
        if image in wanted:
            photo = read_photo(photo_path(row.run.photos, image))
            truth, prediction = truths[image], postprocess(raw, options)
            scores, categories = row.scores.images[image], {*truth.categories.tolist(), *prediction.categories.tolist()}
            text = describe(image, scores[0], truth, prediction)
            uri = to_data_uri(join_panels(*draw_pair(photo, prediction, truth), GAP_PX))
            pictures.append(Picture(image, *scores, sorted(categories), text, *uri))
    return pictures


def read_photo(path: Path) -> cv2.typing.MatLike:
    """Read a photo; (H, W, 3) uint8, RGB. ValueError or OSError names one that cannot be read."""
    return cv2.cvtColor(load_photo(path), cv2.COLOR_BGR2RGB)


def join_panels(left: Image.Image, right: Image.Image, gap_px: int) -> Image.Image:
    """Put two panels of one height side by side."""
    sheet = Image.new('RGB', (left.width + gap_px + right.width, left.height), PAPER)
    sheet.paste(left, (0, 0))
    sheet.paste(right, (left.width + gap_px, 0))
    return sheet


def describe(image_id: str, score: float | None, truth: Truth | None, prediction: Prediction) -> str:
    """Say what a picture shows; without a truth, what is predicted."""
    predicted = ', '.join(map(short_name, prediction.categories.tolist())) or 'nothing'
    if truth is None:
        return f'{image_id}. Predicted: {predicted}.'
    true = ', '.join(map(short_name, truth.categories.tolist())) or 'nothing'
    return f'{image_id}, score {score:.3f}. True: {true}. Predicted: {predicted}.'


def to_data_uri(picture: Image.Image) -> tuple[str, tuple[int, int]]:
    """Shrink a picture to the page's width; return it as a JPEG data URI, and its width and height."""
    size = (min(WIDTH_PX, picture.width), round(picture.height * min(1.0, WIDTH_PX / picture.width)))
    small, buffer = picture.resize(size, Image.Resampling.LANCZOS), io.BytesIO()
    small.save(buffer, format='JPEG', quality=JPEG_QUALITY, optimize=True, progressive=True)
    return 'data:image/jpeg;base64,' + base64.b64encode(buffer.getvalue()).decode(), size
