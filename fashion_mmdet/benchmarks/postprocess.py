"""Raw predictions to COCO RLE at a large photo's size, beside mmdet's own paste and encoding."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.structures.mask import encode_mask_results
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from rich.progress import Progress

from fashion_mmdet.benchmarks.scenes import make_raw
from fashion_mmdet.benchmarks.timing import HEADER, Table, measure, to_rows
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import Prediction, RawPrediction

SIZE = (4000, 6000)  # height and width in pixels
MASKS = 100
PASTE_ONLY = Postprocess(score_thr=0.0, nms_iou=None, overlap='none')  # what mmdet's head does, no more
TUNED = Postprocess(score_thr=0.05)  # with NMS and overlap within a class, from all detections that a model gives


def prepare_ours(size: tuple[int, int], masks: int) -> Callable[[], Prediction]:
    """Prepare this repository's way; its compiled loops are loaded before anything is timed."""
    postprocess(_raw((40, 60), 10), TUNED)
    raw = _raw(size, masks)
    return lambda: postprocess(raw, PASTE_ONLY)


def prepare_mmdet(size: tuple[int, int], masks: int) -> Callable[[], list[dict]]:
    """Prepare mmdet's way: FCNMaskHead pastes mask by mask, as it does on a CPU, CocoMetric's function encodes."""
    raw = _raw(size, masks)
    head = FCNMaskHead(num_convs=0, num_classes=1, class_agnostic=True)
    probs, boxes = torch.from_numpy(raw.mask_probs).float()[:, None], torch.from_numpy(raw.boxes)
    meta, options = dict(ori_shape=size, scale_factor=(1.0, 1.0)), ConfigDict(mask_thr_binary=0.5)

    def call() -> list[dict]:
        results = InstanceData(bboxes=boxes.clone(), labels=torch.zeros(len(boxes), dtype=torch.long))
        with torch.no_grad():
            (pasted,) = head.predict_by_feat((probs,), [results], [meta], options, rescale=True, activate_map=True)
        return encode_mask_results(pasted.masks.numpy())

    return call


def prepare_tuning(images: int) -> Callable[[], list[Prediction]]:
    """Prepare what tuning does for every option: many images of 100 detections to masks at 512x512."""
    raws = [make_raw(str(index), (3000, 2000), MASKS, np.random.default_rng([1, index])) for index in range(images)]
    postprocess(raws[0], TUNED, (512, 512))
    return lambda: [postprocess(raw, TUNED, (512, 512)) for raw in raws]


def _raw(size: tuple[int, int], masks: int) -> RawPrediction:
    return make_raw('large.jpg', size, masks, np.random.default_rng(0))


def run(
    rounds: int, progress: Progress | None = None, size: Sequence[int] = SIZE, masks: int = MASKS, images: int = 100
) -> list[Table]:
    """Measure; smaller numbers are for tests."""
    size = tuple(size)
    large = {'fashion_mmdet': partial(prepare_ours, size, masks), 'mmdet': partial(prepare_mmdet, size, masks)}
    tuning = {'fashion_mmdet': partial(prepare_tuning, images)}
    rows = [
        row
        for work, contenders in (
            (f'{masks} masks at {size[0]}x{size[1]}', large),
            (f'{images} images at 512x512', tuning),
        )
        for row in to_rows(work, measure(contenders, rounds, progress=progress))
    ]
    note = (
        'Input: boxes and 28x28 probabilities. mmdet: FCNMaskHead.predict_by_feat, then encode_mask_results. '
        f'Second row: all of postprocess (NMS, overlap, encoding), {MASKS} detections an image.'
    )
    return [Table('Prediction to RLE', HEADER, rows, note)]
