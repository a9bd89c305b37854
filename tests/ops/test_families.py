"""mmdet's own models on the stand-ins: each builds, takes a training step and predicts."""

from pathlib import Path

import mmdet
import pytest

from tests.ops import families

MODELS = {
    'mask_rcnn/mask-rcnn_r50_fpn_1x_coco': {
        'model.test_cfg.rcnn.nms': dict(type='soft_nms', iou_threshold=0.5),
        'model.test_cfg.rcnn.score_thr': 0.0,
    },
    'deformable_detr/deformable-detr_r50_16xb2-50e_coco': {
        'model.encoder.num_layers': 1,
        'model.decoder.num_layers': 2,
        'model.num_queries': 30,
    },
    'mask2former/mask2former_r50_8xb2-lsj-50e_coco': {'model.train_cfg.num_points': 500},
    'rtmdet/rtmdet-ins_tiny_8xb32-300e_coco': {},
    'solov2/solov2-light_r18_fpn_ms-3x_coco': {},
    'point_rend/point-rend_r50-caffe_fpn_ms-1x_coco': {},
    'guided_anchoring/ga-retinanet_r50_fpn_1x_coco': {},
    'carafe/mask-rcnn_r50_fpn-carafe_1x_coco': {},
}


@pytest.mark.slow
@pytest.mark.parametrize('config', MODELS)
def test_a_model_trains_and_predicts_without_a_compiler(config: str):
    found = families.try_model(config, changes=MODELS[config])
    assert found.done == ['builds', 'trains', 'predicts'], found.why_not


def test_a_model_that_cannot_be_built_says_why():
    found = families.try_model('mask_rcnn/mask-rcnn_r50_fpn_1x_coco', changes={'model.neck.type': 'NoNeck'})
    assert found.done == []
    assert 'NoNeck' in found.why_not


def test_a_model_that_takes_too_long_is_stopped():
    assert (
        families.try_model('mask_rcnn/mask-rcnn_r50_fpn_1x_coco', 0.01).why_not == 'TimeoutError: not done after 0.01 s'
    )


def test_every_config_is_mmdets():
    folder = Path(mmdet.__file__).parent / '.mim' / 'configs'
    assert len(families.CONFIGS) > 80
    assert [config for config in families.CONFIGS if not (folder / f'{config}.py').is_file()] == []
