"""Predictions that overlap to a valid submission, beside the usual kernel's way by bitmaps."""

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from pycocotools import mask as coco_mask
from rich.progress import Progress

from fashion_mmdet.benchmarks.scenes import make_scenes
from fashion_mmdet.benchmarks.timing import Table, compare
from fashion_mmdet.evaluation.predictions import Prediction
from fashion_mmdet.evaluation.submission import SIZE, write_submission

IMAGES = 3200


def prepare_ours(images: int, folder: str) -> Callable[[], int]:
    """Prepare this repository's way; its compiled loops are loaded before anything is timed."""
    _, predictions = make_scenes(images)
    path, names = Path(folder, 'ours.csv'), [prediction.image_id for prediction in predictions]
    write_submission(path, predictions[:1], names[:1], resolve_overlaps=True)
    return lambda: write_submission(path, predictions, names, resolve_overlaps=True)


def prepare_kernel(images: int, folder: str) -> Callable[[], None]:
    """Prepare the usual kernel's way."""
    _, predictions = make_scenes(images)
    return lambda: write_by_bitmaps(Path(folder, 'kernel.csv'), predictions)


def write_by_bitmaps(path: Path, predictions: Sequence[Prediction]) -> None:
    """Write a submission as most kernels do: every mask a bitmap, one after another, a data frame at the end."""
    rows = []
    for prediction in predictions:
        claimed: dict[int, np.ndarray] = {}
        for category, mask in zip(prediction.categories.tolist(), prediction.masks, strict=True):
            bitmap = coco_mask.decode(mask).astype(bool)
            taken = claimed.setdefault(category, np.zeros(SIZE, bool))
            bitmap &= ~taken
            taken |= bitmap
            if bitmap.any():
                rows.append((prediction.image_id, encode_bitmap(bitmap), category))
    pd.DataFrame(rows, columns=['ImageId', 'EncodedPixels', 'ClassId']).to_csv(path, index=False)


def encode_bitmap(bitmap: np.ndarray) -> str:
    """Write a bitmap as the competition's runs."""
    flat = np.concatenate([[0], bitmap.T.flatten().astype(np.int8), [0]])
    changes = np.where(np.diff(flat) != 0)[0] + 1
    changes[1::2] -= changes[::2]
    return ' '.join(str(number) for number in changes)


def run(rounds: int, progress: Progress | None = None, images: int = IMAGES) -> list[Table]:
    """Measure; a smaller number of images is for tests."""
    note = (
        '15 predicted masks an image, 512x512, COCO RLE in memory, to a CSV on disk; a pixel that several '
        'masks of a class claim goes to the higher score. Kernel: pycocotools decodes every mask, numpy '
        'settles the overlap and finds the runs, pandas writes.'
    )
    with tempfile.TemporaryDirectory() as folder:
        contenders = {
            'fashion_mmdet': partial(prepare_ours, images, folder),
            'kernel, by bitmaps': partial(prepare_kernel, images, folder),
        }
        return [compare('Submission', f'{images:,} images', contenders, note, rounds, progress)]
