"""Backgrounds: a wall and a floor with things on them, out of focus; and what a camera adds."""

import cv2
import numpy as np

from fashion_mmdet.synthetic.textures import COLOURS

SKETCH = 192  # the background is drawn with its long side of so many pixels and blown up: out of focus, and cheap


def draw_background(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a background, (H, W, 3) uint8 RGB."""
    scale = SKETCH / max(height, width)
    rows, columns = max(8, round(height * scale)), max(8, round(width * scale))
    sketch = _wall(rows, columns, rng)
    ground = int(rows * rng.uniform(0.72, 0.9))
    for draw in rng.permutation(3)[: rng.integers(0, 4)]:
        (_bricks, _rectangles, _blobs)[draw](sketch, ground, rng)
    if rng.uniform() < 0.75:
        _floor(sketch, ground, rng)
    sketch = cv2.GaussianBlur(sketch, (0, 0), rng.uniform(0.4, 1.6))
    return cv2.resize(sketch, (width, height), interpolation=cv2.INTER_LINEAR)


def _muted(rng: np.random.Generator) -> np.ndarray:
    """Draw a colour from the palette, washed towards a light grey; (3,) float."""
    colour = np.array(list(COLOURS.values()), float)[rng.integers(len(COLOURS))]
    return colour * 0.4 + 0.6 * rng.uniform(150, 245)


def _wall(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a plain wall or a gradient in any direction."""
    first, second = _muted(rng), _muted(rng)
    if rng.uniform() < 0.4:
        second = first * 0.94
    angle = rng.uniform(0, np.pi)
    y, x = np.mgrid[:rows, :columns]
    ramp = (np.cos(angle) * x / columns + np.sin(angle) * y / rows + 1) / 2.5
    return (first + (second - first) * ramp[..., None].clip(0, 1)).astype(np.uint8)


def _floor(sketch: np.ndarray, ground: int, rng: np.random.Generator) -> None:
    """Draw a floor or a pavement with joints that run to a vanishing point."""
    rows, columns = sketch.shape[:2]
    colour = _muted(rng) * 0.85
    ramp = np.linspace(0.92, 1.05, rows - ground)[:, None, None]
    sketch[ground:] = np.clip(colour * ramp, 0, 255)
    if rng.uniform() < 0.5:
        joint = tuple(map(int, colour * 0.85))
        for x in range(-columns, 2 * columns, max(8, columns // 5)):
            cv2.line(sketch, (x, rows), ((x + columns // 2) // 2, ground), joint, 1, cv2.LINE_AA)
        for share in (0.3, 0.65):
            y = int(ground + share * (rows - ground))
            cv2.line(sketch, (0, y), (columns, y), joint, 1)


def _bricks(sketch: np.ndarray, ground: int, rng: np.random.Generator) -> None:
    """Draw bricks or tiles over the wall."""
    columns = sketch.shape[1]
    high, wide = int(rng.integers(7, 16)), int(rng.integers(14, 30))
    joint = tuple(map(int, sketch[0, 0] * rng.uniform(0.82, 0.93)))
    for row, y in enumerate(range(0, ground, high)):
        cv2.line(sketch, (0, y), (columns, y), joint, 1)
        for x in range((row % 2) * wide // 2, columns, wide):
            cv2.line(sketch, (x, y), (x, min(y + high, ground)), joint, 1)


def _rectangles(sketch: np.ndarray, ground: int, rng: np.random.Generator) -> None:
    """Draw windows, doors and posters."""
    columns = sketch.shape[1]
    for _ in range(rng.integers(1, 5)):
        high, wide = rng.uniform(0.15, 0.6) * ground, rng.uniform(0.12, 0.35) * columns
        x, y = rng.uniform(-0.1, 0.95) * columns, rng.uniform(0, 1) * (ground - high)
        corner, other = (int(x), int(y)), (int(x + wide), int(y + high))
        colour = _muted(rng)
        cv2.rectangle(sketch, corner, other, tuple(map(int, colour)), -1)
        cv2.rectangle(sketch, corner, other, tuple(map(int, colour * 0.75)), 2)


def _blobs(sketch: np.ndarray, ground: int, rng: np.random.Generator) -> None:
    """Draw bushes and tree tops, or lights blurred into discs."""
    rows, columns = sketch.shape[:2]
    base = np.array((96, 132, 92)) * rng.uniform(0.8, 1.4) if rng.uniform() < 0.6 else _muted(rng)
    left, spread = rng.uniform(0, 1), rng.uniform(0.1, 0.5)
    for _ in range(rng.integers(6, 22)):
        centre = (int((left + rng.normal(0, spread)) * columns), int(rng.normal(0.75, 0.2) * ground))
        colour = tuple(map(int, np.clip(base * rng.uniform(0.85, 1.2), 0, 255)))
        cv2.circle(sketch, centre, int(rng.uniform(0.02, 0.09) * rows), colour, -1, cv2.LINE_AA)


def cast_shadow(image: np.ndarray, x: float, y: float, reach_px: float) -> None:
    """Darken the ground about (x, y), softly; `reach_px` is the shadow's half width."""
    rows = slice(max(0, int(y - 0.12 * reach_px)), max(0, int(y + 0.12 * reach_px) + 1))
    columns = slice(max(0, int(x - reach_px)), max(0, int(x + reach_px) + 1))
    patch = image[rows, columns]
    down, along = np.ogrid[rows.start : rows.start + patch.shape[0], columns.start : columns.start + patch.shape[1]]
    distance = ((along - x) / reach_px) ** 2 + ((down - y) / (0.12 * reach_px)) ** 2
    patch[...] = patch * (1 - 0.45 * np.clip(1 - distance, 0, 1).astype(np.float32))[..., None]


def develop(image: np.ndarray, rng: np.random.Generator) -> None:
    """Add what a camera adds: exposure, colour cast, grain; in place, strip by strip to spare memory."""
    exposure, cast = rng.uniform(0.9, 1.08), rng.uniform(0.97, 1.03, 3)
    tables = np.clip(np.arange(256)[None, :, None] * (exposure * cast), 0, 255).astype(np.uint8)  # (1, 256, 3)
    height, width = image.shape[:2]
    grain = rng.normal(0, rng.uniform(1.0, 4.0), (min(height, 256), min(width, 509), 3)).astype(np.int16)
    grain = np.tile(grain, (1, -(-width // grain.shape[1]), 1))[:, :width]
    for top in range(0, height, len(grain)):
        strip = image[top : top + len(grain)]
        strip[...] = np.clip(cv2.LUT(strip, tables) + grain[: len(strip)], 0, 255)
