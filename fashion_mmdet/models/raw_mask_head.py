"""A mask head whose test step hands over mask probabilities as they are, not pasted into the photo."""

import torch
from mmdet.models import FCNMaskHead, HTCMaskHead
from mmdet.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor


@MODELS.register_module()
class RawFCNMaskHead(FCNMaskHead):
    """mmdet's FCNMaskHead with raw predictions.

    Training is mmdet's own. Testing sets `mask_probs`, (N, 28, 28) float16 in [0, 1], where mmdet sets `masks`,
    (N, H, W) booleans: some 80 KB an image instead of N x H x W bytes. `evaluation.postprocess` makes masks of them.
    """

    def predict_by_feat(
        self,
        mask_preds: list[Tensor],
        results_list: list[InstanceData],
        batch_img_metas: list[dict],
        rcnn_test_cfg: dict,
        rescale: bool = False,
        activate_map: bool = False,
    ) -> list[InstanceData]:
        """Add the predicted class's mask probabilities to every detection.

        Args:
            mask_preds: an (N, classes or 1, M, M) tensor an image; logits, or probabilities with `activate_map`.
            results_list: boxes (N, 4) in pixels of the network's input, labels (N,) and scores (N,) of each image.
            batch_img_metas: metainfo of each image with `scale_factor` (x, y) from photo to input.
            rcnn_test_cfg: not used; thresholds belong to the postprocessing.
            rescale: convert boxes to pixels of the photo.
            activate_map: `mask_preds` are probabilities already.
        """
        for preds, results, meta in zip(mask_preds, results_list, batch_img_metas, strict=True):
            preds = torch.as_tensor(preds, device=results.bboxes.device)
            channel = torch.zeros_like(results.labels) if self.class_agnostic else results.labels
            chosen = preds[torch.arange(len(preds), device=channel.device), channel]  # (N, M, M)
            results.mask_probs = (chosen if activate_map else chosen.float().sigmoid()).half()
            if rescale:
                results.bboxes = results.bboxes / results.bboxes.new_tensor(meta['scale_factor']).repeat(1, 2)
        return results_list


@MODELS.register_module()
class RawHTCMaskHead(RawFCNMaskHead, HTCMaskHead):
    """mmdet's HTCMaskHead, whose features go on to the next stage, with raw predictions.

    Cascades average the probabilities of their stages before they ask for the prediction (`activate_map=True`).
    """
