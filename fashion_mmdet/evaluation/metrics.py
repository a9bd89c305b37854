"""The metrics that mmengine's runner calls: thin wrappers of postprocessing, matching and scoring."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from pycocotools import mask as coco_mask

from fashion_mmdet.classes import category_ids
from fashion_mmdet.evaluation.matching import MATCHES, count_images
from fashion_mmdet.evaluation.postprocess import ALL_DETECTIONS, Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import raw_from_sample, resize_truth, truth_from_sample
from fashion_mmdet.evaluation.scoring import AVERAGES, format_classes, summarize
from fashion_mmdet.utils.checks import COUNT, check_choice, check_flag, check_numbers


@METRICS.register_module()
class FashionIoUSweepMetric(BaseMetric):
    """The competition's score: true positives at ten IoU thresholds, averaged over images.

    Reports `fashion/score`, `fashion/score_50`, `fashion/score_75` and logs a table by class.

    Args:
        postprocess: options of `evaluation.postprocess.Postprocess`.
        average: 'image' (counts pooled over an image's classes) or 'image_class' (the 2019 winner's).
        match: 'category', or 'class_id' with attributes.
        size: height and width of the masks compared; None for each photo's own.
        collect_device, prefix: mmengine's.
    """

    default_prefix = 'fashion'

    def __init__(
        self,
        postprocess: Mapping | None = None,
        average: str = 'image',
        match: str = 'category',
        size: tuple[int, int] | None = (512, 512),
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        check_choice('average', average, AVERAGES)
        check_choice('match', match, MATCHES)
        if size is not None:
            check_numbers('size', size, COUNT, length=2)
        self.options = Postprocess.from_config(postprocess)
        self.average, self.match = average, match
        self.size = tuple(size) if size is not None else None

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Count each image's matches; exactly one result per image, as mmengine's collection needs."""
        ids = category_ids(self.dataset_meta)
        predictions = [postprocess(raw_from_sample(sample, ids), self.options, self.size) for sample in data_samples]
        truths = [resize_truth(truth_from_sample(sample, ids), self.size) for sample in data_samples]
        self.results += count_images(truths, predictions, self.match)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Average over all images of all processes."""
        scores = summarize(results, self.average)
        print_log(f'{scores.images} images, by class at IoU 0.5:\n{format_classes(scores.classes)}', logger='current')
        return dict(score=scores.score, score_50=scores.score_50, score_75=scores.score_75)


@METRICS.register_module()
class PostprocessedCocoMetric(CocoMetric):
    """mmdet's own CocoMetric (AP) on postprocessed masks.

    Args:
        postprocess: options of `evaluation.postprocess.Postprocess`.
        all_detections: AP needs them all, so whatever `postprocess` says, all scores and categories stay, without mask
            NMS, and masks may overlap; False for the AP of what is submitted.
        **kwargs: CocoMetric's.
    """

    def __init__(self, *args, postprocess: Mapping | None = None, all_detections: bool = True, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        check_flag('all_detections', all_detections)
        options = Postprocess.from_config(postprocess)
        self.options = replace(options, **ALL_DETECTIONS) if all_detections else options

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Replace every sample's raw prediction by final masks, boxes and labels and pass it on."""
        super().process(data_batch, [finish_sample(sample, self.options, self.dataset_meta) for sample in data_samples])


def finish_sample(sample: dict, options: Postprocess, dataset_meta: dict) -> dict:
    """Replace a sample's raw prediction by final masks at the photo's size, as mmdet's metrics read them.

    Returns:
        A copy of the sample; `pred_instances` holds masks (COCO RLE), bboxes (N, 4) around the masks, labels, scores.
    """
    ids = category_ids(dataset_meta)
    prediction = postprocess(raw_from_sample(sample, ids), options)
    boxes = torch.as_tensor(coco_mask.toBbox(prediction.masks) if prediction.masks else []).reshape(-1, 4).float()
    boxes[:, 2:] += boxes[:, :2]
    instances = dict(
        bboxes=boxes,
        scores=torch.as_tensor(prediction.scores),
        masks=prediction.masks,
        labels=torch.as_tensor([ids.index(category) for category in prediction.categories], dtype=torch.long),
    )
    return {**sample, 'pred_instances': instances}
