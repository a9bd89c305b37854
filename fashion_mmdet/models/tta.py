"""Test-time augmentation with raw masks."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.model import BaseTTAModel
from mmengine.structures import InstanceData

from fashion_mmdet.evaluation.merge import Merge, merge
from fashion_mmdet.evaluation.predictions import RawPrediction, raw_from_sample


@MODELS.register_module()
class RawMaskTTAModel(BaseTTAModel):
    """Merge the predictions of several views (scales, flips) of each photo into one raw prediction.

    mmdet's DetTTAModel refuses masks. The masks of a RawFCNMaskHead are 28x28 probabilities inside the boxes, which a
    flip mirrors and a scale leaves alone. `evaluation.merge` does the rest, and the result has the fields of
    RawFCNMaskHead, as metric, dump and submission expect.

    Args:
        merge: options of `evaluation.merge.Merge`, one of `weights` per view.
        **kwargs: module and data_preprocessor, see mmengine.
    """

    def __init__(self, merge: Mapping | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.options = Merge.from_config(merge)

    def merge_preds(self, data_samples_list: Sequence[Sequence[DetDataSample]]) -> list[DetDataSample]:
        """Merge the views of each image.

        Args:
            data_samples_list: views of each image, with `pred_instances` (boxes in pixels of the photo, flipped where
                the view is) and the metainfo `img_id`, `ori_shape`, `flip`, `flip_direction`.

        Returns:
            The first view of each image with merged `pred_instances`: bboxes (N, 4) float32 in pixels of the photo,
            scores (N,) float32, labels (N,) int64, mask_probs (N, 28, 28) float16, by descending score.
        """
        merged = []
        for views in data_samples_list:
            raw = merge([flip_back(raw_from_view(view), _is_flipped(view)) for view in views], self.options)
            sample = views[0]
            sample.pred_instances = _to_instances(raw, sample.pred_instances.bboxes.device)
            merged.append(sample)
        return merged


def raw_from_view(sample: DetDataSample) -> RawPrediction:
    """Return the raw prediction of a view, with labels in place of category ids."""
    labels = sample.pred_instances.labels
    return raw_from_sample(sample.to_dict(), tuple(range(int(labels.max()) + 1 if len(labels) else 0)))


def flip_back(raw: RawPrediction, flipped: bool) -> RawPrediction:
    """Flip a prediction of a horizontally flipped photo back: x becomes width - x, masks are mirrored."""
    if not flipped:
        return raw
    x1, y1, x2, y2 = raw.boxes.T
    raw.boxes = np.stack([raw.width - x2, y1, raw.width - x1, y2], axis=1)
    raw.mask_probs = raw.mask_probs[:, :, ::-1]
    return raw


def _is_flipped(sample: DetDataSample) -> bool:
    if 'flip' not in sample.metainfo:
        raise ValueError(
            'test-time augmentation: a view does not say whether it is flipped: it needs a RandomFlip '
            "(prob=0.0 for none), and 'flip' and 'flip_direction' in the meta_keys of PackDetInputs"
        )
    if sample.flip and sample.flip_direction != 'horizontal':
        raise ValueError(f'test-time augmentation: flip direction {sample.flip_direction!r}: only horizontal is known')
    return bool(sample.flip)


def _to_instances(raw: RawPrediction, device: torch.device) -> InstanceData:
    """Convert a raw prediction to the fields that RawFCNMaskHead sets."""
    arrays = dict(bboxes=raw.boxes, scores=raw.scores, labels=raw.categories, mask_probs=raw.mask_probs)
    if raw.attribute_probs is not None:
        arrays['attribute_probs'] = raw.attribute_probs
    return InstanceData(**{name: torch.from_numpy(array).to(device) for name, array in arrays.items()})
