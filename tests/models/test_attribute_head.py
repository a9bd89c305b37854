"""The attribute branch on hand-made logits: what counts in the loss, what is learned as allowed, what is predicted."""

import math
from collections.abc import Sequence

import pytest
import torch
from mmdet.models.task_modules.assigners import AssignResult
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor

from fashion_mmdet.models import AttributeBBoxHead, AttributeSampler
from fashion_mmdet.models.attribute_head import box_shape
from fashion_mmdet.models.attribute_roi_head import positive_rois

BCE = dict(type='CrossEntropyLoss', use_sigmoid=True)
FOCAL = dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25)
FEATS, BOXES = torch.zeros(3, 2, 7, 7), torch.tensor([[0.0, 0, 10, 10]]).repeat(3, 1)


def head(logit: float = 0.0, allowed: dict | None = None, **changes) -> AttributeBBoxHead:
    """A head whose every logit is `logit`, whatever it sees."""
    config = dict(
        type='AttributeBBoxHead',
        in_channels=2,
        num_shared_fcs=1,
        fc_out_channels=4,
        num_classes=3,
        loss_attribute=BCE,
        allowed_attributes=allowed,
    )
    built = MODELS.build({**config, **changes})
    torch.nn.init.zeros_(built.attribute_fcs[-1].weight)
    torch.nn.init.constant_(built.attribute_fcs[-1].bias, logit)
    return built


def marks(*objects: Sequence[int]) -> Tensor:
    rows = torch.zeros(len(objects), 92, dtype=torch.bool)
    for row, ids in zip(rows, objects, strict=True):
        row[list(ids)] = True
    return rows


def test_binary_cross_entropy_counts_labelled_objects_and_allowed_attributes_only():
    """Logits ln 3, so p = 0.75. Class 0 allows 3, 5 and 7; class 1 allows 3.

    RoI 0 (class 0, has 3): -ln 0.75 - 2 ln 0.25. RoI 1 (class 1, unlabelled): nothing. RoI 2 (class 1, has 3):
    -ln 0.75. Two true attributes: (2 * 0.287682 + 2 * 1.386294) / 2 = 1.673976.
    """
    loss = head(math.log(3), {0: [3, 5, 7], 1: [3]}).attribute_loss(
        FEATS, BOXES, torch.tensor([0, 1, 1]), marks([3], [], [3])
    )
    assert loss.item() == pytest.approx(1.673976, abs=1e-5)


def test_focal_loss_by_hand_and_its_weight():
    """Logits 0, p = 0.5; a true attribute 0.25 * 0.5^2 * ln 2, a false one 0.75 * 0.5^2 * ln 2: 0.25 ln 2 in all.

    One true attribute, loss weight 4: ln 2.
    """
    loss = head(0.0, {0: [3, 5]}, loss_attribute={**FOCAL, 'loss_weight': 4.0}).attribute_loss(
        FEATS[:1], BOXES[:1], torch.tensor([0]), marks([3])
    )
    assert loss.item() == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize('count', [0, 2])
def test_without_a_labelled_object_the_loss_is_zero_and_still_reaches_the_weights(count: int):
    built = head(1.0, {0: [3]})
    loss = built.attribute_loss(
        FEATS[:count], BOXES[:count], torch.zeros(count, dtype=torch.long), marks(*[()] * count)
    )
    loss.backward()
    assert loss.item() == 0
    assert all((parameter.grad == 0).all() for parameter in built.attribute_fcs.parameters())


def test_what_training_shows_together_is_learned_and_travels_in_the_checkpoint():
    built = head()
    built.note_attributes(torch.tensor([0, 2]), marks([3, 5], []))
    built.note_attributes(torch.tensor([0]), marks([7]))
    assert built.allowed_attributes.nonzero().tolist() == [[0, 3], [0, 5], [0, 7]]
    other = head()
    other.load_state_dict(built.state_dict())
    assert torch.equal(other.allowed_attributes, built.allowed_attributes)


