"""One training sample at 512 px from a large photo with seven masks: ours, mmdet's own steps, and the decoder alone."""

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from rich.progress import Progress

from fashion_mmdet.benchmarks.photos import make_masks, make_photo
from fashion_mmdet.benchmarks.timing import HEADER, Table, measure, to_rows

SIZE = (3000, 2000)  # H, W: the competition's commonest
SCALE = (512, 512)
TAIL = (dict(type='RandomFlip', prob=0.5), dict(type='PackDetInputs'))


def ours_steps(scale: tuple[int, int]) -> list[dict]:
    """Return this repository's steps."""
    return [dict(type='LoadScaled', scale=scale, interpolation='area'), *TAIL]


def stock_steps(scale: tuple[int, int]) -> list[dict]:
    """Return mmdet's steps, as its configs for instance masks do."""
    return [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True, with_mask=True, poly2mask=True),
        dict(type='Resize', scale=scale, keep_ratio=True),
        *TAIL,
    ]


def run(
    rounds: int, progress: Progress | None = None, size: tuple[int, int] = SIZE, memory: bool = True
) -> list[Table]:
    """Measure with a photo of a size (H, W); see `timing.measure`."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_photo(Path(folder), size)
        contenders = {
            'ours': partial(prepare_pipeline, path, size, ours_steps(SCALE)),
            "mmdet's steps": partial(prepare_pipeline, path, size, stock_steps(SCALE)),
            'decoding alone (limit)': partial(prepare_decoding, path, size),
        }
        measured = measure(contenders, rounds, memory, progress)
    work = f'load {size[0]}x{size[1]}, 7 masks, at {SCALE[0]} px'
    note = (
        f'A JPEG of quality 90. The limit decodes it at the same DCT scale and does nothing else. '
        f'{1 / measured[0].seconds:.0f} samples/s, mmdet {1 / measured[1].seconds:.1f}.'
    )
    return [Table('One sample', HEADER, to_rows(work, measured), note)]


def write_photo(folder: Path, size: tuple[int, int]) -> str:
    """Draw the photo into a folder; its path."""
    path = folder / f'{size[0]}x{size[1]}.jpg'
    path.write_bytes(make_photo(*size))
    return str(path)


def prepare_pipeline(path: str, size: tuple[int, int], steps: list[dict]) -> Callable[[], dict]:
    """Build a pipeline and what the data set would hand it; the call loads a sample."""
    import mmdet.datasets.transforms  # noqa: F401
    from mmcv.transforms import Compose
    from mmdet.registry import TRANSFORMS
    from mmengine.registry import init_default_scope

    import fashion_mmdet.register  # noqa: F401  also puts mmcv's operators in place
    from fashion_mmdet.masks.rle import bounding_box, coco_to_runs

    init_default_scope('mmdet')
    pipeline = Compose([TRANSFORMS.build(step) for step in steps])
    instances = [
        dict(bbox=list(bounding_box(coco_to_runs(mask), size[0])), bbox_label=0, ignore_flag=0, mask=mask)
        for mask in make_masks(*size)
    ]
    sample = dict(img_path=path, img_id=os.path.basename(path), height=size[0], width=size[1], instances=instances)
    return lambda: pipeline(dict(sample))


def prepare_decoding(path: str, size: tuple[int, int]) -> Callable[[], np.ndarray]:
    """Read the file; the call decodes it at the DCT scale that ours takes, no smaller than wanted."""
    from mmcv import rescale_size

    from fashion_mmdet.datasets.decoding import REDUCED, choose_reduction

    width, height = rescale_size(size[::-1], SCALE)
    flag = REDUCED.get(choose_reduction(size, (height, width)), cv2.IMREAD_COLOR)
    data = np.fromfile(path, np.uint8)
    return lambda: cv2.imdecode(data, flag)
