"""What many tests build: masks, predictions, true objects, small CSVs and dumps, all of any size."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
from pycocotools import mask as coco

from fashion_mmdet.catalogue.schema import Catalogue, Plan, to_table
from fashion_mmdet.evaluation.dump import DumpWriter
from fashion_mmdet.evaluation.predictions import Prediction, RawPrediction, Truth
from fashion_mmdet.masks.rle import coco_to_runs, runs_to_kaggle

HEADER = 'ImageId,EncodedPixels,Height,Width,ClassId'
EVIL = '<script>alert("1|2")</script>'  # a name that a page must show and not run

# Masks.


def block(x1: int, y1: int, x2: int, y2: int, size: tuple[int, int]) -> np.ndarray:
    """Draw a filled box; (H, W) bool."""
    mask = np.zeros(size, bool)
    mask[y1:y2, x1:x2] = True
    return mask


def encode(mask: np.ndarray) -> dict:
    """Encode a bitmap with pycocotools, counts as text, as the data set has it."""
    found = coco.encode(np.asfortranarray(mask, np.uint8))
    return dict(size=found['size'], counts=found['counts'].decode())


def encode_all(masks: np.ndarray) -> list[dict]:
    """Encode a stack of bitmaps, (N, H, W)."""
    return [encode(mask) for mask in masks]


def random_mask(generator: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Draw an (H, W) bool bitmap: noise of any density, a few rectangles, a single pixel, all or nothing."""
    kind = generator.integers(6)
    mask = np.zeros((height, width), bool)
    if kind <= 1:
        mask = generator.random((height, width)) < generator.random()
    elif kind <= 3:
        for _ in range(generator.integers(1, 4)):
            top, left = generator.integers(height), generator.integers(width)
            mask[top : top + generator.integers(1, height + 1), left : left + generator.integers(1, width + 1)] ^= True
    elif kind == 4:
        mask[generator.integers(height), generator.integers(width)] = True
    else:
        mask[:] = generator.random() < 0.5
    return mask


def random_side(generator: np.random.Generator, largest: int = 60) -> int:
    """Draw the side of a mask: 1 in one case of eight, else up to `largest`."""
    return 1 if generator.random() < 0.125 else int(generator.integers(1, largest + 1))


