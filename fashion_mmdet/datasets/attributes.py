"""True attributes through the training pipeline: beside the labels, so that whatever drops an object drops them too."""

from typing import ClassVar

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import PackDetInputs
from mmdet.registry import TRANSFORMS

from fashion_mmdet.classes import to_multi_hot


@TRANSFORMS.register_module()
class AttachAttributes(BaseTransform):
    """Put the true attributes beside the labels: `gt_bboxes_labels` becomes (N, 1 + 92), the label first.

    mmdet's transforms crop, filter, join and reorder the arrays that they know by their first axis; one under a new
    name would fall out of step. So this comes after the annotations are loaded and before any object can be dropped,
    and `PackAttributes` takes the columns apart again.

    Raises:
        ValueError: the labels are not those of the image's objects, so some were dropped before.
    """

    def transform(self, results: dict) -> dict:
        """Read `instances` (with `attributes`), change `gt_bboxes_labels`."""
        labels, instances = results['gt_bboxes_labels'], results['instances']
        if not np.array_equal(labels, [instance['bbox_label'] for instance in instances]):
            raise ValueError(
                f'{results.get("img_path")}: {len(labels)} labels for {len(instances)} objects: the '
                'pipeline drops objects before AttachAttributes; put it right after the annotations'
            )
        marks = to_multi_hot([instance['attributes'] for instance in instances])
        results['gt_bboxes_labels'] = np.concatenate([labels.reshape(-1, 1), marks], axis=1).astype(np.int64)
        return results

    def __repr__(self) -> str:
        """Show the name, as mmdet's transforms do."""
        return f'{type(self).__name__}()'


@TRANSFORMS.register_module()
class PackAttributes(PackDetInputs):
    """mmdet's PackDetInputs, with `gt_instances.attributes`: (N, 92) bool, empty rows where nothing is labelled.

    Args: as mmdet's `PackDetInputs`.

    Raises:
        ValueError: no `AttachAttributes` before it.
    """

    mapping_table: ClassVar[dict] = {**PackDetInputs.mapping_table, 'gt_attributes': 'attributes'}

    def transform(self, results: dict) -> dict:
        """Take labels and attributes apart, then pack."""
        columns = results['gt_bboxes_labels']
        if columns.ndim != 2:
            raise ValueError('PackAttributes: the pipeline has no attributes; add the step AttachAttributes')
        return super().transform(
            {**results, 'gt_bboxes_labels': columns[:, 0].copy(), 'gt_attributes': columns[:, 1:].astype(bool)}
        )
