"""Carry the true attributes through the training pipeline beside the labels."""

from typing import ClassVar

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import PackDetInputs
from mmdet.registry import TRANSFORMS

from fashion_mmdet.classes import to_multi_hot


@TRANSFORMS.register_module()
class AttachAttributes(BaseTransform):
    """Append the true attributes to the labels: `gt_bboxes_labels` becomes (N, 1 + 92), the label first.

    mmdet's transforms crop, filter, join and reorder the arrays whose names they know; an array of another name would
    fall out of step. This step comes before any that drops objects, and `PackAttributes` splits the columns again.

    Raises:
        ValueError: the labels are not those of the image's objects, so some were dropped before.
    """

    def transform(self, results: dict) -> dict:
        """Append the `attributes` of the `instances`."""
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

    Raises:
        ValueError: no `AttachAttributes` before it.
    """

    mapping_table: ClassVar[dict] = {**PackDetInputs.mapping_table, 'gt_attributes': 'attributes'}

    def transform(self, results: dict) -> dict:
        """Split labels and attributes, then pack."""
        columns = results['gt_bboxes_labels']
        if columns.ndim != 2:
            raise ValueError('PackAttributes: the pipeline has no attributes; add the step AttachAttributes')
        return super().transform(
            {**results, 'gt_bboxes_labels': columns[:, 0].copy(), 'gt_attributes': columns[:, 1:].astype(bool)}
        )
