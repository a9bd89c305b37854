"""The RoI head of an `AttributeBBoxHead`: true attributes in training, final boxes in testing."""

import torch
from mmdet.models import StandardRoIHead
from mmdet.models.task_modules.samplers import RandomSampler, SamplingResult
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.structures import SampleList
from mmdet.structures.bbox import bbox2roi, scale_boxes
from mmdet.utils import ConfigType, InstanceList
from mmengine.structures import InstanceData
from torch import Tensor


@TASK_UTILS.register_module()
class AttributeSampler(RandomSampler):
    """mmdet's RandomSampler, whose result also has `pos_gt_attributes`, (P, 92) bool, of the positive RoIs."""

    def sample(
        self, assign_result: object, pred_instances: InstanceData, gt_instances: InstanceData, **kwargs
    ) -> SamplingResult:
        """Sample and add the attributes of the assigned objects; ValueError where the pipeline does not load them."""
        if 'attributes' not in gt_instances:
            raise ValueError(
                'no attributes in gt_instances: the train pipeline needs the steps AttachAttributes and PackAttributes'
            )
        result = super().sample(assign_result, pred_instances, gt_instances, **kwargs)
        result.pos_gt_attributes = gt_instances.attributes[result.pos_assigned_gt_inds.long()]
        return result


@MODELS.register_module()
class AttributeRoIHead(StandardRoIHead):
    """mmdet's StandardRoIHead for an `AttributeBBoxHead`; its sampler has to be an `AttributeSampler`.

    Training adds `loss_attribute`. Testing sets `attribute_probs`, (N, 92) float16, from the features of the final
    boxes (one more RoIAlign, over detections only).

    Args:
        attribute_roi_extractor: finer RoIAlign for the attributes; None for the features of the bbox branch.
    """

    def __init__(self, *args, attribute_roi_extractor: ConfigType | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.attribute_roi_extractor = attribute_roi_extractor and MODELS.build(attribute_roi_extractor)

    def loss(self, x: tuple[Tensor, ...], rpn_results_list: InstanceList, batch_data_samples: SampleList) -> dict:
        """Allow the attributes that the batch shows with a class, then compute mmdet's losses."""
        truth = [sample.gt_instances for sample in batch_data_samples]
        if all('attributes' in one for one in truth):  # else the sampler says so
            self.bbox_head.note_attributes(
                torch.cat([one.labels for one in truth]), torch.cat([one.attributes for one in truth])
            )
        return super().loss(x, rpn_results_list, batch_data_samples)

    def bbox_loss(self, x: tuple[Tensor, ...], sampling_results: list[SamplingResult]) -> dict:
        """Add the attributes' loss to those of class and box."""
        results = super().bbox_loss(x, sampling_results)
        rois = bbox2roi([res.pos_priors for res in sampling_results])
        if self.attribute_roi_extractor is None:
            feats = results['bbox_feats'][positive_rois(sampling_results, rois.device)]
        else:
            feats = self._attribute_feats(x, rois)
        results['loss_bbox']['loss_attribute'] = self.bbox_head.attribute_loss(
            feats,
            rois[:, 1:],
            torch.cat([res.pos_gt_labels for res in sampling_results]),
            torch.cat([res.pos_gt_attributes for res in sampling_results]),
        )
        return results

    def predict_bbox(
        self,
        x: tuple[Tensor, ...],
        batch_img_metas: list[dict],
        rpn_results_list: InstanceList,
        rcnn_test_cfg: ConfigType,
        rescale: bool = False,
    ) -> InstanceList:
        """Add `attribute_probs` to the detections; boxes in pixels of the photo only with `rescale`."""
        results_list = super().predict_bbox(x, batch_img_metas, rpn_results_list, rcnn_test_cfg, rescale=False)
        rois = bbox2roi([results.bboxes for results in results_list])
        probs = self.bbox_head.attribute_probs(
            self._attribute_feats(x, rois), rois[:, 1:], torch.cat([results.labels for results in results_list])
        )
        counts = [len(results.labels) for results in results_list]
        for results, own, meta in zip(results_list, probs.split(counts), batch_img_metas, strict=True):
            results.attribute_probs = own
            if rescale:
                results.bboxes = scale_boxes(results.bboxes, [1 / factor for factor in meta['scale_factor']])
        return results_list

    def _attribute_feats(self, x: tuple[Tensor, ...], rois: Tensor) -> Tensor:
        extractor = self.attribute_roi_extractor or self.bbox_roi_extractor
        return extractor(x[: extractor.num_inputs], rois)


def positive_rois(sampling_results: list[SamplingResult], device: torch.device) -> Tensor:
    """Mark the positive RoIs, which come first within each image, among all; (R,) bool."""
    return torch.cat([torch.arange(len(res.priors), device=device) < len(res.pos_priors) for res in sampling_results])
