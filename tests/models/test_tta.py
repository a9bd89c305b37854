"""Test-time augmentation with masks: hand-made views, then a small random model on a drawn photo."""

import copy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from fashion_mmdet.config import load_config
from fashion_mmdet.evaluation.merge import Merge
from fashion_mmdet.experiments.tta import combine_views, use_tta
from fashion_mmdet.models import RawMaskTTAModel
from tests.conftest import ROOT

QUICKSTART = str(ROOT / 'configs/fashion/quickstart.py')
HEIGHT, WIDTH = 96, 70  # no multiple of 32: the batch is padded on one side
FLIPS = dict(flip=[dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)])
FIELDS = ('bboxes', 'scores', 'labels', 'mask_probs')


class Answers(torch.nn.Module):
    """A model that gives the samples of its batch back."""

    def test_step(self, data: dict) -> list:
        return data['data_samples']


def make_view(boxes: list, scores: list, labels: list, masks: list, flip: bool | None = False, **meta) -> DetDataSample:
    sample = DetDataSample(metainfo=dict(img_id='a.jpg', ori_shape=(40, 30), **meta))
    if flip is not None:
        sample.set_metainfo(dict(flip=flip, flip_direction='horizontal' if flip else None))
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor(boxes).reshape(-1, 4).float(),
        scores=torch.tensor(scores).float(),
        labels=torch.tensor(labels, dtype=torch.int64),
        mask_probs=torch.tensor(np.array(masks), dtype=torch.float16),
    )
    return sample


def merge_views(*views: DetDataSample, **options) -> DetDataSample:
    """Merge the views of one photo."""
    return RawMaskTTAModel(module=Answers(), merge=options).merge_preds([views])[0]


RAMP = np.tile(np.arange(28) / 32, (28, 1))  # rises to the right; exact in float16


@pytest.mark.parametrize('method', ['nms', 'wbf'])
def test_a_flipped_view_that_agrees_changes_nothing(method: str):
    """Width 30: 2 5 12 25 seen in the mirror is 18 5 28 25, its mask turned over."""
    plain = make_view([[2, 5, 12, 25]], [0.75], [3], [RAMP])
    mirrored = make_view([[18, 5, 28, 25]], [0.75], [3], [RAMP[:, ::-1]], flip=True)
    got = merge_views(plain, mirrored, method=method).pred_instances
    assert got.bboxes.tolist() == [[2, 5, 12, 25]]
    assert (got.scores.tolist(), got.labels.tolist()) == ([0.75], [3])
    np.testing.assert_array_equal(got.mask_probs[0], RAMP)
    assert [got[name].dtype for name in FIELDS] == [torch.float32, torch.float32, torch.int64, torch.float16]


def test_a_view_that_sees_nothing_halves_the_score():
    """One of two views: 0.8 / 2 = 0.4; mmdet gives no mask_probs where no image of the batch has a detection."""
    blind = make_view([], [], [], np.zeros((0, 28, 28)), flip=True)
    del blind.pred_instances.mask_probs
    got = merge_views(make_view([[2, 5, 12, 25]], [0.8], [3], [RAMP]), blind, method='wbf').pred_instances
    np.testing.assert_allclose(got.scores, [0.4], rtol=1e-6)
    np.testing.assert_array_equal(got.mask_probs[0], RAMP)


def test_views_that_see_nothing_give_nothing_of_the_right_shapes():
    views = [make_view([], [], [], np.zeros((0, 28, 28)), flip=flip) for flip in (False, True)]
    got = merge_views(*views).pred_instances
    assert [tuple(got[name].shape) for name in FIELDS] == [(0, 4), (0,), (0,), (0, 28, 28)]
    assert [got[name].dtype for name in FIELDS] == [torch.float32, torch.float32, torch.int64, torch.float16]


