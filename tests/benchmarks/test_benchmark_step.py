"""The training step's contenders do the same work."""

import math

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from fashion_mmdet.benchmarks import step
from fashion_mmdet.benchmarks.report import format_tables


def test_base_anchors_have_the_scale_and_the_ratios():
    """Stride 4: 32 * 32 px in all, height to width 0.5, 1, 2, round the origin."""
    anchors = step.base_anchors(4)
    width, height = (anchors[:, 2:] - anchors[:, :2]).T
    np.testing.assert_allclose(width * height, 1024)
    np.testing.assert_allclose(height / width, [0.5, 1, 2])
    np.testing.assert_allclose(anchors[:, :2], -anchors[:, 2:])


def test_anchors_are_those_of_mmdet():
    from mmdet.models.task_modules import AnchorGenerator

    levels = AnchorGenerator(strides=list(step.STRIDES), ratios=[0.5, 1.0, 2.0], scales=[8]).base_anchors
    for stride, anchors in zip(step.STRIDES, levels, strict=True):
        np.testing.assert_allclose(step.base_anchors(stride), anchors.numpy(), atol=1e-4)


def test_an_anchors_overlap_is_its_largest_iou():
    """Against torchvision's, for two boxes, one of them outside of most anchors' reach."""
    boxes = np.array([[10, 20, 60, 90], [100, 90, 128, 128]], np.float32)
    found = step.anchor_overlap(boxes, 128, 16)
    assert found.shape == (3, 8, 8)
    for ratio, y, x in ((0, 0, 0), (1, 3, 2), (2, 5, 7), (2, 7, 0)):
        anchor = step.base_anchors(16)[ratio] + 16 * np.array([x, y, x, y])
        expected = box_iou(torch.tensor(anchor)[None].float(), torch.from_numpy(boxes)).max().item()
        assert found[ratio, y, x] == pytest.approx(expected, abs=1e-6)


def test_the_truths_boxes_are_tight_and_the_same_every_time():
    batch = step.make_truth(128, 2)
    assert len(batch) == 2
    for (photo, boxes, labels, masks), again in zip(batch, step.make_truth(128, 2), strict=True):
        assert (photo.shape, photo.dtype, masks.shape) == ((128, 128, 3), np.uint8, (7, 128, 128))
        assert (labels >= 0).all()
        assert (labels < 46).all()
        for (left, top, right, bottom), mask in zip(boxes.astype(int), masks, strict=True):
            assert mask[top:bottom, left:right].sum() == mask.sum() > 0
            assert mask[top].any()
            assert mask[bottom - 1].any()
            assert mask[:, left].any()
            assert mask[:, right - 1].any()
        assert all((one == other).all() for one, other in zip((photo, boxes, labels, masks), again, strict=True))


@pytest.mark.slow
def test_all_train_on_the_same_rois_and_the_table_names_them():
    """One photo of 64 px: ours and mmdet's see the same RoIs; torchvision's sampler may draw a few others."""
    (table,) = step.run(1, size_px=64, images=1, memory=False)
    assert [row[1] for row in table.rows] == [
        'ours',
        'mmdet, stock config',
        'torchvision',
        'ours, all layers (as the config trains)',
    ]
    assert table.rows[0][3] == '1.00'
    assert 'training step, 1 x 64 px, 7 objects each' in format_tables([table], 'markdown')
    counts = [
        tuple(map(int, part.split()[-2:]))
        for part in table.note.replace(',', '')
        .split('): ')[1]
        .rstrip('.')
        .replace('mmdet', '\nmmdet')
        .replace('torchvision', '\ntorchvision')
        .splitlines()
    ]
    assert counts[0] == counts[1]
    assert abs(counts[2][1] - counts[0][1]) <= 0.1 * counts[0][1]


@pytest.mark.slow
@pytest.mark.parametrize(('frozen_stages', 'frozen'), [(1, True), (-1, False)])
def test_ours_trains_what_the_row_says(frozen_stages, frozen):
    ours = step.prepare_ours(64, 1, frozen_stages)
    assert ours.model.backbone.layer1[0].conv1.weight.requires_grad is not frozen
    assert ours.model.backbone.layer2[0].conv1.weight.requires_grad
    before = ours.model.backbone.layer2[0].conv1.weight.clone()
    gradients = []  # the step clears them
    ours.model.roi_head.mask_head.conv_logits.weight.register_hook(gradients.append)
    ours()
    (gradient,) = gradients
    assert math.isfinite(gradient.abs().sum())
    assert gradient.abs().sum() > 0
    torch.testing.assert_close(ours.model.backbone.layer2[0].conv1.weight, before)  # the rate is next to nothing
