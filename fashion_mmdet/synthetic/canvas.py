"""The canvas: paints layers back to front and keeps, for every pixel, which garment and which part is on top."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from fashion_mmdet.synthetic.figure import Figure
from fashion_mmdet.synthetic.shapes import limb
from fashion_mmdet.synthetic.textures import Colour, Texture

Label = tuple[int, int]  # ids on the canvas: the garment (or accessory) and the part that own a pixel; 0 is none
NOBODY: Label = (0, 0)  # skin, hair, background: hides what lies beneath


@dataclass(frozen=True)
class Object:
    """One labelled object.

    Attributes:
        category: id.
        attributes: ids, ascending.
        mask: (H, W) bool, True where it is visible.
        number: from 1 in the order in which the picture's objects were added, those that nothing shows of too.
    """

    category: int
    attributes: tuple[int, ...]
    mask: np.ndarray
    number: int


class Canvas:
    """An image and its label maps.

    A garment's mask holds its parts' pixels. Whatever is painted later takes the pixels from what lies beneath.
    """

    def __init__(self, image: np.ndarray, figure: Figure, rng: np.random.Generator):
        """Start from a background.

        Args:
            image: (H, W, 3) uint8 RGB; painted on in place.
            figure: gives the way from figure coordinates to pixels.
            rng: draws the folds of the cloth.
        """
        self.image, self.figure = image, figure
        self.owner = np.zeros(image.shape[:2], np.uint8)
        self.part = np.zeros(image.shape[:2], np.uint8)
        self.kinds: list[tuple[int, tuple[int, ...]]] = [(-1, ())]  # id 0 is nobody
        self._folds = self._draw_folds(rng)
        self._tiles: dict[int, tuple[Texture, np.ndarray]] = {}  # with the texture, so that its id stays its own

    def add(self, category: int, attributes: Iterable[int] = ()) -> int:
        """Register an object; returns its id on this canvas."""
        self.kinds.append((category, tuple(sorted(set(attributes)))))
        return len(self.kinds) - 1

    def paint(
        self,
        shapes: np.ndarray | list[np.ndarray],
        texture: Texture,
        label: Label | None = None,
        relief: float = 1.0,
        angle: float = 0.0,
        clip: np.ndarray | None = None,
    ) -> None:
        """Paint the union of outlines.

        Args:
            shapes: one outline (N, 2) or several, in figure coordinates.
            texture: its colour or pattern.
            label: who owns the pixels from now on; None leaves the labels as they are (a button, a seam).
            relief: how strongly edges darken and folds show; 0 is flat.
            angle: the pattern's turn in radians, so that stripes follow an arm.
            clip: paint only inside this outline (the relief stays that of the whole shape: no seam where it ends).
        """
        outlines = [self.figure.to_pixels(shape) for shape in (shapes if isinstance(shapes, list) else [shapes])]
        margin = max(2, round(0.02 * self.figure.scale_px)) if relief else 1
        window = self._window(outlines, margin)
        if window is None:
            return
        alpha = _cover(outlines, window)
        rows, columns = window
        colour = self._colour(texture, window, angle)
        if relief:
            colour = colour * self._shade(alpha, window, margin, relief)[..., None]
        if clip is not None:
            alpha = np.minimum(alpha, _cover([self.figure.to_pixels(clip)], window))
        patch = self.image[rows, columns]
        weight = (alpha.astype(np.float32) / 255)[..., None]
        patch[...] = np.clip(patch + (colour - patch) * weight + 0.5, 0, 255)
        if label is not None:
            solid = alpha > 127
            self.owner[rows, columns][solid], self.part[rows, columns][solid] = label

    def stroke(self, path: np.ndarray, half_width: float, colour: Colour, label: Label | None = None) -> None:
        """Paint a line of even width without relief."""
        self.paint(limb(path, half_width), Texture(colour), label, relief=0)

    def objects(self, min_area_px: int) -> Iterator[Object]:
        """Yield the objects of which at least `min_area_px` pixels are visible, in the order they were added."""
        areas = sum(np.bincount(ids.ravel(), minlength=len(self.kinds)) for ids in (self.owner, self.part))
        for index, (category, attributes) in enumerate(self.kinds):
            if index and areas[index] >= min_area_px:
                ids = self.part if (self.part == index).any() else self.owner
                yield Object(category, attributes, ids == index, index)

    def _window(self, outlines: list[np.ndarray], margin: int) -> tuple[slice, slice] | None:
        """Return the window that holds outlines and a margin, clipped to the image; None where it is empty."""
        points = np.concatenate(outlines)
        left, top = np.floor(points.min(axis=0)).astype(int) - margin
        right, bottom = np.ceil(points.max(axis=0)).astype(int) + margin + 1
        height, width = self.owner.shape
        rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
        return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None

    def _colour(self, texture: Texture, window: tuple[slice, slice], angle: float) -> np.ndarray:
        """Return a texture over a window; (h, w, 3), or (1, 1, 3) where it is plain, float32."""
        if texture.tile is None:
            return np.array(texture.colour, np.float32).reshape(1, 1, 3)
        if id(texture) not in self._tiles:
            side = int(np.clip(round(texture.period * self.figure.scale_px), 3, 1024))
            shrinks = side < len(texture.tile)
            tile = cv2.resize(texture.tile, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
            self._tiles[id(texture)] = (texture, tile)
        tile = self._tiles[id(texture)][1]
        rows, columns = window
        factor = len(tile) / (texture.period * self.figure.scale_px)
        cos, sin = factor * np.cos(angle), factor * np.sin(angle)
        offset = np.array([[cos, sin], [-sin, cos]]) @ (np.array([columns.start, rows.start]) - self.figure.anchor_px)
        matrix = np.array([[cos, sin, offset[0]], [-sin, cos, offset[1]]])
        size = (columns.stop - columns.start, rows.stop - rows.start)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(tile, matrix, size, flags=flags, borderMode=cv2.BORDER_WRAP).astype(np.float32)

    def _shade(self, alpha: np.ndarray, window: tuple[slice, slice], radius: int, relief: float) -> np.ndarray:
        """Shade a layer lit from the upper left: dark rims, folds; (h, w) float32 about 1."""
        soft = cv2.blur(alpha, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REPLICATE)
        shift = np.array([[1, 0, 0.6 * radius], [0, 1, 0.3 * radius]])
        lit = cv2.warpAffine(soft, shift, soft.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        shade = soft.astype(np.float32) * 0.0016 + lit * np.float32(0.0012)  # 0.7 inside, half at the rim
        shade += self._folds[window] * np.float32(0.0011)
        return 1 + relief * (shade - 0.79)

    def _draw_folds(self, rng: np.random.Generator) -> np.ndarray:
        """Draw soft vertical folds, (H, W) uint8: noise in cells of 0.03 by 0.12 of the figure's height."""
        height, width = self.owner.shape
        cells = np.ceil(np.array([height, width]) / self.figure.scale_px / (0.12, 0.03)).astype(int) + 2
        noise = rng.integers(0, 256, np.minimum(cells, 400), dtype=np.uint8)
        return cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)


def _cover(outlines: list[np.ndarray], window: tuple[slice, slice]) -> np.ndarray:
    """Rasterise the union of outlines in a window; (h, w) uint8, 255 is wholly covered, edges anti-aliased."""
    rows, columns = window
    alpha = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    for outline in outlines:
        points = np.round((outline - (columns.start, rows.start)) * 16).astype(np.int32)
        cv2.fillPoly(alpha, [points], 255, lineType=cv2.LINE_AA, shift=4)
    return alpha
