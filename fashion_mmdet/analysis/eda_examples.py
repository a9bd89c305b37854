"""Example photos: drawn while the rows pass by, one panel an object."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure

from fashion_mmdet.analysis.eda_plots import FAINT, WIDTH_IN, rgb
from fashion_mmdet.classes import PALETTE, short_name
from fashion_mmdet.datasets.decoding import load_photo
from fashion_mmdet.datasets.images import find_problem
from fashion_mmdet.datasets.records import Record, Row
from fashion_mmdet.evaluation.submission import SIZE
from fashion_mmdet.masks import rle

MAX_PANELS = 18  # the photo and the largest objects; a page of more is no longer read
FADE = 0.8  # share of white in what is not the object
OUTLINE_PX = 5  # of which the outer two show


class ExampleDraw:
    """Draws images evenly at random in one pass and keeps the masks of these alone.

    Every image gets a random number at its first row; the `limit` smallest numbers are in. Who is out stays out, so no
    row is missed, wherever it stands.
    """

    def __init__(self, limit: int, seed: int) -> None:
        self._limit = limit
        self._rng = np.random.default_rng(seed)
        self._seen: set[str] = set()
        self._drawn: dict[str, tuple[float, Record, list[Row]]] = {}

    def offer(self, record: Record, row: Row) -> None:
        """Take notice of a row."""
        if record.image_id not in self._seen:
            self._seen.add(record.image_id)
            self._drawn[record.image_id] = float(self._rng.random()), record, []
            if len(self._drawn) > self._limit:
                del self._drawn[max(self._drawn, key=lambda image_id: self._drawn[image_id][0])]
        if record.image_id in self._drawn:
            self._drawn[record.image_id][2].append(row)

    def drawn(self) -> list[tuple[Record, list[Row]]]:
        """List the drawn images with their rows, in the order of the draw."""
        return [(record, rows) for _, record, rows in sorted(self._drawn.values(), key=lambda entry: entry[0])]


def read_photo(path: Path, height: int, width: int) -> np.ndarray:
    """Read a photo at the size at which masks are scored, squashed as they are.

    Returns:
        (512, 512, 3) uint8, RGB.

    Raises:
        ValueError: missing, unreadable, cut off, or of another size than the CSV says; names file and problem.
    """
    problem = find_problem(path, height, width)
    if problem:
        raise ValueError(f'{problem[0]}: {problem[1]}')
    return cv2.cvtColor(cv2.resize(load_photo(path), SIZE[::-1], interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)


def isolate(photo: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Fade all but an object and draw a line around it, outside, so that the smallest object still shows.

    Args:
        photo: (H, W, 3) uint8, RGB.
        mask: (H, W) bool.
        colour: of the outline, RGB, 0 to 255.

    Returns:
        (H, W, 3) uint8.
    """
    grey = photo.mean(axis=2, keepdims=True)
    panel = np.repeat((255 * FADE + grey * (1 - FADE)).astype(np.uint8), 3, axis=2)
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(panel, outlines, -1, colour, OUTLINE_PX, cv2.LINE_AA)
    panel[mask] = photo[mask]
    return panel


def plot_example(photo: np.ndarray, record: Record, rows: Sequence[Row]) -> Figure:
    """Draw a photo and beside it one panel an object, the largest first.

    Args:
        photo: (512, 512, 3) uint8, RGB.
        record: the image, for the size of its masks.
        rows: its objects.
    """
    shown = sorted(rows, key=lambda row: -rle.area(row.runs))[: MAX_PANELS - 1]
    panels = [(photo, f'photo, {len(rows)} object{"s"[: len(rows) > 1]}', FAINT)]
    for row in shown:
        mask = rle.runs_to_mask(rle.resize(row.runs, (record.height, record.width), SIZE), *SIZE)
        share = rle.area(row.runs) / (record.height * record.width)
        panels.append(
            (
                isolate(photo, mask, PALETTE[row.category]),
                f'{short_name(row.category)}  {100 * share:.2g} %',
                rgb(row.category),
            )
        )
    columns = pick_columns(len(panels))
    lines = -(-len(panels) // columns)
    side_in = WIDTH_IN / max(columns, 4)
    figure = Figure(figsize=(side_in * columns, (side_in + 0.15) * lines), layout='constrained')
    for axes in figure.subplots(lines, columns, squeeze=False).flat:
        axes.set_axis_off()
    for axes, (panel, title, colour) in zip(figure.axes, panels, strict=False):  # the last line may have gaps
        axes.imshow(panel)
        axes.set_axis_on()
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color=colour)
        axes.set_title(title, fontsize=9, pad=4)
    return figure


def pick_columns(panels: int) -> int:
    """Choose 4 to 6 columns (fewer for fewer panels) that leave the fewest gaps, of these the fewest columns."""
    return panels if panels < 4 else min((4, 5, 6), key=lambda columns: (-panels % columns, columns))
