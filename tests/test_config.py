"""Reading configs: where the data lies, keys and values of `--cfg-options`."""

from importlib import import_module
from pathlib import Path

import pytest
from mmengine.config import Config

from fashion_mmdet.config import data_sets, load_config, parse_options, use_data
from fashion_mmdet.utils.cli import data_root
from fashion_mmdet.utils.config_keys import nearest
from tests.conftest import ROOT, run_here

QUICKSTART = str(ROOT / 'configs/fashion/quickstart.py')
R50 = str(ROOT / 'configs/fashion/maskrcnn_r50_lossw.py')


@pytest.fixture(autouse=True)
def no_data_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever tests ran before, FASHION_DATA is not set."""
    monkeypatch.delenv('FASHION_DATA', raising=False)


def roots(cfg: Config) -> list[str]:
    """List the folders of a config's data sets."""
    return [settings['data_root'] for _, settings in data_sets(cfg)]


@pytest.mark.parametrize(
    'folder',
    [
        "Anna's photos",
        'back\\slash',
        "it''s",
        '"quoted"',
        "' + str(1 / 0) + '",
        '{{$HOME:x}}',
        'new\nline',
        'data/ccp/',
    ],
)
def test_the_data_folder_is_a_value_whatever_is_in_its_name(folder: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv('FASHION_DATA', folder)
    assert roots(load_config(QUICKSTART)) == [folder] * 3
    assert data_root() == folder


@pytest.mark.parametrize('empty', [None, ''])
def test_without_the_variable_the_default_counts_for_mmengine_too(empty: str | None, monkeypatch: pytest.MonkeyPatch):
    if empty is not None:
        monkeypatch.setenv('FASHION_DATA', empty)
    for cfg in (load_config(QUICKSTART), Config.fromfile(QUICKSTART)):
        assert roots(cfg) == ['data/imaterialist'] * 3
    assert data_root() == 'data/imaterialist'


@pytest.mark.parametrize('folder', ["Anna's photos", 'back\\slash', '"quoted"', "' + str(1 / 0) + '", 'new\nline'])
def test_a_dumped_config_follows_the_variable_and_else_keeps_the_folder_of_its_run(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv('FASHION_DATA', folder)
    load_config(QUICKSTART).dump(tmp_path / 'dumped.py')
    monkeypatch.setenv('FASHION_DATA', 'data/ccp')
    assert roots(load_config(str(tmp_path / 'dumped.py'))) == ['data/ccp'] * 3
    monkeypatch.delenv('FASHION_DATA')
    assert roots(load_config(str(tmp_path / 'dumped.py'))) == [folder] * 3


def test_a_folder_given_as_an_option_stays_in_the_dumped_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The variable moves the folder that most data sets share; the one chosen by hand for training stays."""
    load_config(QUICKSTART, {'train_dataloader.dataset.data_root': '/mine'}).dump(tmp_path / 'dumped.py')
    assert roots(load_config(str(tmp_path / 'dumped.py'))) == ['/mine', 'data/imaterialist', 'data/imaterialist']
    monkeypatch.setenv('FASHION_DATA', 'data/ccp')
    assert roots(load_config(str(tmp_path / 'dumped.py'))) == ['/mine', 'data/ccp', 'data/ccp']


def test_the_variable_reaches_wrapped_data_sets_and_evaluators_and_no_other_folder():
    """Two of three data sets lie in `a`: it moves, with the evaluator's file; `b` and `a2` are other folders."""
    cfg = Config(
        dict(
            train_dataloader=dict(
                dataset=dict(
                    type='RepeatDataset',
                    times=2,
                    dataset=dict(type='ConcatDataset', datasets=[dict(data_root='a/'), dict(data_root='b')]),
                )
            ),
            val_dataloader=dict(dataset=dict(data_root='a', ann_file='a2/val.csv')),
            val_evaluator=[dict(type='CocoMetric', ann_file='a/val.json')],
            load_from='a/weights.pth',
        )
    )
    use_data(cfg, '/new')
    assert [(key, settings['data_root']) for key, settings in data_sets(cfg)] == [
        ('train_dataloader.dataset.dataset.datasets.0', '/new'),
        ('train_dataloader.dataset.dataset.datasets.1', 'b'),
        ('val_dataloader.dataset', '/new'),
    ]
    assert (cfg.val_dataloader.dataset.ann_file, cfg.load_from) == ('a2/val.csv', 'a/weights.pth')
    assert cfg.val_evaluator[0].ann_file == '/new/val.json'


# Each tool's flag for `key=value` pairs, and the other arguments that it cannot do without.
TOOLS = {
    'train': ('--cfg-options', ['c']),
    'test': ('--cfg-options', ['c', 'k']),
    'sweep': ('--cfg-options', ['c', '--space', 's', '--trials', '1']),
    'score_dump': ('--options', ['d', 't']),
    'ensemble': ('--options', ['a', 'b', '--out', 'o']),
    'sensitivity': ('--options', ['d']),
    'score_attributes': ('--options', ['d', 't']),
    'tune_thresholds': ('--options', ['d', '--out', 'o']),
    'train_rescorer': ('--options', ['d', '--out', 'o']),
    'visualize': ('--options', ['d', '--out', 'o', '--truth', 't']),
}


@pytest.mark.parametrize('tool', TOOLS)
def test_options_given_twice_all_count(tool: str):
    flag, needed = TOOLS[tool]
    parse_args = import_module(f'tools.{tool}').parse_args
    name = flag.strip('-').replace('-', '_')
    assert getattr(parse_args([*needed, flag, 'a=1', 'b=2', flag, 'c=3']), name) == ['a=1', 'b=2', 'c=3']
    assert getattr(parse_args(needed), name) == []


@pytest.mark.parametrize('tool', ['tune_thresholds', 'train_rescorer'])
@pytest.mark.parametrize(
    ('option', 'complaint'),
    [('blur=1', 'postprocess.blur: no such option'), ('mask_thr=None', 'mask_thr=None: must be a finite number')],
)
def test_a_change_to_the_options_to_start_from_is_checked(tool: str, option: str, complaint: str, tmp_path: Path):
    (tmp_path / 'start.py').write_text('postprocess = dict(score_thr=0.4)')
    done = run_here(
        import_module(f'tools.{tool}').main,
        'none.parquet',
        '--out',
        tmp_path / 'out',
        '--postprocess',
        tmp_path / 'start.py',
        '--options',
        option,
    )
    assert (done.returncode, done.stderr.count('\n')) == (2, 1)
    assert complaint in done.stderr


def test_every_evaluator_that_takes_it_gets_the_postprocess(tmp_path: Path):
    """Those that take none (mmdet's CocoMetric, our dump) are left as they are; several evaluators or one."""
    config = tmp_path / 'c.py'
    config.write_text(
        f"_base_ = '{QUICKSTART}'\n"
        "val_evaluator = [dict(type='FashionIoUSweepMetric'), dict(type='PostprocessedCocoMetric', metric='segm'), "
        "dict(type='CocoMetric'), dict(type='DumpRawPredictions', path='x')]\n"
        "test_evaluator = dict(_delete_=True, type='PostprocessedCocoMetric', postprocess=dict(mask_thr=0.9))\n"
    )
    cfg = load_config(str(config), {'postprocess.mask_thr': 0.4})
    assert cfg.postprocess.mask_thr == 0.4
    assert [one.get('postprocess') for one in cfg.val_evaluator] == [cfg.postprocess, cfg.postprocess, None, None]
    assert cfg.test_evaluator.postprocess == cfg.postprocess


@pytest.mark.parametrize(
    ('option', 'complaint'),
    [
        ('data_root=/x', 'data_root: .*nearest: .*train_dataloader.dataset.data_root'),
        ('lr=0.1', 'lr: .*nearest: optim_wrapper.optimizer.lr'),
        ('train_dataloder.batch_size=9', 'train_dataloder.batch_size: .*nearest: train_dataloader.batch_size'),
        ('seed=1', 'seed: .*nearest: randomness.seed'),
        ('load_form=x.pth', 'load_form: .*nearest: load_from'),
        ('image_scale=(9,9)', 'image_scale: .*nearest: .*train_dataloader.dataset.pipeline.load.scale'),
        ('max_epochs=3', 'max_epochs: .*nearest: train_cfg.max_epochs'),
        ('train_dataloader.batch_sise=9', 'train_dataloader.batch_sise: .*nearest: train_dataloader.batch_size'),
        ("train_dataloader={'batch_sise': 9}", 'train_dataloader.batch_sise: .*nearest: train_dataloader.batch_size'),
        ('train_dataloader.dataset.num_imgs=9', 'num_imgs: IMaterialistDataset takes no .*dataset.num_images'),
        ('model.backbone.frozen_stags=2', 'frozen_stags: TimmBackbone takes no .*model.backbone.frozen_stages'),
        ('model.test_cfg.rcnn.score=0.1', 'score: the config has no such key; nearest: model.test_cfg.rcnn.score_thr'),
        ('optim_wrapper.optimizer.momentum=0.9', 'momentum: AdamW takes no such argument'),
        (
            'train_dataloader.sampler.type=ClassBalancedSampler',
            r'shuffle: ClassBalancedSampler takes no .*; train_dataloader.sampler._delete_=True begins it anew',
        ),
        ('optim_wrapper.type=AdamWrap', 'AdamWrap: no class or function is registered'),
        ('default_hooks.ema.momentum=0.1', 'default_hooks.ema is not in the config; a new one needs .*hooks.ema.type'),
        ('train_dataloader.dataset.pipeline.rotate.prob=0.5', 'a new one needs .*rotate.type'),
        ('custom_hooks.0.priority=LOW', 'custom_hooks.0.priority: the config has no such key'),
    ],
)
def test_a_key_that_nothing_reads_is_refused_with_its_neighbours(option: str, complaint: str):
    with pytest.raises(ValueError, match=f'--cfg-options .*{complaint}'):
        load_config(QUICKSTART, parse_options([option]))


@pytest.mark.parametrize(
    'options',
    [
        ['train_dataloader.drop_last=True', 'train_dataloader.prefetch_factor=4'],
        ['train_dataloader.dataset.categories=[6]', 'train_dataloader.dataset.lazy_init=True'],
        ['default_hooks.ema.type=EMAHook', 'default_hooks.ema.momentum=0.0002', 'default_hooks.ema.priority=LOW'],
        ["custom_hooks=[{'type': 'EMAHook'}]"],
        [
            'optim_wrapper.type=AmpOptimWrapper',
            'optim_wrapper.loss_scale=dynamic',
            'optim_wrapper.accumulative_counts=2',
        ],
        ['optim_wrapper.paramwise_cfg.custom_keys.backbone.lr_mult=0.1'],
        [
            'train_dataloader.sampler.type=ClassBalancedSampler',
            'train_dataloader.sampler._delete_=True',
            'train_dataloader.sampler.threshold=0.1',
        ],
        ['train_cfg.val_begin=1000', 'randomness.deterministic=True', 'resume=True', 'work_dir=x', 'load_from=None'],
        ['env_cfg.dist_cfg.timeout=3', 'model.backbone.with_cp=True', 'train_dataloader.dataset.pipeline.blur=None'],
        ['model.backbone.norm_cfg.type=GN', 'model.backbone.norm_cfg.num_groups=32', 'tta_model.merge.min_votes=2'],
        ['val_dataloader=None', 'val_cfg=None', 'val_evaluator=None'],
        ['train_dataloader.dataset.pipeline=[]', 'optim_wrapper.optimizer.lr=1'],
    ],
)
def test_what_a_child_config_may_add_stays_possible(options: list[str]):
    load_config(R50, parse_options(options))


def test_deformable_layers_may_change_their_version():
    load_config(str(ROOT / 'configs/fashion/htc_x101_dcn_ms.py'), {'model.backbone.dcn.type': 'DCNv2'})


@pytest.mark.parametrize(
    ('option', 'complaint'),
    [
        ('train_cfg=5', 'train_cfg=5: must be a dict with keys such as type, max_epochs'),
        ('model=None.5', "model='None.5': must be a dict"),
        ('train_dataloader.dataset.pipeline.load.scale=96', r'scale=96: must be a list such as \(384, 256\)'),
        ('optim_wrapper.optimizer.lr=x', "lr='x': must be a finite number"),
        ('optim_wrapper.optimizer.lr=0,5', r'lr=\(0, 5\): must be a finite number'),
        ('optim_wrapper.optimizer.lr=nan', "lr='nan': must be a finite number"),
        ('optim_wrapper.optimizer.lr=1e999', 'lr=inf: must be a finite number'),
        ('optim_wrapper.optimizer.lr=True', 'lr=True: must be a finite number'),
        ('train_dataloader.dataset.data_root=2019', 'data_root=2019: must be text'),
        ('resume=yes', "resume='yes': must be True or False"),
        ('train_cfg.max_epochs=1.5', r'train_cfg.max_epochs=1.5: must be a whole number, at least 1'),
        ('train_cfg.val_interval=0', 'train_cfg.val_interval=0: must be a whole number, at least 1'),
        ('train_dataloader.batch_size=0', 'train_dataloader.batch_size=0: must be a whole number, at least 1'),
        ('train_dataloader.num_workers=-1', 'train_dataloader.num_workers=-1: must be a whole number, at least 0'),
        ('default_hooks.checkpoint.type=[1,2]', r'default_hooks.checkpoint.type: a type is a name, not \[1, 2\]'),
        ('randomness.seed=1.5', 'randomness.seed=1.5: must be a whole number'),
        ('load_from=[]', r'load_from=\[\]: must be a path, or None'),
        ('model=None', 'model=None: must be given'),
        ('train_dataloader.sampler=None', 'train_dataloader.sampler=None: must be given'),
        ('postprocess=5', 'postprocess=5: must be a dict with keys such as score_thr'),
    ],
)
def test_a_value_of_another_kind_is_refused(option: str, complaint: str):
    with pytest.raises(ValueError, match=complaint):
        load_config(QUICKSTART, parse_options([option]))


def test_keys_of_a_part_that_another_option_takes_away_are_refused():
    with pytest.raises(ValueError, match=r'train_cfg\.max_epochs: train_cfg is 5 now'):
        load_config(QUICKSTART, {'train_cfg.max_epochs': 3, 'train_cfg': 5})


def test_no_workers_names_both_keys_and_what_to_set():
    with pytest.raises(
        ValueError,
        match=r'val_dataloader.num_workers=0 with val_dataloader.persistent_workers=True: '
        r'set val_dataloader.persistent_workers=False too',
    ):
        load_config(QUICKSTART, {'val_dataloader.num_workers': 0})
    with pytest.raises(ValueError, match=r'num_workers=0 with val_dataloader.prefetch_factor=2: set .*=None too'):
        load_config(
            QUICKSTART,
            {
                'val_dataloader.num_workers': 0,
                'val_dataloader.persistent_workers': False,
                'val_dataloader.prefetch_factor': 2,
            },
        )
    load_config(QUICKSTART, {'val_dataloader.num_workers': 0, 'val_dataloader.persistent_workers': False})


def test_the_nearest_keys_agree_in_their_last_part_before_all():
    """`a.lr` has the same last part; `lrs` is as alike as 2 * 2 / 5 = 0.8; `rate` is not."""
    assert nearest('lr', {'a.lr', 'rate', 'lrs'}) == ['a.lr', 'lrs']
