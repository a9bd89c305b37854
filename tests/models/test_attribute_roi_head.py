"""The attribute RoI head on one tiny level of features: its losses, its final boxes, images without a proposal."""

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from fashion_mmdet.models import AttributeRoIHead

EXTRACTOR = dict(
    type='SingleRoIExtractor',
    roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=2),
    out_channels=2,
    featmap_strides=[4],
)
TRAIN = ConfigDict(
    assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5),
    sampler=dict(type='AttributeSampler', num=8, pos_fraction=0.5),
    pos_weight=-1,
)
TEST = ConfigDict(score_thr=0.0, nms=dict(type='nms', iou_threshold=0.7), max_per_img=5)
META = dict(img_shape=(32, 32), scale_factor=(0.5, 0.5))


def roi_head(**changes) -> AttributeRoIHead:
    torch.manual_seed(0)
    built = MODELS.build(
        {
            **dict(
                type='AttributeRoIHead',
                bbox_roi_extractor=EXTRACTOR,
                train_cfg=TRAIN,
                test_cfg=TEST,
                bbox_head=dict(
                    type='AttributeBBoxHead', in_channels=2, num_shared_fcs=1, fc_out_channels=4, num_classes=3
                ),
            ),
            **changes,
        }
    )
    built.init_weights()
    return built


def features() -> tuple[torch.Tensor]:
    return (torch.rand(2, 2, 8, 8, generator=torch.Generator().manual_seed(1)),)


def proposals(*counts: int) -> list[InstanceData]:
    boxes = torch.tensor([[0.0, 0, 16, 16], [8, 8, 30, 30], [0, 16, 8, 32]])
    return [InstanceData(bboxes=boxes[:count], scores=torch.ones(count)) for count in counts]


def sample(attributes: list[int]) -> DetDataSample:
    marks = torch.zeros(1, 92, dtype=torch.bool)
    marks[0, attributes] = True
    truth = InstanceData(bboxes=torch.tensor([[0.0, 0, 16, 16]]), labels=torch.tensor([1]), attributes=marks)
    return DetDataSample(
        gt_instances=truth,
        ignored_instances=InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)),
        metainfo=META,
    )


@pytest.mark.parametrize(
    'finer',
    [None, {**EXTRACTOR, 'roi_layer': dict(type='RoIAlign', output_size=14, sampling_ratio=2)}],
    ids=['bbox_features', 'own_features'],
)
def test_training_adds_a_loss_and_learns_what_goes_with_a_class(finer: dict | None):
    """The second image's object is unlabelled; class 1 was seen with 3 and 5."""
    size = dict(attribute_feat_size=14) if finer else {}
    head = roi_head(
        attribute_roi_extractor=finer,
        bbox_head=dict(
            type='AttributeBBoxHead', in_channels=2, num_shared_fcs=1, fc_out_channels=4, num_classes=3, **size
        ),
    )
    losses = head.loss(features(), proposals(3, 3), [sample([3, 5]), sample([])])
    assert losses['loss_attribute'].item() > 0
    assert head.bbox_head.allowed_attributes.nonzero().tolist() == [[1, 3], [1, 5]]


def test_unlabelled_images_teach_no_attribute():
    head = roi_head()
    head.bbox_head.allowed_attributes[1, 3] = True
    losses = head.loss(features(), proposals(3, 3), [sample([]), sample([])])
    losses['loss_attribute'].backward()
    assert losses['loss_attribute'].item() == 0
    assert all((parameter.grad == 0).all() for parameter in head.bbox_head.attribute_fcs.parameters())


@pytest.mark.parametrize('counts', [(3, 2), (0, 2), (0, 0)])
def test_every_final_detection_gets_probabilities_of_its_image(counts: tuple[int, int]):
    """Boxes of the input are half as large as those of the photo; the probabilities are the same either way."""
    head = roi_head().eval()
    head.bbox_head.allowed_attributes[:] = True
    with torch.no_grad():
        plain, scaled = (
            head.predict_bbox(features(), [META] * 2, proposals(*counts), TEST, rescale=rescale)
            for rescale in (False, True)
        )
        for image, (one, other) in enumerate(zip(plain, scaled, strict=True)):
            count = len(one.labels)
            assert (count > 0) == (counts[image] > 0)
            assert one.attribute_probs.shape == (count, 92)
            torch.testing.assert_close(other.bboxes, one.bboxes * 2)
            torch.testing.assert_close(other.attribute_probs, one.attribute_probs)
            rois = torch.cat([torch.full((count, 1), float(image)), one.bboxes], dim=1)
            torch.testing.assert_close(
                one.attribute_probs,
                head.bbox_head.attribute_probs(head.bbox_roi_extractor(features(), rois), one.bboxes, one.labels),
            )
