"""Every shipped config loads, builds, learns from a toy batch and predicts."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.registry import init_default_scope

from fashion_mmdet.cli import load_config
from fashion_mmdet.experiments.weights import drop_pretrained
from tests.conftest import ROOT

CONFIGS = sorted((ROOT / 'configs' / 'fashion').rglob('*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_config_trains_and_predicts_at_toy_size(path: Path):
    """Finite losses, a gradient for the RoI head, raw masks from the test step."""
    cfg = load_config(str(path))
    init_default_scope(cfg.default_scope)
    drop_pretrained(cfg.model)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    batch = demo_mm_inputs(2, [[3, 64, 96], [3, 96, 64]], num_items=[2, 1], num_classes=46, with_mask=True)

    losses, _ = model.parse_losses(model(**model.data_preprocessor(batch, True), mode='loss'))
    losses.backward()
    assert torch.isfinite(losses)
    assert model.roi_head.mask_head.conv_logits.weight.grad is not None

    model.eval()
    with torch.no_grad():
        samples = model(**model.data_preprocessor(batch, False), mode='predict')
    for sample in samples:
        count = len(sample.pred_instances.scores)
        assert count <= cfg.model.test_cfg.rcnn.max_per_img
        assert sample.pred_instances.mask_probs.shape == (count, 28, 28)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_config_declares_what_the_tools_rely_on(path: Path):
    cfg = load_config(str(path))
    assert cfg.model.roi_head.bbox_head.num_classes == 46
    assert cfg.val_evaluator.type == 'FashionIoUSweepMetric'
    assert cfg.val_evaluator.postprocess == cfg.postprocess
    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    assert (train.split, val.split) == ('train', 'val') or train.split == 'all'
    assert (train.seed, train.val_fraction) == (val.seed, val.val_fraction)
    assert path.read_text().startswith('"""'), 'a header says what it changes and why'


def test_lossw_declares_the_decks_weights_and_schedule():
    """Matterport's five losses 1.0, 0.8, 6.0, 6.0, 6.0; 5e-5 to epoch 10, then 5e-5 * 0.6 = 3e-5 to epoch 20."""
    cfg = load_config(str(ROOT / 'configs/fashion/maskrcnn_r50_lossw.py'))
    head = cfg.model.roi_head
    weights = [cfg.model.rpn_head.loss_cls, cfg.model.rpn_head.loss_bbox, head.bbox_head.loss_cls,
               head.bbox_head.loss_bbox, head.mask_head.loss_mask]
    assert [loss.loss_weight for loss in weights] == [1.0, 0.8, 6.0, 6.0, 6.0]
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.momentum, optimizer.weight_decay) == ('SGD', 5e-5, 0.9, 1e-4)
    (schedule,) = cfg.param_scheduler
    assert (schedule.milestones, optimizer.lr * schedule.gamma) == ([10], pytest.approx(3e-5))
    assert cfg.train_cfg.max_epochs == 20
    assert cfg.train_dataloader.dataset.num_images == 10_000
    assert cfg.model.test_cfg.rcnn.max_per_img == 50


def test_the_data_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    path = str(ROOT / 'configs/fashion/maskrcnn_r50_lossw.py')
    monkeypatch.delenv('FASHION_DATA', raising=False)
    assert load_config(path).train_dataloader.dataset.data_root == 'data/imaterialist'
    monkeypatch.setenv('FASHION_DATA', 'data/ccp')
    assert load_config(path).train_dataloader.dataset.data_root == 'data/ccp'


def test_one_postprocess_option_reaches_the_metric():
    path = str(ROOT / 'configs/fashion/quickstart.py')
    cfg = load_config(path, {'postprocess.score_thr': 0.3})
    assert cfg.val_evaluator.postprocess.score_thr == 0.3


def test_thresholds_cannot_be_set_for_the_metric_alone():
    with pytest.raises(ValueError, match='metric, submission and pictures share it'):
        load_config(str(ROOT / 'configs/fashion/quickstart.py'), {'val_evaluator.postprocess.score_thr': 0.3})


def test_a_schedule_that_ended_with_the_training_still_does():
    """20 epochs of cosine made 5: T_max and end follow; the warm-up by iterations stays."""
    cfg = load_config(str(ROOT / 'configs/fashion/maskrcnn_lite0_cpu.py'), {'train_cfg.max_epochs': 5})
    warm_up, cosine = cfg.param_scheduler
    assert (cosine.T_max, cosine.end) == (5, 5)
    assert warm_up.end == 100


@pytest.mark.parametrize('options', [{'param_scheduler.9.begin': 1}, {'train_cfg.max_epochs.a': 3}])
def test_an_option_that_does_not_fit_is_a_value_error(options: dict):
    with pytest.raises(ValueError, match='does not fit'):
        load_config(str(ROOT / 'configs/fashion/quickstart.py'), options)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_config_and_its_own_dump_do_not_differ(path: Path, tmp_path: Path):
    """What the tools add to a config they run says nothing of the experiment."""
    from fashion_mmdet.experiments.diff import diff_configs
    from fashion_mmdet.experiments.diff import load_config as read
    cfg = load_config(str(path))
    cfg.work_dir, cfg.launcher = str(tmp_path), 'none'
    cfg.dump(tmp_path / path.name)
    assert diff_configs([read(path), read(tmp_path / path.name)]) == []