def test_what_the_config_allows_is_not_changed_by_training():
    built = head(allowed={'1': [4]})
    built.note_attributes(torch.tensor([0]), marks([3]))
    assert built.allowed_attributes.nonzero().tolist() == [[1, 4]]


def test_an_attribute_that_never_goes_with_the_class_gets_probability_zero():
    """sigmoid(ln 3) = 0.75, exact in float16."""
    probs = head(math.log(3), {0: [3], 1: [4, 5]}).attribute_probs(FEATS, BOXES, torch.tensor([0, 1, 2]))
    assert probs.dtype == torch.float16
    assert probs.nonzero().tolist() == [[0, 3], [1, 4], [1, 5]]
    assert set(probs[probs > 0].tolist()) == {0.75}


def test_no_detections_have_no_probabilities():
    assert head().attribute_probs(FEATS[:0], BOXES[:0], torch.zeros(0, dtype=torch.long)).shape == (0, 92)


def test_the_shape_of_a_box():
    """112 wide and 448 high: log2 4 = 2 and log2(224 / 224) = 0; a point counts as one pixel: 0, log2(1 / 224)."""
    shape = box_shape(torch.tensor([[0.0, 0, 112, 448], [5, 5, 5, 5]]))
    torch.testing.assert_close(shape, torch.tensor([[2.0, 0.0], [0.0, -math.log2(224)]]))


def test_convolutions_and_dense_layers_are_the_configs():
    built = head(
        num_attribute_convs=1, num_attribute_fcs=2, conv_out_channels=5, attribute_feat_size=14, attribute_in_channels=3
    )
    assert built.attribute_logits(torch.zeros(2, 3, 14, 14), BOXES[:2]).shape == (2, 92)
    assert [layer.out_features for layer in built.attribute_fcs if hasattr(layer, 'out_features')] == [4, 4, 92]


def assign(gt_inds: list[int], labels: list[int]) -> AssignResult:
    return AssignResult(max(gt_inds), torch.tensor(gt_inds), torch.zeros(len(gt_inds)), torch.tensor(labels))


def test_a_positive_roi_gets_the_attributes_of_its_object():
    """Priors 0 and 2 belong to the second and the first object (1-based numbers 2 and 1), prior 1 to none."""
    priors = InstanceData(priors=torch.tensor([[0.0, 0, 4, 4], [9, 9, 12, 12], [1, 1, 5, 5]]))
    truth = InstanceData(
        bboxes=torch.tensor([[1.0, 1, 5, 5], [0, 0, 4, 4]]), labels=torch.tensor([7, 8]), attributes=marks([3], [5, 6])
    )
    sampler = AttributeSampler(num=4, pos_fraction=0.5, add_gt_as_proposals=False)
    result = sampler.sample(assign([2, 0, 1], [8, -1, 7]), priors, truth)
    assert result.pos_gt_labels.tolist() == [8, 7]
    assert result.pos_gt_attributes.nonzero().tolist() == [[0, 5], [0, 6], [1, 3]]


def test_true_objects_without_attributes_are_refused_with_what_to_do():
    truth = InstanceData(bboxes=torch.zeros(1, 4), labels=torch.tensor([7]))
    with pytest.raises(ValueError, match='AttachAttributes and PackAttributes'):
        AttributeSampler(num=4, pos_fraction=0.5).sample(
            assign([1], [7]), InstanceData(priors=torch.zeros(1, 4)), truth
        )


def sampled(positive: int, negative: int) -> SamplingResult:
    count = positive + negative
    return SamplingResult(
        torch.arange(positive),
        torch.arange(positive, count),
        torch.zeros(count, 4),
        torch.zeros(1, 4),
        assign([1] * positive + [0] * negative, [0] * count),
        torch.zeros(count, dtype=torch.uint8),
    )


def test_positive_rois_come_first_image_by_image():
    marked = positive_rois([sampled(2, 1), sampled(0, 2), sampled(1, 0)], torch.device('cpu'))
    assert marked.tolist() == [True, True, False, False, False, True]
