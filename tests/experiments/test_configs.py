"""Every shipped config loads, builds, learns from a toy batch and predicts."""

from ast import literal_eval
from functools import cache, reduce
from pathlib import Path

import mmdet
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config, ConfigDict
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from fashion_mmdet.config import load_config, parse_options, read_config
from fashion_mmdet.experiments.diff import MISSING, diff_configs
from fashion_mmdet.experiments.weights import drop_pretrained
from fashion_mmdet.utils.config_keys import TOP_LEVEL, arguments
from fashion_mmdet.utils.files import write_text
from tests.conftest import ROOT

CONFIGS = sorted((ROOT / 'configs' / 'fashion').rglob('*.py'))


@pytest.fixture(autouse=True)
def same_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """A config that is read once has the same data folder in every test, whichever tests ran before."""
    monkeypatch.setenv('FASHION_DATA', 'data/any')


@cache
def read(path: Path) -> Config:
    """Load a shipped config once, to compare it."""
    return read_config(path, import_custom_modules=False)


@cache
def read_shipped(path: Path) -> Config:
    """Load a shipped config once as the tools do, to look into it."""
    return load_config(str(path))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_config_builds_data_model_and_optimizer_learns_and_predicts(
    path: Path, sample_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """All three loaders on drawn photos; steps at toy size, once for all configs of the same model."""
    monkeypatch.setenv('FASHION_DATA', str(sample_root))
    monkeypatch.chdir(tmp_path)
    cfg = load_config(str(path))
    init_default_scope(cfg.default_scope)
    assert_loaders(cfg)
    drop_pretrained(cfg.model)
    assert_optimizer(cfg, build_without_values(repr(cfg.model.to_dict())))
    assert_model_learns_and_predicts(repr(shrink(cfg.model).to_dict()))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_config_stops_at_an_invalid_loss_and_resumes_as_if_never_stopped(path: Path):
    cfg = read_shipped(path)
    assert {'StopAtInvalidLoss', 'RepeatableHook', 'SafeCheckpointHook'} <= {
        hook.type for hook in cfg.default_hooks.values()
    }
    assert not cfg.train_dataloader.persistent_workers


@cache
def build_without_values(model: str) -> torch.nn.Module:
    """Build a model from its settings' text, its parameters without memory; X101 would take a gigabyte."""
    with torch.device('meta'):
        return MODELS.build(ConfigDict(literal_eval(model)))


def shrink(model: ConfigDict) -> ConfigDict:
    """Make a cascade small, all kinds of layer kept: few RoIs, an eighth of the channels, ResNeXt as deep as R50."""
    if 'Cascade' in model.type:
        for head, stage in zip(model.roi_head.bbox_head, model.train_cfg.rcnn, strict=True):
            head.fc_out_channels, stage.sampler.num = 32, 16
        model.train_cfg.rpn_proposal.max_per_img = model.test_cfg.rpn.max_per_img = 32
        narrow(model)
    if model.backbone.type == 'ResNeXt':
        model.backbone.update(depth=50, groups=4)
    return model


def narrow(node: object) -> None:
    """Turn 256 channels into 32 wherever a model's settings name them."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if str(key).endswith('channels') and value == 256:
            node[key] = 32
        narrow(value)


@cache
def assert_model_learns_and_predicts(model: str) -> None:
    """Build a model from its settings' text, train and test it."""
    settings = ConfigDict(literal_eval(model))
    torch.manual_seed(0)
    built = MODELS.build(settings)
    built.init_weights()
    assert_steps_and_prediction(built, settings.test_cfg.rcnn.max_per_img, 2 if 'Cascade' in settings.type else 1)


def assert_loaders(cfg: Config) -> None:
    """Train and val share the 12 photos of the sample; only train has boxes and masks."""
    targets = cfg.train_dataloader.sampler.get('targets')
    if targets:
        write_text(targets, '{"targets": [0, 23]}')
    train, val, test = (Runner.build_dataloader(cfg[f'{name}_dataloader'], seed=0) for name in ('train', 'val', 'test'))
    assert len(train.dataset) + len(val.dataset) == 12
    assert len(val.dataset) > 0
    assert len(test.dataset) == 4
    sample = train.dataset[next(iter(train.sampler))]
    assert sample['inputs'].shape[0] == 3
    assert 'masks' in sample['data_samples'].gt_instances
    assert len(val.dataset[0]['data_samples'].gt_instances) == 0


def assert_optimizer(cfg: Config, model: torch.nn.Module) -> None:
    """Every parameter that learns is in the optimizer; a frozen backbone learns nothing."""
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    optimized = {id(parameter) for group in optimizer.param_groups for parameter in group['params']}
    assert {id(parameter) for parameter in model.parameters() if parameter.requires_grad} <= optimized
    assert type(optimizer).__name__ == cfg.optim_wrapper.optimizer.type
    frozen = cfg.model.backbone.frozen_stages >= (4 if cfg.model.backbone.type.startswith('ResNe') else 5)
    assert frozen == (not any(parameter.requires_grad for parameter in model.backbone.parameters()))


def assert_steps_and_prediction(model: torch.nn.Module, max_per_img: int, steps: int) -> None:
    """Finite losses, gradients for all mask heads, raw masks from the test step; two photos fill one 64x64 batch."""
    batch = demo_mm_inputs(2, [[3, 32, 64], [3, 64, 32]], num_items=[2, 1], num_classes=46, with_mask=True)
    for sample in batch['data_samples']:  # every object carries attribute 3; only an attribute head asks
        sample.gt_instances.attributes = torch.arange(92).expand(len(sample.gt_instances), -1) == 3
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    for step in range(steps):
        losses, _ = model.parse_losses(model(**model.data_preprocessor(batch, True), mode='loss'))
        optimizer.zero_grad()
        losses.backward()
        assert torch.isfinite(losses)
        assert all(parameter.grad is not None for parameter in model.roi_head.mask_head.parameters())
        if step < steps - 1:
            optimizer.step()

    model.eval()
    with torch.no_grad():
        samples = model(**model.data_preprocessor(batch, False), mode='predict')
    for sample in samples:
        count = len(sample.pred_instances.scores)
        assert count <= max_per_img
        assert sample.pred_instances.mask_probs.shape == (count, 28, 28)
        if type(model.roi_head).__name__ == 'AttributeRoIHead':
            assert sample.pred_instances.attribute_probs.shape == (count, 92)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_config_declares_what_the_tools_rely_on(path: Path):
    cfg = read_shipped(path)
    assert all(head.num_classes == 46 for kind in ('bbox_head', 'mask_head') for head in stages(cfg, kind))
    assert cfg.val_evaluator.type == 'FashionIoUSweepMetric'
    assert cfg.val_evaluator.postprocess == cfg.postprocess
    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    assert (train.split, val.split) == ('train', 'val') or train.split == 'all'
    assert (train.seed, train.val_fraction) == (val.seed, val.val_fraction)
    assert path.read_text().startswith('"""'), 'a header says what it changes and why'


def stages(cfg: Config, kind: str) -> list[ConfigDict]:
    """List the settings of a model's heads of a kind: one, or as many as it has stages."""
    heads = cfg.model.roi_head[kind]
    return heads if isinstance(heads, list) else [heads]


# mmdet's configs whose COCO weights the stronger models start from, and the page of its model zoo that names these.
STRONGER = {
    'cascade_mask_rcnn_r50': 'cascade_rcnn/cascade-mask-rcnn_r50_fpn_ms-3x_coco',
    'cascade_mask_rcnn_x101': 'cascade_rcnn/cascade-mask-rcnn_x101-64x4d_fpn_ms-3x_coco',
    'htc_r50': 'htc/htc_r50_fpn_20e_coco',
    'htc_x101_dcn_ms': 'htc/htc_x101-64x4d-dconv-c3-c5_fpn_ms-400-1400-16xb1-20e_coco',
}


@pytest.mark.parametrize('name', STRONGER)
def test_the_coco_weights_of_a_stronger_model_fit_it_but_for_the_classes(name: str):
    """Names and shapes against mmdet's own config; that has 80 classes and, in HTC, a semantic branch more."""
    cfg, zoo = read_shipped(ROOT / f'configs/fashion/{name}.py'), Path(mmdet.__file__).parent / '.mim/configs'
    init_default_scope(cfg.default_scope)
    model = ConfigDict(cfg.model.to_dict())
    drop_pretrained(model)
    ours, theirs = (
        {key: tuple(value.shape) for key, value in build_without_values(repr(settings.to_dict())).state_dict().items()}
        for settings in (model, Config.fromfile(zoo / f'{STRONGER[name]}.py').model)
    )
    differing = {key.split('.')[3] for key, shape in ours.items() if theirs[key] != shape}
    assert differing == {'fc_cls', 'conv_logits'}
    assert {'.'.join(key.split('.')[:2]) for key in theirs if key not in ours} <= {'roi_head.semantic_head'}
    assert f'Weights: {cfg.load_from}\n' in (zoo / STRONGER[name]).parent.joinpath('metafile.yml').read_text()


R50, CPU = 'configs/fashion/maskrcnn_r50_{}.py', 'configs/fashion/cpu/maskrcnn_lite0_{}.py'
PIPELINE = 'train_dataloader.dataset.pipeline'
COCO = 'https://download.openmmlab.com/mmdetection/v2.0/mask_rcnn/mask_rcnn_{0}_fpn_2x_coco/mask_rcnn_{0}_fpn_2x_coco_'
SCHEDULE = 'param_scheduler.MultiStepLR'
# What each step of the ablation changes against the one that it stands on, and nothing else: key -> value there.
ABLATION = {
    'heads': (
        'configs/fashion/maskrcnn_r101_baseline.py',
        {
            'model.backbone.depth': 50,
            'model.backbone.frozen_stages': 4,
            'train_dataloader.dataset.num_images': 5000,
            'coco_weights': COCO.format('r50') + 'bbox_mAP-0.392__segm_mAP-0.354_20200505_003907-3e542a40.pth',
            'load_from': COCO.format('r50') + 'bbox_mAP-0.392__segm_mAP-0.354_20200505_003907-3e542a40.pth',
            'deck_score': 0.044,
        },
    ),
    'all': (
        R50.format('heads'),
        {
            'model.backbone.frozen_stages': -1,
            'load_from': 'work_dirs/maskrcnn_r50_heads/epoch_10.pth',
            f'{SCHEDULE}.type': 'MultiStepLR',
            f'{SCHEDULE}.by_epoch': True,
            f'{SCHEDULE}.milestones': [10],
            f'{SCHEDULE}.gamma': 0.1,
            'train_cfg.max_epochs': 20,
            'deck_score': 0.063,
        },
    ),
    'aug': (
        R50.format('all'),
        {
            f'{PIPELINE}.load.ratio_range': [0.8, 1.25],
            f'{PIPELINE}.rotate.type': 'Rotate',
            f'{PIPELINE}.rotate.prob': 0.5,
            f'{PIPELINE}.rotate.max_mag': 10.0,
            f'{PIPELINE}.crop.type': 'RandomCrop',
            f'{PIPELINE}.crop.crop_type': 'relative_range',
            f'{PIPELINE}.crop.crop_size': [0.7, 0.7],
            f'{PIPELINE}.crop.recompute_bbox': True,
            f'{PIPELINE}.crop.allow_negative_crop': False,
            f'{PIPELINE}.filter.type': 'FilterAnnotations',
            f'{PIPELINE}.filter.min_gt_bbox_wh': [1, 1],
            f'{PIPELINE}.filter.min_gt_mask_area': 4,
            f'{PIPELINE}.filter.by_mask': True,
            f'{PIPELINE}.color.type': 'PhotoMetricDistortion',
            f'{PIPELINE}.blur.type': 'RandomBlur',
            f'{PIPELINE}.blur.prob': 0.2,
            f'{PIPELINE}.blur.sigma': [0.5, 1.5],
            'deck_score': None,
        },
    ),
    'ident': (
        R50.format('aug'),
        {
            'model.rpn_head.loss_cls.loss_weight': 10.0,
            'model.rpn_head.loss_bbox.loss_weight': 0.8,
            'model.roi_head.bbox_head.loss_cls.loss_weight': 6.0,
            'model.roi_head.bbox_head.loss_bbox.loss_weight': 6.0,
            'model.roi_head.mask_head.loss_mask.loss_weight': 6.0,
            'optim_wrapper.optimizer.lr': 1e-4,
            f'{SCHEDULE}.gamma': 0.5,
            'deck_score': 0.078,
        },
    ),
    'lossw': (
        R50.format('ident'),
        {
            'model.rpn_head.loss_cls.loss_weight': 1.0,
            'train_dataloader.dataset.num_images': 10000,
            'optim_wrapper.optimizer.lr': 5e-5,
            f'{SCHEDULE}.gamma': 0.6,
            'model.test_cfg.rcnn.max_per_img': 50,
            'deck_score': 0.081,
        },
    ),
    'resampled': (
        R50.format('lossw'),
        {
            'train_dataloader.sampler.type': 'ClassBalancedSampler',
            'train_dataloader.sampler.shuffle': MISSING,
            'train_dataloader.sampler.rule': 'sensitivity',
            'train_dataloader.sampler.factor': 3.0,
            'train_dataloader.sampler.num_images': 3000,
            'train_dataloader.sampler.targets': 'work_dirs/maskrcnn_r50_lossw/sensitivity.json',
            'optim_wrapper.optimizer.lr': 1e-4,
            f'{SCHEDULE}.milestones': [5],
            f'{SCHEDULE}.gamma': 0.5,
            'train_cfg.max_epochs': 10,
            'deck_score': 0.082,
        },
    ),
    'full': (R50.format('lossw'), {'train_dataloader.dataset.num_images': None, 'deck_score': None}),
    'smooth': (
        R50.format('full'),
        {
            f'{PIPELINE}.load.interpolation': 'area',
            f'{PIPELINE}.load.mask_interpolation': 'area',
            'val_dataloader.dataset.pipeline.load.interpolation': 'area',
            'test_dataloader.dataset.pipeline.load.interpolation': 'area',
        },
    ),
}


@pytest.mark.parametrize('step', ABLATION)
def test_a_step_changes_what_the_ablation_says_and_nothing_else(step: str):
    parent, expected = ABLATION[step]
    rows = diff_configs([read(ROOT / parent), read(ROOT / R50.format(step))])
    assert {key: after for key, (_, after) in rows} == expected


# The CPU's equal budget replaces rates and epochs; what else a step changes it changes there too, in CPU terms.
BUDGET = ('optim_wrapper', 'param_scheduler', 'train_cfg', 'coco_weights')
CPU_TERMS = {
    'heads': {
        'model.backbone.depth': MISSING,
        'model.backbone.frozen_stages': 5,
        'train_dataloader.dataset.num_images': 160,
        'load_from': MISSING,
    },
    # The first two levels stay frozen on a CPU.
    'all': {'model.backbone.frozen_stages': 2, 'load_from': 'work_dirs/maskrcnn_lite0_heads/iter_100.pth'},
    'lossw': {'train_dataloader.dataset.num_images': 320},
    'resampled': {
        'train_dataloader.sampler.targets': 'work_dirs/maskrcnn_lite0_lossw/sensitivity.json',
        'train_dataloader.sampler.num_images': None,
    },
}


@pytest.mark.parametrize('step', ABLATION)
def test_a_cpu_step_changes_what_its_r50_twin_changes(step: str):
    parent, expected = ABLATION[step]
    expected = {key: value for key, value in expected.items() if not key.startswith(BUDGET)} | CPU_TERMS.get(step, {})
    expected = {
        key: value
        for key, value in expected.items()
        if value is not MISSING or key == 'train_dataloader.sampler.shuffle'
    }
    below = CPU.format(Path(parent).stem.rpartition('_')[2])
    rows = diff_configs([read(ROOT / below), read(ROOT / CPU.format(step))])
    assert {key: after for key, (_, after) in rows if not key.startswith(BUDGET)} == expected


def test_every_step_has_its_twin_on_the_cpu():
    names = [path.stem.rpartition('_')[2] for path in CONFIGS if path.parent.name == 'cpu']
    assert names == sorted(['baseline', *ABLATION])


def loss_weights(cfg: Config) -> list[float]:
    """Return the weights of the five losses: RPN class and box, RoI class, box and mask."""
    rpn, roi = cfg.model.rpn_head, cfg.model.roi_head
    losses = rpn.loss_cls, rpn.loss_bbox, roi.bbox_head.loss_cls, roi.bbox_head.loss_bbox, roi.mask_head.loss_mask
    return [loss.loss_weight for loss in losses]


def test_the_baseline_is_r101_with_all_five_losses_weighing_one():
    cfg = read_shipped(ROOT / 'configs/fashion/maskrcnn_r101_baseline.py')
    assert loss_weights(cfg) == [1.0] * 5
    assert cfg.model.backbone.depth == 101


def test_the_heads_run_trains_as_matterport_does():
    cfg = read_shipped(ROOT / R50.format('heads'))
    assert cfg.optim_wrapper.optimizer == dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=1e-4)
    assert cfg.train_cfg.max_epochs == 10


