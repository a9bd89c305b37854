"""Writes a train.csv of the competition's size whose masks are as long as the competition's."""

from pathlib import Path

import numpy as np

from fashion_mmdet.classes import NUM_ATTRIBUTES, NUM_CATEGORIES, NUM_MAIN_CATEGORIES
from fashion_mmdet.masks.rle import runs_to_kaggle

ROWS, IMAGES = 331_213, 45_625
HEIGHT, WIDTH = 3000, 2000  # the commonest photo; all have it here
MEAN_RUNS = 230
DRAWN = 3000  # different masks; the same ones come again in other images
ATTRIBUTE_SHARE = 0.035  # of the main garments' rows


def write_csv(path: Path, rows: int = ROWS, seed: int = 0) -> int:
    """Write `rows` rows in images of about 7 rows each; returns the number of images."""
    rng = np.random.default_rng(seed)
    masks = [draw_mask(rng) for _ in range(min(DRAWN, rows))]
    images = max(1, round(rows * IMAGES / ROWS))
    # Every image has one row, the others fall at random; an image's rows stand together.
    counts = 1 + np.bincount(rng.integers(0, images, rows - images), minlength=images)
    categories = rng.integers(0, NUM_CATEGORIES, rows).tolist()
    has_attributes = (rng.random(rows) < ATTRIBUTE_SHARE).tolist()
    with open(path, 'w') as file:
        file.write('ImageId,EncodedPixels,Height,Width,ClassId\n')
        row = 0
        for image, count in enumerate(counts.tolist()):
            for _ in range(count):
                class_id = str(categories[row])
                if has_attributes[row] and categories[row] < NUM_MAIN_CATEGORIES:
                    class_id += ''.join(f'_{one}' for one in rng.choice(NUM_ATTRIBUTES, 3, replace=False))
                file.write(f'{image:032x}.jpg,{masks[row % len(masks)]},{HEIGHT},{WIDTH},{class_id}\n')
                row += 1
    return images


def draw_mask(rng: np.random.Generator) -> str:
    """Draw a blob of one run a column with uneven edges, on average some 230 columns wide, and write its runs."""
    columns = int(np.clip(rng.gamma(2.0, MEAN_RUNS / 2), 1, WIDTH - 1))
    left = int(rng.integers(0, WIDTH - columns))
    middle = HEIGHT / 2 + np.cumsum(rng.normal(0, 2, columns))
    bulge = np.sin(np.linspace(0.1, np.pi - 0.1, columns)) * rng.uniform(20, 1000) + rng.uniform(0, 4, columns)
    top = np.clip(middle - bulge, 0, HEIGHT - 2).astype(np.int64)
    bottom = np.clip(middle + bulge, top + 1, HEIGHT - 1).astype(np.int64)
    base = np.arange(left, left + columns) * HEIGHT
    return runs_to_kaggle((base + top, base + bottom))
