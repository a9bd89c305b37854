"""Overlays of masks on photos, true and predicted side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fashion_mmdet.classes import PALETTE, short_name
from fashion_mmdet.evaluation.error_types import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE, MatchResult
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from fashion_mmdet.masks import rle
from fashion_mmdet.utils.files import atomic_path

PANEL_HEIGHT_PX = 720
FILL_ALPHA = 0.45
GAP_PX = 12
TITLE_PX = 34
INK, PAPER = (28, 28, 30), (250, 250, 248)

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Look:
    """How an object is drawn.

    Attributes:
        colour: RGB of the fill and of the label's background.
        fill_alpha: opacity of the fill.
        dash: lengths of dash and gap along the outline in pixels; None for a solid line.
    """

    colour: tuple[int, int, int]
    fill_alpha: float = FILL_ALPHA
    dash: tuple[int, int] | None = None


# Distinguished by colour (blue, orange, magenta differ for the colour-blind too) and by line (solid, dashed, dotted).
ERROR_LOOKS = {
    TRUE_POSITIVE: Look((38, 132, 226), 0.34),
    FALSE_NEGATIVE: Look((245, 158, 20), 0.34, (14, 8)),
    FALSE_POSITIVE: Look((222, 40, 130), 0.34, (3, 6)),
}


@lru_cache(maxsize=8)
def _font(size_px: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    from matplotlib import get_data_path

    name = 'DejaVuSans-Bold.ttf' if bold else 'DejaVuSans.ttf'
    return ImageFont.truetype(str(Path(get_data_path()) / 'fonts' / 'ttf' / name), size_px)


def draw_objects(
    photo: np.ndarray,
    categories: Sequence[int],
    masks: Sequence[dict],
    notes: Sequence[str] | None = None,
    looks: Sequence[Look] | None = None,
    height_px: int = PANEL_HEIGHT_PX,
) -> Image.Image:
    """Draw masks, their outlines and names on a photo scaled to the panel's height; lines and letters grow with it.

    Args:
        photo: (H, W, 3) uint8, RGB.
        categories: N category ids.
        masks: N COCO RLE dicts of one size; they are scaled to the panel.
        notes: N texts to print after the names; None for none.
        looks: N ways to draw; None for the categories' colours.
        height_px: height of the panel.
    """
    looks = [Look(PALETTE[category]) for category in categories] if looks is None else looks
    size = height_px, max(1, round(photo.shape[1] * height_px / photo.shape[0]))
    shrinks, scale = photo.shape[0] > height_px, height_px / PANEL_HEIGHT_PX
    canvas = cv2.resize(photo, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    runs = [rle.resize(rle.coco_to_runs(mask), tuple(mask['size']), size) for mask in masks]
    bitmaps = [rle.runs_to_mask(run, *size) for run in runs]
    # Large masks first, so that a pocket shows on its coat.
    for index in sorted(range(len(masks)), key=lambda index: -rle.area(runs[index])):
        look, inside = looks[index], bitmaps[index]
        fill = np.array(look.colour) * look.fill_alpha
        canvas[inside] = (canvas[inside] * (1 - look.fill_alpha) + fill).astype(np.uint8)
        _draw_outline(canvas, inside, look, max(1, round(2 * scale)))
    panel = Image.fromarray(canvas)
    names = [short_name(category) for category in categories]
    if notes is not None:
        names = [f'{name} {note}' for name, note in zip(names, notes, strict=True)]
    _draw_names(panel, names, [look.colour for look in looks], bitmaps, scale)
    return panel


def _draw_outline(canvas: np.ndarray, inside: np.ndarray, look: Look, thickness: int) -> None:
    outlines, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    dark = tuple(int(value * 0.6) for value in look.colour)
    if look.dash is None:
        cv2.drawContours(canvas, outlines, -1, dark, thickness, cv2.LINE_AA)
        return
    ink, gap = look.dash
    for outline in outlines:  # (points, 1, 2), a point a pixel
        strokes = [outline[start : start + ink] for start in range(0, len(outline), ink + gap)]
        cv2.polylines(canvas, strokes, False, dark, thickness, cv2.LINE_AA)


def _draw_names(
    panel: Image.Image,
    names: Sequence[str],
    colours: Sequence[tuple[int, int, int]],
    bitmaps: Sequence[np.ndarray],
    scale: float,
) -> None:
    """Draw each name on its mask, or beside it where the mask is small, so that no two cover each other."""
    pen, font = ImageDraw.Draw(panel), _font(round(15 * scale))
    height, margin = 20 * scale, 4 * scale
    taken: list[Box] = []
    for index in sorted(range(len(names)), key=lambda index: _innermost_point(bitmaps[index])[1]):
        if not bitmaps[index].any():
            continue
        size = pen.textlength(names[index], font=font) + 2 * margin, height
        left, top = _place_name(bitmaps[index], size, panel.size, taken)
        taken.append((left, top, left + size[0], top + height))
        pen.rounded_rectangle(taken[-1], radius=margin, fill=tuple(int(value * 0.55) for value in colours[index]))
        pen.text((left + margin, top + height / 2), names[index], fill=(255, 255, 255), font=font, anchor='lm')


def _place_name(
    bitmap: np.ndarray, size: tuple[float, float], panel: tuple[int, int], taken: Sequence[Box]
) -> tuple[float, float]:
    """Find the left upper corner for a name of `size` (w, h) that overlaps none of `taken`.

    A mask in which the name would cover more than it shows gets it below, above or beside; where all of that is taken,
    or outside of the panel, the name goes onto the mask and from there down.
    """
    (width, height), (x, y) = size, _innermost_point(bitmap)
    rows, columns = (np.flatnonzero(bitmap.any(axis=axis)) for axis in (1, 0))
    inner = x - width / 2, y - height / 2
    places = [inner]
    if np.count_nonzero(bitmap) < 3 * width * height:
        middle = (columns[0] + columns[-1] + 1 - width) / 2
        places = [
            (middle, rows[-1] + 4),
            (middle, rows[0] - height - 3),
            (columns[-1] + 4, inner[1]),
            (columns[0] - width - 3, inner[1]),
        ]
    for left, top in places:
        box = left, top, left + width, top + height
        if min(box) >= 0 and box[2] < panel[0] and box[3] < panel[1] and not any(_overlap(box, one) for one in taken):
            return left, top
    left = min(max(inner[0], 1), max(panel[0] - width - 1, 1))
    lowest = panel[1] - height - 2
    top = min(max(inner[1], 1), lowest)
    while top < lowest and any(_overlap((left, top, left + width, top + height), one) for one in taken):
        top += 2
    return left, top


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and one[2] > other[0] and one[1] < other[3] and one[3] > other[1]


def _innermost_point(bitmap: np.ndarray) -> tuple[float, float]:
    """Return the point (x, y) of a mask that lies farthest from its edge."""
    if not bitmap.any():
        return 0.0, 0.0
    distance = cv2.distanceTransform(np.pad(bitmap.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(int(distance.argmax()), distance.shape)
    return float(x), float(y)


def draw_pair(
    photo: np.ndarray, prediction: Prediction, truth: Truth | None = None, matches: MatchResult | None = None
) -> tuple[Image.Image, Image.Image]:
    """Draw the truth (or, without one, the photo) and the prediction as panels of the same size.

    Args:
        photo: (H, W, 3) uint8, RGB.
        prediction: masks of any size.
        truth: masks of any size; None for a test photo.
        matches: error types to draw by; None draws the categories' colours.
    """
    scores, true_looks, looks = [f'{score:.2f}' for score in prediction.scores], None, None
    if matches is not None:
        true_looks = [ERROR_LOOKS[error_type] for error_type in matches.true]
        looks = [ERROR_LOOKS[error_type] for error_type in matches.predicted]
        scores = [
            f'{score}, IoU {iou:.2f}' if error_type == TRUE_POSITIVE else score
            for score, error_type, iou in zip(scores, matches.predicted, matches.ious, strict=True)
        ]
    true = ([], []) if truth is None else (truth.categories.tolist(), truth.masks)
    return draw_objects(photo, *true, looks=true_looks), draw_objects(
        photo, prediction.categories.tolist(), prediction.masks, scores, looks
    )


def side_by_side(
    photo: np.ndarray, prediction: Prediction, truth: Truth | None = None, score: float | None = None
) -> Image.Image:
    """Draw the panels of `draw_pair` on one sheet, with titles and, where given, the image's score."""
    left, right = draw_pair(photo, prediction, truth)
    sheet = Image.new('RGB', (left.width + right.width + 3 * GAP_PX, left.height + TITLE_PX + GAP_PX), PAPER)
    sheet.paste(left, (GAP_PX, TITLE_PX))
    sheet.paste(right, (left.width + 2 * GAP_PX, TITLE_PX))
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP_PX, TITLE_PX / 2), 'photo' if truth is None else 'true', INK, _font(16, True), anchor='lm')
    title = 'predicted' if score is None else f'predicted   score {score:.3f}'
    pen.text((left.width + 2 * GAP_PX, TITLE_PX / 2), title, INK, _font(16, True), anchor='lm')
    return sheet


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a PNG, or a JPEG where the path ends in .jpg, whole or not at all."""
    with atomic_path(path) as temporary:
        if path.suffix == '.jpg':
            picture.save(temporary, format='JPEG', quality=82, optimize=True, progressive=True)
        else:
            picture.save(temporary, format='PNG', compress_level=6)