def test_lossw_declares_the_reports_weights_and_schedule():
    """Matterport's five losses 1.0, 0.8, 6.0, 6.0, 6.0; 5e-5 to epoch 10, then 5e-5 * 0.6 = 3e-5 to epoch 20."""
    cfg = read_shipped(ROOT / 'configs/fashion/maskrcnn_r50_lossw.py')
    assert loss_weights(cfg) == [1.0, 0.8, 6.0, 6.0, 6.0]
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


def test_a_step_by_iterations_stretches_its_cosine_and_keeps_its_warm_up():
    """Warm-up to iteration 25, cosine from 25 to 100; of 200 iterations the cosine takes 200 - 25 = 175."""
    cfg = load_config(str(ROOT / CPU.format('all')), {'train_cfg.max_iters': 200})
    warm_up, cosine = cfg.param_scheduler
    assert (warm_up.begin, warm_up.end) == (0, 25)
    assert (cosine.begin, cosine.end, cosine.T_max) == (25, 200, 175)


def test_epochs_for_a_loop_by_iterations_are_refused():
    with pytest.raises(ValueError, match=r'max_epochs: IterBasedTrainLoop takes no .*nearest: train_cfg\.max_iters'):
        load_config(str(ROOT / CPU.format('all')), {'train_cfg.max_epochs': 5})