def random_stack(generator: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Draw none to four masks, each an ellipse or a `random_mask`; (N, H, W) uint8."""
    masks = np.zeros((generator.integers(5), height, width), np.uint8)
    for mask in masks:
        if generator.random() < 0.3:
            center = (int(generator.integers(width)), int(generator.integers(height)))
            axes = (int(generator.integers(width)), int(generator.integers(height)))
            cv2.ellipse(mask, center, axes, float(generator.integers(180)), 0, 360, 1, -1)
        else:
            mask[:] = random_mask(generator, height, width)
    return masks


# Objects of one image: `size` is (height, width) of photo and masks.


def make_raw(
    image_id: str, *objects: tuple[int, float, tuple], size: tuple[int, int], probability: float = 1.0
) -> RawPrediction:
    """Make solid detections (category, score, box x1 y1 x2 y2); a box of whole pixels up to 28 wide fills its block."""
    categories, scores, boxes = zip(*objects, strict=True) if objects else ((), (), ())
    return RawPrediction(
        image_id,
        *size,
        np.array(categories, np.int64),
        np.array(scores, np.float32),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full((len(objects), 28, 28), probability, np.float16),
    )


def random_raw(image_id: str, count: int, seed: int, side: int = 28) -> RawPrediction:
    """Draw detections that agree in nothing, on a photo whose size depends on the seed."""
    rng = np.random.default_rng(seed)
    return RawPrediction(
        image_id,
        40 + seed,
        30 + seed,
        rng.integers(0, 46, count),
        rng.random(count).astype(np.float32),
        rng.random((count, 4)).astype(np.float32) * 30,
        rng.random((count, side, side)).astype(np.float16),
    )


def assert_same_raw(got: RawPrediction, wanted: RawPrediction) -> None:
    """Compare two raw predictions to the bit, attributes apart."""
    assert (got.image_id, got.height, got.width) == (wanted.image_id, wanted.height, wanted.width)
    for name in ('categories', 'scores', 'boxes', 'mask_probs'):
        one, other = getattr(got, name), getattr(wanted, name)
        np.testing.assert_array_equal(one, other, err_msg=name)
        assert one.dtype == other.dtype, name


def make_truth(image_id: str, *objects: tuple, size: tuple[int, int]) -> Truth:
    """Make true objects (category, box or COCO RLE, attributes where there are any)."""
    return Truth(image_id, size, _categories(objects), _masks(objects, size), [tuple(one[2:]) for one in objects])


def make_prediction(image_id: str, *objects: tuple, size: tuple[int, int]) -> Prediction:
    """Make final objects, as `make_truth` does, by descending score."""
    scores = np.linspace(0.9, 0.5, len(objects), dtype=np.float32)
    attributes = [tuple(one[2:]) for one in objects]
    return Prediction(image_id, size, _categories(objects), scores, _masks(objects, size), attributes)


def _categories(objects: tuple) -> np.ndarray:
    return np.array([one[0] for one in objects], np.int64)


def _masks(objects: tuple, size: tuple[int, int]) -> list[dict]:
    return [one[1] if isinstance(one[1], dict) else encode(block(*one[1], size)) for one in objects]


# Files.


def write_csv(folder: Path, *rows: str, header: str = HEADER, name: str = 'train.csv') -> Path:
    """Write a CSV of the competition's form from its lines, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text('\n'.join([header, *rows]) + '\n')
    return path


def write_truths(folder: Path, truths: Iterable[Truth]) -> Path:
    """Write the train.csv of true objects without their attributes, and return its path."""
    return write_csv(
        folder,
        *(
            f'{truth.image_id},{runs_to_kaggle(coco_to_runs(mask))},{truth.size[0]},{truth.size[1]},{category}'
            for truth in truths
            for mask, category in zip(truth.masks, truth.categories, strict=True)
        ),
    )


def write_dump(path: Path, raws: Iterable[RawPrediction], **info: str) -> Path:
    """Write a dump of raw predictions, and return its path."""
    writer = DumpWriter(path, **info)
    for raw in raws:
        writer.write(raw)
    writer.close()
    return path


def write_shirts(root: Path, names: str = 'abc', runs: str = '1 50') -> Path:
    """Write the data set of test_compare.py: grey photos of 10x10 pixels, a shirt in columns 0 to 4 of each."""
    write_csv(root, *(f'{name}.jpg,{runs},10,10,0' for name in names))
    (root / 'train').mkdir()
    for name in names:
        cv2.imwrite(str(root / 'train' / f'{name}.jpg'), np.full((10, 10, 3), 128, np.uint8))
    return root


def write_shirt_dump(path: Path, widths: list[float | None], names: str = 'abc') -> Path:
    """Predict a shirt of each width from the left edge; None for nothing. Of width w it has an IoU of w / 5."""
    found = [[] if width is None else [(0, 0.9, (0, 0, width, 10))] for width in widths]
    raws = [make_raw(f'{name}.jpg', *one, size=(10, 10)) for name, one in zip(names, found, strict=True)]
    return write_dump(path, raws, checkpoint='epoch_4.pth')


# Catalogues.


def write_catalogue(folder: Path, garments: list[dict], photos: list[dict], extra: pa.Schema, size: int = 2) -> Path:
    """Write a finished catalogue of one shard; a garment without an embedding gets zeros.

    Args:
        folder: to write.
        garments, photos: rows, as many columns of them as matter.
        extra: the input's own columns.
        size: of the embeddings.
    """
    plan = Plan(
        model='m', fingerprint='f', embedding_size=size, photos=max(len(photos), 1), photos_a_shard=10**6, inputs='h'
    )
    catalogue = Catalogue.create(folder, plan, extra)
    tables = dict(photos=photos, problems=[])
    embeddings = np.array([row.get('embedding', np.zeros(size)) for row in garments]).reshape(len(garments), size)
    catalogue.write_shard(
        0,
        garments=to_table(garments, catalogue.schemas['garments'], embeddings),
        **{name: to_table(rows, catalogue.schemas[name]) for name, rows in tables.items()},
    )
    return folder
