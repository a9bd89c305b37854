"""Cloth: colours and pattern tiles that repeat without a seam."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np

Colour = tuple[int, int, int]
TILE = 96  # side of a tile before it is scaled to the picture, pixels

COLOURS: dict[str, Colour] = {
    'ink': (44, 46, 58), 'chalk': (242, 238, 228), 'navy': (46, 62, 110), 'camel': (198, 154, 104),
    'olive': (118, 124, 74), 'burgundy': (130, 40, 60), 'mustard': (222, 174, 62), 'blush': (236, 180, 178),
    'denim': (86, 120, 168), 'stone': (176, 170, 160), 'forest': (48, 98, 78), 'rust': (190, 92, 54),
    'teal': (44, 138, 142), 'lilac': (176, 154, 206), 'red': (204, 54, 56), 'sky': (150, 196, 226),
    'slate': (96, 106, 122), 'sand': (226, 206, 170), 'mint': (166, 212, 186), 'coral': (240, 128, 106),
}  # fmt: skip


@dataclass(frozen=True)
class Texture:
    """A colour, or a tile that repeats.

    Attributes:
        colour: RGB, 0 to 255; the ground colour where there is a tile.
        tile: (96, 96, 3) uint8 RGB, or None for plain cloth.
        period: the side of the tile on the figure, in figure heights.
    """

    colour: Colour
    tile: np.ndarray | None = None
    period: float = 0.05


def tone(colour: Colour, factor: float) -> Colour:
    """Darken (factor below 1) or lighten (above 1, towards white) a colour."""
    if factor <= 1:
        return tuple(int(channel * factor) for channel in colour)
    return tuple(int(channel + (255 - channel) * min(factor - 1, 1)) for channel in colour)


def trim(colour: Colour, factor: float) -> Colour:
    """Shade a colour for trimmings so that they show: dark cloth gets lighter ones."""
    return tone(colour, 2 - factor if np.mean(colour) < 85 and factor < 1 else factor)


def contrast(colour: Colour, rng: np.random.Generator) -> Colour:
    """Choose a second colour that is far from the first in lightness."""
    bright = np.dot(colour, (0.3, 0.6, 0.1)) > 130
    dark, light = ('ink', 'navy', 'burgundy', 'forest', 'rust', 'red'), ('chalk', 'sand', 'blush', 'sky', 'mustard')
    names = dark if bright else light
    return COLOURS[names[rng.integers(len(names))]]


def distinct_colour(used: list[Colour], rng: np.random.Generator, tries: int = 6) -> Colour:
    """Draw a few colours, keep the one farthest from those in use, and note it as used."""
    palette = np.array(list(COLOURS.values()), float)
    picks = palette[rng.integers(len(palette), size=tries)]
    if used:
        gaps = np.linalg.norm(picks[:, None] - np.array(used, float)[None], axis=2).min(axis=1)  # (tries,)
        picks = picks[np.argsort(-gaps, kind='stable')]
    colour = tuple(int(channel) for channel in picks[0])
    used.append(colour)
    return colour


def _blank(colour: Colour) -> np.ndarray:
    return np.full((TILE, TILE, 3), colour, np.uint8)


def _wrapped_circle(tile: np.ndarray, x: float, y: float, radius: float, colour: Colour) -> None:
    """Draw a disc that goes on at the opposite edges."""
    for dx, dy in product((-TILE, 0, TILE), repeat=2):
        cv2.circle(tile, (round(x + dx), round(y + dy)), round(radius), colour, -1, cv2.LINE_AA)


def _stripe(ground: Colour, accent: Colour, rng: np.random.Generator) -> np.ndarray:
    tile = _blank(ground)
    width = int(rng.integers(24, 48))
    (tile if rng.uniform() < 0.65 else tile.swapaxes(0, 1))[:width] = accent
    return tile


def _check(ground: Colour, accent: Colour, rng: np.random.Generator) -> np.ndarray:
    grid = np.zeros((TILE, TILE), np.float32)
    width = int(rng.integers(34, 52))
    grid[:width] += 0.45
    grid[:, :width] += 0.45
    line = width + (TILE - width) // 2
    grid[line - 3 : line + 4] += 0.25
    grid[:, line - 3 : line + 4] += 0.25
    mix = np.clip(grid, 0, 1)[..., None]
    return (np.array(ground) * (1 - mix) + np.array(accent) * mix).astype(np.uint8)


def _dot(ground: Colour, accent: Colour, rng: np.random.Generator) -> np.ndarray:
    tile = _blank(ground)
    radius = rng.uniform(14, 19)
    for x, y in ((24, 24), (72, 72)):
        _wrapped_circle(tile, x, y, radius, accent)
    return tile


def _floral(ground: Colour, accent: Colour, rng: np.random.Generator) -> np.ndarray:
    tile = _blank(ground)
    leaf, heart = COLOURS['forest'], COLOURS['mustard']
    for x, y, size in ((24, 26, 9.5), (72, 70, 10.5), (76, 20, 6), (22, 76, 6)):
        turn = rng.uniform(0, 2 * np.pi)
        _wrapped_circle(tile, x + 1.9 * size * np.cos(turn), y + 1.9 * size * np.sin(turn), 0.7 * size, leaf)
        for petal in turn + np.arange(5) * 2 * np.pi / 5:
            _wrapped_circle(tile, x + size * np.cos(petal), y + size * np.sin(petal), 0.72 * size, accent)
        _wrapped_circle(tile, x, y, 0.55 * size, heart)
    return tile


def _chevron(ground: Colour, accent: Colour, rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[:TILE, :TILE]
    zigzag = (y + np.abs(x - TILE // 2)) % (TILE // 2) < TILE // 4
    return np.where(zigzag[..., None], np.uint8(accent), np.uint8(ground))


def _argyle(ground: Colour, accent: Colour, rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[:TILE, :TILE]
    diamond = np.abs(x - 48) / 48 + np.abs(y - 48) / 48 < 0.95
    lines = (np.abs((x - y) % TILE - 48) > 44) | (np.abs((x + y) % TILE - 48) > 44)
    tile = np.where(diamond[..., None], np.uint8(accent), np.uint8(ground))
    tile[lines] = COLOURS['chalk']
    return tile


def _letters(ground: Colour, accent: Colour, rng: np.random.Generator) -> np.ndarray:
    tile = _blank(ground)
    word = ('ABC', '123', 'NYC', 'H27', 'MOD')[rng.integers(5)]
    cv2.putText(tile, word, (6, 64), cv2.FONT_HERSHEY_DUPLEX, 1.35, accent, 5, cv2.LINE_AA)
    return tile


def _leopard(ground: Colour, accent: Colour, rng: np.random.Generator) -> np.ndarray:
    tile = _blank((214, 168, 104))
    for row, column in product(range(3), repeat=2):
        x, y = 32 * column + 16 * (row % 2) + rng.uniform(-4, 4), 32 * row + 16 + rng.uniform(-4, 4)
        _wrapped_circle(tile, x, y, rng.uniform(9, 12), (52, 34, 26))
        _wrapped_circle(tile, x + 2, y + 1, rng.uniform(4.5, 6), (168, 112, 58))
    return tile


def _fair_isle(ground: Colour, accent: Colour, rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[:TILE, :TILE] // 6  # stitches of 6 pixels, 16 x 16
    diamonds = (np.abs(x % 8 - 4) + np.abs(y % 16 - 4) < 4) & (np.abs(x % 8 - 4) + np.abs(y % 16 - 4) != 1)
    bands = (y % 16 == 10) | ((y % 16 == 12) & (x % 2 == 0)) | (y % 16 == 14)
    return np.where((diamonds | bands)[..., None], np.uint8(accent), np.uint8(ground))


def _rib(ground: Colour, accent: Colour, rng: np.random.Generator) -> np.ndarray:
    wave = 0.9 + 0.13 * np.cos(np.linspace(0, 4 * np.pi, TILE, endpoint=False))
    rows = 1 + 0.05 * np.cos(np.linspace(0, 8 * np.pi, TILE, endpoint=False))
    return np.clip(np.array(ground) * (wave[None] * rows[:, None])[..., None], 0, 255).astype(np.uint8)


def _quilt(ground: Colour, accent: Colour, rng: np.random.Generator) -> np.ndarray:
    bulge = np.abs(np.sin(np.linspace(0, np.pi, TILE, endpoint=False))) ** 0.5
    rows = np.array(ground) * (0.62 + 0.46 * bulge)[:, None, None]
    return np.repeat(np.clip(rows, 0, 255), TILE, axis=1).astype(np.uint8)


def _twill(ground: Colour, accent: Colour, rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[:TILE, :TILE]
    grain = 0.95 + 0.07 * np.sign(np.sin((x + y) * 2 * np.pi / 12)) + rng.normal(0, 0.03, (TILE, TILE))
    return np.clip(np.array(ground) * grain[..., None], 0, 255).astype(np.uint8)


Painter = Callable[[Colour, Colour, np.random.Generator], np.ndarray]

# Pattern: attribute id (classes.ATTRIBUTES), period in figure heights, painter of the tile.
PATTERNS: dict[str, tuple[int, float, Painter | None]] = {
    'plain': (61, 0.05, None),
    'rib': (61, 0.036, _rib),
    'quilt': (61, 0.045, _quilt),
    'twill': (61, 0.040, _twill),
    'stripe': (72, 0.045, _stripe),
    'check': (66, 0.055, _check),
    'dot': (67, 0.055, _dot),
    'floral': (69, 0.085, _floral),
    'chevron': (75, 0.070, _chevron),
    'argyle': (76, 0.080, _argyle),
    'letters': (64, 0.110, _letters),
    'leopard': (77, 0.080, _leopard),
    'fair isle': (68, 0.090, _fair_isle),
}


def make_texture(pattern: str, colour: Colour, rng: np.random.Generator) -> Texture:
    """Make a pattern (a key of PATTERNS) on a ground colour."""
    _, period, painter = PATTERNS[pattern]
    if painter is None:
        return Texture(colour)
    return Texture(colour, painter(colour, contrast(colour, rng), rng), period * rng.uniform(0.85, 1.2))
