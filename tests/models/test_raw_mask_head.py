"""The mask head's raw probabilities on hand-made logits, against mmdet's pasted masks."""

import math

import pytest
import torch
from mmdet.models import CascadeRoIHead, FCNMaskHead, HTCMaskHead, HybridTaskCascadeRoIHead
from mmdet.models.roi_heads.mask_heads.fcn_mask_head import _do_paste_mask
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from fashion_mmdet.models import RawFCNMaskHead, RawHTCMaskHead

CONFIG = dict(num_convs=1, in_channels=4, conv_out_channels=4, num_classes=3)
NO_SCALING = dict(scale_factor=(1.0, 1.0), ori_shape=(40, 60))


def head(**changes) -> RawFCNMaskHead:
    return MODELS.build(dict(type='RawFCNMaskHead', **{**CONFIG, **changes}))


def detections(labels: list[int], boxes: list[list[float]] | None = None) -> InstanceData:
    count = len(labels)
    return InstanceData(
        bboxes=torch.tensor(boxes or [[0.0, 0, 8, 8]] * count).reshape(count, 4),
        labels=torch.tensor(labels, dtype=torch.int64),
        scores=torch.linspace(0.9, 0.5, count),
    )


def predict(mask_head: RawFCNMaskHead, logits: list, results: list, meta: dict = NO_SCALING, **options) -> list:
    return mask_head.predict_by_feat(tuple(logits), results, [meta] * len(results), {}, **options)


def constant_logits(values: list[list[float]], side: int = 4) -> torch.Tensor:
    """One value a detection and class, all over its side x side grid."""
    return torch.tensor(values)[:, :, None, None].expand(-1, -1, side, side).contiguous()


def test_the_label_picks_the_channel_and_the_sigmoid_follows():
    """sigmoid(ln(p / (1 - p))) = p: ln 3 is 0.75, -ln 3 is 0.25, 0 is 0.5, exact in float16.

    Labels 2 and 0 of two detections: the third value of the first row, the first of the second.
    """
    logits = constant_logits([[9.0, 9.0, math.log(3)], [-math.log(3), 9.0, 9.0]])
    probs = predict(head(), [logits], [detections([2, 0])])[0].mask_probs
    assert probs.shape == (2, 4, 4)
    assert probs.dtype == torch.float16
    assert (probs[0] == 0.75).all()
    assert (probs[1] == 0.25).all()


def test_rows_and_columns_stay():
    """A grid of ln 3 at row 0, column 3 and 0 elsewhere: 0.75 there, 0.5 elsewhere."""
    logits = torch.zeros(1, 3, 4, 4)
    logits[0, 1, 0, 3] = math.log(3)
    probs = predict(head(), [logits], [detections([1])])[0].mask_probs
    wanted = torch.full((1, 4, 4), 0.5, dtype=torch.float16)
    wanted[0, 0, 3] = 0.75
    assert torch.equal(probs, wanted)


def test_a_class_agnostic_head_has_one_channel_for_every_label():
    logits = constant_logits([[math.log(3)], [-math.log(3)]])
    probs = predict(head(class_agnostic=True), [logits], [detections([2, 1])])[0].mask_probs
    assert (probs[0] == 0.75).all()
    assert (probs[1] == 0.25).all()


def test_activated_maps_are_taken_as_they_are():
    probs = predict(head(), [constant_logits([[0.5, 0.25, 0.75]])], [detections([1])], activate_map=True)[0].mask_probs
    assert (probs == 0.25).all()
    assert probs.dtype == torch.float16


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_logits_of_mixed_precision_give_float16_too(dtype):
    """The sigmoid is taken in float32: at logit 4, exact in either type, 1 / (1 + e^-4) = 0.98201, float16's
    neighbours being 2^-11 apart; bfloat16's are 2^-8.
    """
    probs = predict(head(), [constant_logits([[4.0, 0.0, 0.0]]).to(dtype)], [detections([0])])[0].mask_probs
    assert probs.dtype == torch.float16
    assert abs(float(probs[0, 0, 0]) - 0.98201) < 2**-12 + 1e-5


def test_extreme_logits_saturate():
    logits = constant_logits([[1e4, 0.0, 0.0], [-1e4, 0.0, 0.0]])
    probs = predict(head(), [logits], [detections([0, 0])])[0].mask_probs
    assert (probs[0] == 1).all()
    assert (probs[1] == 0).all()


def test_boxes_go_back_to_the_photo_by_each_axis_own_factor():
    """The input is half as wide and a quarter as high: x / 0.5, y / 0.25. 10 20 30 40 becomes 20 80 60 160."""
    meta = dict(scale_factor=(0.5, 0.25))
    results = [detections([0, 1], [[10.0, 20, 30, 40], [0, 0, 1, 1]])]
    found = predict(head(), [torch.zeros(2, 3, 4, 4)], results, meta, rescale=True)[0]
    assert found.bboxes.tolist() == [[20, 80, 60, 160], [0, 0, 2, 4]]


def test_boxes_stay_without_rescaling():
    results = [detections([0], [[10.0, 20, 30, 40]])]
    found = predict(head(), [torch.zeros(1, 3, 4, 4)], results, dict(scale_factor=(0.5, 0.25)))[0]
    assert found.bboxes.tolist() == [[10, 20, 30, 40]]


@pytest.mark.parametrize('class_agnostic', [False, True])
def test_no_detections_give_no_probabilities(class_agnostic):
    logits = torch.zeros(0, 1 if class_agnostic else 3, 28, 28)
    found = predict(head(class_agnostic=class_agnostic), [logits], [detections([])], rescale=True)[0]
    assert found.mask_probs.shape == (0, 28, 28)
    assert found.mask_probs.dtype == torch.float16
    assert found.bboxes.shape == (0, 4)


