"""A bbox head that also predicts attributes: multi-label, learned from labelled objects only."""

from collections.abc import Mapping, Sequence

import torch
from mmdet.models import ConvFCBBoxHead
from mmdet.registry import MODELS
from mmengine import dist
from mmengine.model import normal_init, xavier_init
from torch import Tensor, nn

from fashion_mmdet.classes import NUM_ATTRIBUTES

BOX_SHAPE = 2  # columns of box_shape
FPN_SIDE_PX = 224  # FPN's canonical box


def box_shape(boxes: Tensor) -> Tensor:
    """Compute the shape of (N, 4) boxes, which RoIAlign removes and attributes such as length need.

    Returns:
        (N, 2): log2(height / width), log2(sqrt(height * width) / 224).
    """
    width, height = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1).unbind(dim=1)
    return torch.stack([(height / width).log2(), ((height * width).sqrt() / FPN_SIDE_PX).log2()], dim=1)


@MODELS.register_module()
class AttributeBBoxHead(ConvFCBBoxHead):
    """mmdet's ConvFCBBoxHead with a third branch for attributes.

    An `AttributeRoIHead` calls the branch: in training for positive RoIs, in testing for the final detections. An
    attribute is learned and predicted for a class only if the buffer `allowed_attributes`, (classes, 92) bool, has it:
    if it was seen with the class in training. The buffer is part of the checkpoint.

    Args:
        num_attribute_convs: 3x3 convolutions of the branch, of `conv_out_channels`.
        num_attribute_fcs: fully connected layers of the branch, of `fc_out_channels`.
        attribute_feat_size: side of the branch's RoI features; None for those of the bbox branch.
        attribute_in_channels: channels of these features; None for those of the bbox branch.
        loss_attribute: mmdet loss on (N, 92) logits and targets: CrossEntropyLoss with `use_sigmoid=True` (binary
            cross-entropy) or FocalLoss, with its `loss_weight`.
        allowed_attributes: attribute ids by class, in place of those seen in training.
    """

    def __init__(
        self,
        *args,
        num_attribute_convs: int = 0,
        num_attribute_fcs: int = 1,
        attribute_feat_size: int | None = None,
        attribute_in_channels: int | None = None,
        loss_attribute: Mapping | None = None,
        allowed_attributes: Mapping[int, Sequence[int]] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.loss_attribute = MODELS.build(loss_attribute or dict(type='CrossEntropyLoss', use_sigmoid=True))
        channels = attribute_in_channels or self.in_channels
        convs: list[nn.Module] = []
        for _ in range(num_attribute_convs):
            convs += [nn.Conv2d(channels, self.conv_out_channels, 3, padding=1), nn.ReLU()]
            channels = self.conv_out_channels
        self.attribute_convs = nn.Sequential(*convs, nn.Flatten())
        size = attribute_feat_size or self.roi_feat_size[0]
        width = channels * size * size + BOX_SHAPE
        fcs: list[nn.Module] = []
        for _ in range(num_attribute_fcs):
            fcs += [nn.Linear(width, self.fc_out_channels), nn.ReLU()]
            width = self.fc_out_channels
        self.attribute_fcs = nn.Sequential(*fcs, nn.Linear(width, NUM_ATTRIBUTES))
        self.learns_allowed = allowed_attributes is None
        allowed = torch.zeros(self.num_classes, NUM_ATTRIBUTES, dtype=torch.bool)
        for label, ids in (allowed_attributes or {}).items():
            allowed[int(label), list(ids)] = True
        self.register_buffer('allowed_attributes', allowed)

    def init_weights(self) -> None:
        """Initialize the branch like mmdet's layers: every attribute starts near 0.5."""
        super().init_weights()
        for layer in [*self.attribute_convs, *self.attribute_fcs[:-1]]:
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                xavier_init(layer, distribution='uniform')
        normal_init(self.attribute_fcs[-1], std=0.01)

    def note_attributes(self, labels: Tensor, attributes: Tensor) -> None:
        """Allow the attributes, (G, 92) bool, of the batch's true objects for their labels, (G,), in all processes."""
        if not self.learns_allowed:
            return
        seen = torch.zeros_like(self.allowed_attributes, dtype=torch.int32)
        seen.index_put_((labels,), attributes.int(), accumulate=True)
        dist.all_reduce(seen)
        self.allowed_attributes |= seen > 0

    def attribute_logits(self, feats: Tensor, boxes: Tensor) -> Tensor:
        """Return (N, 92) float32 logits for RoI features (N, C, S, S) and boxes (N, 4) in pixels of the input."""
        return self.attribute_fcs(torch.cat([self.attribute_convs(feats), box_shape(boxes)], dim=1)).float()

    def attribute_loss(self, feats: Tensor, boxes: Tensor, labels: Tensor, attributes: Tensor) -> Tensor:
        """Compute the loss of positive RoIs whose true object has attributes, over those allowed for its class.

        The sum is divided by the number of true attributes, like focal loss by the number of objects. Without any it
        is zero, but still depends on the branch's weights, as distributed training needs.

        Args:
            feats: (P, C, S, S) features of positive RoIs.
            boxes: (P, 4) RoIs in pixels of the network's input.
            labels: (P,) int64, classes of their true objects.
            attributes: (P, 92) bool; an empty row is an object without labels.
        """
        logits = self.attribute_logits(feats, boxes)  # (P, 92)
        counted = self.allowed_attributes[labels] & attributes.any(dim=1, keepdim=True)
        if not counted.any():
            return logits.sum() * 0
        target = attributes & counted
        return self.loss_attribute(logits, target.float(), weight=counted.float(), avg_factor=max(int(target.sum()), 1))

    def attribute_probs(self, feats: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
        """Predict the attributes of detections of predicted classes `labels`; feats and boxes as `attribute_logits`.

        Returns:
            (N, 92) float16 in [0, 1]; exactly 0 where an attribute is not allowed for the class.
        """
        probs = self.attribute_logits(feats, boxes).sigmoid()
        return (probs * self.allowed_attributes[labels]).half()
