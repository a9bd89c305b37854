"""Photos and masks to measure with: drawn from a seed, of any size, as detailed as a camera's."""

import cv2
import numpy as np

from fashion_mmdet.masks.rle import mask_to_runs, runs_to_coco

QUALITY = 90
MASKS = 7  # the competition's mean

# Garments by their centre, half width and half height, as shares of the photo: shirt, trousers, belt, two shoes, bag,
# hat. Some 20 % of the photo a large one, 1 % a shoe.
GARMENTS = (
    (0.5, 0.35, 0.22, 0.17),
    (0.5, 0.66, 0.17, 0.2),
    (0.5, 0.5, 0.15, 0.02),
    (0.42, 0.92, 0.07, 0.03),
    (0.58, 0.92, 0.07, 0.03),
    (0.75, 0.55, 0.09, 0.08),
    (0.5, 0.1, 0.1, 0.05),
)


def draw_garments(height: int, width: int, seed: int = 0) -> list[np.ndarray]:
    """Outline `MASKS` garments as annotators do, with a wiggly line.

    Returns:
        Polygons, (120, 2) int32 of x, y in pixels.
    """
    generator = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    outlines = []
    for x, y, half_width, half_height in GARMENTS:
        waves = sum(
            generator.uniform(0, 0.15 / wave) * np.sin(wave * angles + generator.uniform(0, 2 * np.pi))
            for wave in range(2, 14)
        )
        radius = 1 + waves + generator.normal(0, 0.01, angles.size)
        # Roundish boxes rather than ellipses: garments have sides.
        shape = radius / np.maximum(np.abs(np.cos(angles)), np.abs(np.sin(angles))) ** 0.7
        points = np.stack(
            [(x + half_width * shape * np.cos(angles)) * width, (y + half_height * shape * np.sin(angles)) * height],
            axis=1,
        )
        outlines.append(np.round(points).astype(np.int32))
    return outlines


def make_masks(height: int, width: int, seed: int = 0) -> list[dict]:
    """Make `MASKS` garments' masks; COCO RLE, counts as text."""
    masks = []
    for outline in draw_garments(height, width, seed):
        mask = np.zeros((height, width), np.uint8)
        cv2.fillPoly(mask, [outline], 1)
        masks.append(runs_to_coco(mask_to_runs(mask), height, width))
    return masks


def make_photo(height: int, width: int, seed: int = 0) -> bytes:
    """Make a JPEG: a shaded, textured background, garments with weaves and folds, a camera's noise; quality 90."""
    generator = np.random.default_rng(seed)
    photo = _shade(generator, height, width, 8, 40, 200)
    photo += _texture(generator, height, width)[..., None]
    for outline in draw_garments(height, width, seed):
        left, top = outline.min(axis=0).clip(0)
        right, bottom = outline.max(axis=0) + 1
        part = photo[top:bottom, left:right]
        inside = np.zeros(part.shape[:2], np.uint8)
        cv2.fillPoly(inside, [outline - [left, top]], 1)
        cloth = _shade(generator, *part.shape[:2], 20, 30, 220) + 2 * _texture(generator, *part.shape[:2])[..., None]
        part[inside > 0] = cloth[inside > 0]
    photo += 3 * generator.standard_normal((height, width, 1), np.float32)
    done, data = cv2.imencode('.jpg', np.clip(photo, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise RuntimeError(f'a photo of {height}x{width} could not be encoded')
    return data.tobytes()


def _shade(generator: np.random.Generator, height: int, width: int, cells: int, low: float, high: float) -> np.ndarray:
    """Soft light and colour, (H, W, 3) float32."""
    rough = generator.uniform(low, high, (cells, cells, 3)).astype(np.float32)
    return cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)


def _texture(generator: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Detail at several scales, half as strong at half the size, (H, W) float32."""
    total = np.zeros((height, width), np.float32)
    for step, strength in ((32, 12), (8, 8), (3, 5)):
        rough = generator.normal(0, strength, (height // step + 2, width // step + 2)).astype(np.float32)
        total += cv2.resize(rough, (width, height), interpolation=cv2.INTER_LINEAR)
    return total