def test_a_batch_of_two_photos_keeps_their_views_apart():
    """The test loop's batch: a list of views, each a list of photos."""
    nothing = [], [], [], np.zeros((0, 28, 28))
    views = [
        [make_view([[2, 5, 12, 25]], [0.8], [3], [RAMP]), make_view(*nothing)],
        [make_view(*nothing, flip=True), make_view([[18, 5, 28, 25]], [0.6], [7], [RAMP], flip=True)],
    ]
    first, second = RawMaskTTAModel(module=Answers(), merge=dict(method='nms')).test_step(dict(data_samples=views))
    assert first.pred_instances.labels.tolist() == [3]
    assert second.pred_instances.labels.tolist() == [7]
    assert second.pred_instances.bboxes.tolist() == [[2, 5, 12, 25]]


def test_the_first_view_s_metainfo_stays():
    views = [make_view([[2, 5, 12, 25]], [0.8], [3], [RAMP], flip=flip, instances=['the truth']) for flip in (0, 1)]
    assert merge_views(*views).instances == ['the truth']
    assert merge_views(*views).flip == 0


def test_other_flips_and_pipelines_that_do_not_tell_are_refused():
    view = make_view([], [], [], np.zeros((0, 28, 28)), flip=True)
    view.set_metainfo(dict(flip_direction='vertical'))
    with pytest.raises(ValueError, match="'vertical': only horizontal"):
        merge_views(view)
    with pytest.raises(ValueError, match='does not say whether it is flipped: it needs a RandomFlip'):
        merge_views(make_view([], [], [], np.zeros((0, 28, 28)), flip=None))
    with pytest.raises(ValueError, match='merge iou: no such option'):
        RawMaskTTAModel(module=Answers(), merge=dict(iou=0.5))


def test_views_are_all_combinations_in_the_pipeline_s_order():
    """Steps of the pipeline stay, an alternative changes only what it says, a new step is taken as it is."""
    pipeline = dict(pack=dict(type='P'), load=dict(type='L', scale=(6, 4)), blur=None)
    got = combine_views(
        pipeline,
        dict(flip=[dict(type='F', prob=0.0), dict(type='F', prob=1.0)], load=[dict(), dict(ratio_range=(2, 2))]),
    )
    assert got == [
        dict(
            type='TestTimeAug',
            transforms=[
                [dict(type='L', scale=(6, 4)), dict(type='L', scale=(6, 4), ratio_range=(2, 2))],
                [dict(type='F', prob=0.0), dict(type='F', prob=1.0)],
                [dict(type='P')],
            ],
        )
    ]


@pytest.mark.parametrize(
    ('pipeline', 'views', 'complaint'),
    [
        ([dict(type='L')], {}, 'give both as lists'),
        (dict(load=dict(type='L')), dict(turn=[dict(type='T')]), "'turn'"),
        (dict(load=dict(type='L')), dict(flip=[dict(prob=1.0)]), r'tta_pipeline\.flip: the pipeline has no such step'),
    ],
)
def test_views_that_do_not_fit_the_pipeline_are_refused(pipeline: object, views: dict, complaint: str):
    with pytest.raises(ValueError, match=complaint):
        combine_views(pipeline, views)


def test_a_config_without_tta_says_what_to_add():
    with pytest.raises(ValueError, match=r"add '\.\./_base_/tta\.py' to its _base_"):
        use_tta(Config(dict(test_dataloader=dict(dataset=dict(pipeline={})))))


def test_a_pipeline_given_as_a_list_is_taken_as_it_is():
    cfg = Config(
        dict(
            tta_model=dict(type='RawMaskTTAModel'),
            tta_pipeline=[dict(type='TestTimeAug', transforms=[])],
            test_dataloader=dict(dataset=dict(pipeline=[dict(type='LoadScaled')])),
        )
    )
    use_tta(cfg)
    assert cfg.test_dataloader.dataset.pipeline == cfg.tta_pipeline
    assert cfg.custom_hooks[0].tta_cfg.type == 'RawMaskTTAModel'