def read_knobs() -> list[tuple[str, str, str]]:
    """Read the rows of configs/README.md's table of settings: name, first key, first example."""
    text = (ROOT / 'configs/README.md').read_text().split('## Settings')[1].split('## ')[0]
    rows = [line.split('|')[1:-1] for line in text.splitlines() if line.startswith('| ') and '`' in line]
    return [(name.strip(), key.split('`')[1], example.split('`')[1].strip('"')) for name, key, example in rows]


@pytest.mark.parametrize(('name', 'key', 'example'), read_knobs(), ids=lambda value: str(value).replace(' ', '_'))
def test_a_knob_of_the_readme_is_a_key_of_the_ablation_and_takes_its_example(name: str, key: str, example: str):
    path = ROOT / R50.format('resampled')
    if key not in ('optim_wrapper.accumulative_counts', 'default_hooks.ema.type'):  # these are added
        parent, _, last = key.rpartition('.')
        assert last in reduce(
            lambda node, part: node[int(part) if part.isdigit() else part], parent.split('.'), read_shipped(path)
        )
    cfg = load_config(str(path), parse_options([f'{key}={example}']))
    value = reduce(lambda node, part: node[int(part) if part.isdigit() else part], key.split('.'), cfg)
    assert value == parse_options([f'x={example}'])['x']


@pytest.mark.parametrize('options', [{'param_scheduler.9.begin': 1}, {'train_cfg.max_epochs.a': 3}])
def test_an_option_that_does_not_fit_is_a_value_error(options: dict):
    with pytest.raises(ValueError, match='does not fit'):
        load_config(str(ROOT / 'configs/fashion/quickstart.py'), options)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_config_and_its_own_dump_do_not_differ(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What the tools add to a config they run says nothing of the experiment."""
    monkeypatch.delenv('FASHION_DATA')
    cfg = load_config(str(path))
    cfg.work_dir, cfg.launcher = str(tmp_path), 'none'
    cfg.dump(tmp_path / path.name)
    assert diff_configs([read(path), read_config(tmp_path / path.name, False)]) == []


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_every_name_at_the_top_of_a_shipped_config_is_read_by_something(path: Path):
    """A leftover variable would take an option, `max_epochs=3` say, and change nothing."""
    assert set(read_shipped(path)) <= {*arguments(Runner), *TOP_LEVEL, 'deck_score', 'cpu'}