def test_each_image_gets_its_own_masks_and_scale():
    """Two detections, none, one; scales 1, 1 and 0.5."""
    logits = [
        constant_logits([[0.0] * 3, [math.log(3)] * 3]),
        torch.zeros(0, 3, 4, 4),
        constant_logits([[-math.log(3)] * 3]),
    ]
    results = [detections([0, 1]), detections([]), detections([2], [[1.0, 2, 3, 4]])]
    metas = [dict(scale_factor=(factor, factor)) for factor in (1.0, 1.0, 0.5)]
    found = head().predict_by_feat(tuple(logits), results, metas, {}, rescale=True)
    assert [each.mask_probs[:, 0, 0].tolist() for each in found] == [[0.5, 0.75], [], [0.25]]
    assert found[2].bboxes.tolist() == [[2, 4, 6, 8]]


def test_images_and_masks_of_different_counts_are_refused():
    with pytest.raises(ValueError, match='zip'):
        predict(head(), [torch.zeros(1, 3, 4, 4)], [detections([0]), detections([0])])


def test_forward_and_loss_are_mmdets():
    """14 x 14 features become 28 x 28 logits a class; training is not touched."""
    assert head()(torch.zeros(2, 4, 14, 14)).shape == (2, 3, 28, 28)
    for name in ('forward', 'loss_and_target', 'get_targets'):
        assert getattr(RawFCNMaskHead, name) is getattr(FCNMaskHead, name)


def test_pasted_probabilities_are_mmdets_masks():
    """Random logits, boxes over the edge too, a photo twice as wide and half as high as the input.

    float16 may move a probability by 2^-12 across mmdet's threshold of 0.5, so pixels that near do not count.
    """
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 3, 28, 28, generator=generator) * 4
    corners = torch.rand(5, 2, generator=generator) * 30 - 5
    boxes = torch.cat([corners, corners + 2 + torch.rand(5, 2, generator=generator) * 25], 1).tolist()
    meta = dict(scale_factor=(0.5, 2.0), ori_shape=(20, 60))
    raw = predict(head(), [logits], [detections([0, 1, 2, 1, 0], boxes)], meta, rescale=True)[0]
    pasted, _ = _do_paste_mask(raw.mask_probs.float()[:, None], raw.bboxes, 20, 60, skip_empty=False)
    theirs = FCNMaskHead(**CONFIG).predict_by_feat(
        (logits,), [detections([0, 1, 2, 1, 0], boxes)], [meta], ConfigDict(mask_thr_binary=0.5), rescale=True
    )[0]
    assert torch.equal(raw.bboxes, theirs.bboxes)
    clear = (pasted - 0.5).abs() > 2**-12
    assert clear.float().mean() > 0.99
    assert theirs.masks.any()
    assert torch.equal((pasted >= 0.5)[clear], theirs.masks[clear])


EXTRACTOR = dict(
    type='SingleRoIExtractor',
    roi_layer=dict(type='RoIAlign', output_size=14, sampling_ratio=0),
    out_channels=4,
    featmap_strides=[4],
)


@pytest.mark.parametrize(
    ('roi_head', 'mask_head', 'options'),
    [(CascadeRoIHead, RawFCNMaskHead, {}), (HybridTaskCascadeRoIHead, RawHTCMaskHead, dict(semantic_fusion=()))],
)
def test_a_cascade_gives_the_mean_of_its_stages_probabilities(
    roi_head: type, mask_head: type, options: dict, monkeypatch: pytest.MonkeyPatch
):
    """Stages say 0.75, 0.75, 0.25: 0.5833 on average; a sigmoid of the mean logit would give 0.5905."""
    built = roi_head(
        num_stages=3,
        stage_loss_weights=[1, 0.5, 0.25],
        bbox_roi_extractor=EXTRACTOR,
        mask_roi_extractor=EXTRACTOR,
        bbox_head=[dict(type='BBoxHead', in_channels=4, num_classes=3)] * 3,
        mask_head=[dict(type=mask_head.__name__, **CONFIG)] * 3,
        test_cfg=ConfigDict(mask_thr_binary=0.5),
        **options,
    )
    said = [constant_logits([[9.0, sign * math.log(3), 9.0]] * 3) for sign in (1, 1, -1)]
    monkeypatch.setattr(
        built, '_mask_forward', lambda stage, *args, **kwargs: dict(mask_preds=said if stage == -1 else said[stage])
    )
    results = [detections([1, 1]), detections([1])]
    feature = [torch.zeros(2, 4, 10, 10)]
    metas = [dict(scale_factor=(2.0, 2.0))] * 2
    semantic = (None,) if roi_head is HybridTaskCascadeRoIHead else ()
    found = built.predict_mask(feature, *semantic, metas, results, rescale=True)
    assert [tuple(one.mask_probs.shape) for one in found] == [(2, 4, 4), (1, 4, 4)]
    assert all(torch.allclose(one.mask_probs.float(), torch.tensor(1.75 / 3), atol=2**-11) for one in found)
    assert found[1].bboxes.tolist() == [[0, 0, 4, 4]]


def test_the_hybrid_cascades_head_passes_features_on_as_mmdets_does():
    assert RawHTCMaskHead.forward is HTCMaskHead.forward
    torch.manual_seed(0)
    built, features = RawHTCMaskHead(**CONFIG), torch.randn(2, 4, 14, 14)
    logits, passed_on = built(features, torch.randn(2, 4, 14, 14))
    assert logits.shape == (2, 3, 28, 28)
    assert passed_on.shape == features.shape