@pytest.fixture(scope='module')
def model() -> torch.nn.Module:
    """The demo's model from random numbers; the first class in every box scores some 1/47, so 0.01 lets it through."""
    cfg = load_config(QUICKSTART, {'model.backbone.weights': None, 'model.test_cfg.rcnn.max_per_img': 20})
    init_default_scope('mmdet')
    torch.manual_seed(0)
    return MODELS.build(cfg.model).eval()


@pytest.fixture(scope='module')
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn photo of 96x70, and its mirror image beside it, without loss."""
    image = np.random.default_rng(0).integers(0, 60, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    cv2.circle(image, (20, 30), 14, (200, 40, 90), -1)
    cv2.rectangle(image, (38, 40), (60, 90), (30, 220, 160), -1)
    path = tmp_path_factory.mktemp('photo') / 'photo.png'
    cv2.imwrite(str(path), image)
    cv2.imwrite(str(path.with_name('mirrored.png')), image[:, ::-1])
    return path


def predict(model: torch.nn.Module, path: Path, views: dict, merge: dict | None, **meta) -> InstanceData:
    """Predict a photo through the shipped test pipeline; without `merge` by the model alone, its first view."""
    pipeline = load_config(QUICKSTART).test_dataloader.dataset.pipeline
    pipeline.load.scale = (HEIGHT, WIDTH)  # no resizing, which would round a photo and its mirror image differently
    data = Compose(combine_views(pipeline, views))(dict(img_id='a', img_path=str(path), instances=[], **meta))
    batch = pseudo_collate([copy.deepcopy(data)])
    with torch.no_grad():
        if merge is None:
            return model.test_step({key: value[0] for key, value in batch.items()})[0].pred_instances
        return RawMaskTTAModel(module=model, merge=merge).test_step(batch)[0].pred_instances


NO_MERGING = dict(method='nms', iou_thr=1.0, duplicate_iou=None)


def test_one_plain_view_without_suppression_is_the_plain_result(model: torch.nn.Module, photo: Path):
    plain = predict(model, photo, {}, None)
    assert len(plain.scores) == 20
    got = predict(model, photo, dict(flip=FLIPS['flip'][:1]), NO_MERGING)
    for name in FIELDS:
        torch.testing.assert_close(got[name], plain[name], rtol=0, atol=0)


@pytest.mark.parametrize('method', ['nms', 'wbf'])
def test_flip_tta_of_a_mirrored_photo_is_the_mirrored_result(model: torch.nn.Module, photo: Path, method: str):
    """Both times the network sees the same two inputs, so only the arithmetic of mirroring differs."""
    merge = dict(method=method, iou_thr=0.5)
    one, other = (predict(model, path, FLIPS, merge) for path in (photo, photo.with_name('mirrored.png')))
    plain = predict(model, photo, {}, None)
    assert len(one.scores) > 3
    assert len(one.scores) != len(plain.scores) or (one.bboxes - plain.bboxes).abs().max() > 1
    x1, y1, x2, y2 = other.bboxes.T
    torch.testing.assert_close(torch.stack([WIDTH - x2, y1, WIDTH - x1, y2], 1), one.bboxes, rtol=0, atol=1e-3)
    torch.testing.assert_close(other.scores, one.scores)
    assert torch.equal(other.labels, one.labels)
    torch.testing.assert_close(other.mask_probs.flip(2), one.mask_probs, rtol=0, atol=2e-3)


def test_boxes_of_larger_and_smaller_views_are_in_pixels_of_the_photo(model: torch.nn.Module, photo: Path):
    """The shipped views: scales 1, 0.75 and 1.25, each plain and flipped, six inputs of three sizes."""
    views = load_config(QUICKSTART).tta_pipeline
    got = predict(model, photo, views, dict(Merge.from_config(NO_MERGING).__dict__, max_per_image=None))
    assert len(got.scores) == 6 * 20
    assert got.bboxes.min() >= -1e-3
    assert WIDTH - 1 < got.bboxes[:, 2].max() <= WIDTH + 1e-3
    assert HEIGHT - 1 < got.bboxes[:, 3].max() <= HEIGHT + 1e-3
