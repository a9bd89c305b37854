"""Config differences: resolved leaves, lists by the types in them, exit status."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine import Config

from fashion_mmdet.config import find_config, read_config
from fashion_mmdet.experiments.diff import MISSING, column_names, diff_configs, format_markdown, format_table
from tests.conftest import run_here
from tools import diff_configs as tool

TOOL = Path(__file__).parents[2] / 'tools' / 'diff_configs.py'

BASE = """
custom_imports = dict(imports=['no_such_module_anywhere'])
model = dict(
    type='MaskRCNN',
    backbone=dict(type='ResNet', depth=50, norm_cfg=dict(type='BN')),
    rpn_head=dict(loss_cls=dict(type='CrossEntropyLoss', loss_weight=1.0)))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(384, 256)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs')]
"""


def write(folder: Path, **texts: str) -> list[str]:
    for name, text in texts.items():
        (folder / f'{name}.py').write_text(text)
    return [str(folder / f'{name}.py') for name in texts]


def diff_texts(folder: Path, **texts: str) -> list[tuple[str, list]]:
    return diff_configs([read(path) for path in write(folder, **texts)])


def read(path: str | Path) -> Config:
    return read_config(find_config(path), import_custom_modules=False)


def run_tool(*arguments) -> subprocess.CompletedProcess:
    return run_here(tool.main, *arguments)


def start_tool(*arguments) -> subprocess.CompletedProcess:
    """Run the tool in a process of its own, as a shell does."""
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def steps(*pairs: tuple[str, object]) -> list[dict]:
    return [dict(type=name, value=value) for name, value in pairs]


def test_an_inherited_config_differs_only_in_what_it_changes(tmp_path):
    rows = diff_texts(
        tmp_path,
        base=BASE,
        child="""
_base_ = './base.py'
model = dict(rpn_head=dict(loss_cls=dict(loss_weight=10.0)))
load_from = 'best.pth'
""",
    )
    assert rows == [('model.rpn_head.loss_cls.loss_weight', [1.0, 10.0]), ('load_from', [MISSING, 'best.pth'])]


def test_delete_shows_what_is_gone(tmp_path):
    rows = diff_texts(
        tmp_path,
        base=BASE,
        child="""
_base_ = './base.py'
model = dict(backbone=dict(_delete_=True, type='TimmBackbone', weights='pypi'))
""",
    )
    assert rows == [
        ('model.backbone.type', ['ResNet', 'TimmBackbone']),
        ('model.backbone.depth', [50, MISSING]),
        ('model.backbone.norm_cfg.type', ['BN', MISSING]),
        ('model.backbone.weights', [MISSING, 'pypi']),
    ]


def test_a_key_that_is_none_differs_from_a_key_that_is_absent():
    assert diff_configs([dict(a=None), dict()]) == [('a', [None, MISSING])]


def test_every_leaf_has_a_name():
    cfg = Config(
        dict(
            model=dict(mean=(1, 2), empty={}, nothing=[]),
            pipeline=[dict(type='Load'), dict(type='Flip', prob=0.5), dict(type='Flip', prob=0.1)],
            rcnn=[dict(pos=1), dict(pos=2)],
            custom_keys={'backbone.norm': dict(lr_mult=0.1)},
        )
    )
    assert {key: value for key, (value, _) in diff_configs([cfg, {}])} == {
        'model.mean': [1, 2],
        'model.empty': {},
        'model.nothing': [],
        'pipeline.Load.type': 'Load',
        'pipeline.Flip.type': 'Flip',
        'pipeline.Flip.prob': 0.5,
        'pipeline.Flip#2.type': 'Flip',
        'pipeline.Flip#2.prob': 0.1,
        'rcnn[0].pos': 1,
        'rcnn[1].pos': 2,
        "custom_keys['backbone.norm'].lr_mult": 0.1,
    }


def test_a_config_does_not_differ_from_its_dump_in_a_work_dir(tmp_path):
    """The dump has tuples, the same work_dir as its own folder and no bases."""
    (path,) = write(tmp_path, base=BASE)
    cfg = read(path)
    cfg.work_dir = str(tmp_path / 'work_dirs' / 'base')
    (tmp_path / 'work_dirs' / 'base').mkdir(parents=True)
    cfg.dump(tmp_path / 'work_dirs' / 'base' / 'base.py')
    assert diff_configs([read(path), read(tmp_path / 'work_dirs' / 'base')]) == []


def test_a_work_dir_is_left_out_only_where_it_follows_from_the_file(tmp_path):
    rows = diff_texts(tmp_path, one="work_dir = './work_dirs/one'\na = 1", two="work_dir = './elsewhere'\na = 1")
    assert rows == [('work_dir', [MISSING, './elsewhere'])]


def test_scope_notes_do_not_count():
    assert diff_configs([dict(model=dict(a=1, _scope_='mmdet')), dict(model=dict(a=1))]) == []


@pytest.mark.parametrize(
    ('one', 'other'),
    [((1, 2), [1, 2]), ([(1, 2), (3, 4)], [[1, 2], [3, 4]]), (1, 1.0), (float('nan'), float('nan')), ({}, {})],
)
def test_values_that_count_as_equal(one, other):
    assert diff_configs([dict(a=one), dict(a=other)]) == []


@pytest.mark.parametrize(
    ('one', 'other'), [([1, 2], [2, 1]), (1, True), ([0], [False]), (None, 0), ('1', 1), ([], {}), ([1], [1, 1])]
)
def test_values_that_differ_are_one_leaf(one, other):
    assert [key for key, _ in diff_configs([dict(a=one), dict(a=other)])] == ['a']


def test_a_leaf_against_a_dict_shows_both():
    rows = diff_configs([dict(init=None), dict(init=dict(type='Pretrained'))])
    assert rows == [('init', [None, MISSING]), ('init.type', [MISSING, 'Pretrained'])]


@pytest.mark.parametrize('empty', [[], {}])
def test_an_empty_container_beside_a_filled_one_has_no_row_of_its_own(empty):
    filled = dict(steps=1) if empty == {} else [dict(type='LinearLR')]
    assert [key for key, _ in diff_configs([dict(a=empty), dict(a=filled)])] in (['a.steps'], ['a.LinearLR.type'])
    assert diff_configs([dict(a=empty), dict()]) == [('a', [empty, MISSING])]


def test_an_inserted_step_is_one_added_step(tmp_path):
    """Resize, RandomFlip and PackDetInputs move by one place and do not show."""
    rows = diff_texts(
        tmp_path,
        base=BASE,
        child="""
_base_ = './base.py'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=(300, 200)),
    dict(type='Resize', scale=(384, 256)),
    dict(type='RandomFlip', prob=0.1),
    dict(type='PackDetInputs')]
""",
    )
    assert rows == [
        ('train_pipeline.RandomFlip.prob', [0.5, 0.1]),
        ('train_pipeline.RandomCrop.type', [MISSING, 'RandomCrop']),
        ('train_pipeline.RandomCrop.crop_size', [MISSING, [300, 200]]),
    ]


def test_steps_of_a_type_are_compared_in_their_order():
    """The first Resize with the first: where one is put before it, the old one is the second."""
    one = dict(p=steps(('Load', 0), ('Resize', 1), ('Flip', 0)))
    other = dict(p=steps(('Load', 0), ('Resize', 9), ('Resize', 1), ('Flip', 0)))
    new = [('p.Resize#2.type', [MISSING, 'Resize']), ('p.Resize#2.value', [MISSING, 1])]
    assert diff_configs([one, other]) == [('p.Resize.value', [1, 9]), *new]
    assert diff_configs([other, one]) == [('p.Resize.value', [9, 1]), *((key, pair[::-1]) for key, pair in new)]


def test_the_second_step_of_a_type_has_a_number():
    one = dict(p=steps(('Flip', 1), ('Crop', 0), ('Flip', 2)))
    other = dict(p=steps(('Flip', 1), ('Crop', 0), ('Flip', 3)))
    assert diff_configs([one, other]) == [('p.Flip#2.value', [2, 3])]


def test_a_swap_shows_as_another_order():
    """Order matters in a pipeline; a step that one config lacks has no place in it."""
    one = dict(p=steps(('Flip', 1), ('Crop', 2)))
    other = dict(p=steps(('Pad', 3), ('Crop', 2), ('Flip', 1)))
    assert diff_configs([one, other]) == [
        ('p.Pad.type', [MISSING, 'Pad']),
        ('p.Pad.value', [MISSING, 3]),
        ('p', [['Flip', 'Crop'], ['Crop', 'Flip']]),
    ]


def test_steps_of_one_class_in_two_scopes_are_paired():
    rows = diff_configs([dict(p=[dict(type='Flip', prob=1)]), dict(p=[dict(type='mmdet.Flip', prob=1)])])
    assert rows == [('p.Flip.type', ['Flip', 'mmdet.Flip'])]


def test_a_sampler_inside_a_dataset_wrapper_and_nested_pipelines():
    """Datasets of a wrapper are steps too (they have a type); a choice of pipelines is a list of lists of steps."""

    def loader(num_images: int, prob: float) -> dict:
        choice = [steps(('Flip', prob)), steps(('Crop', 1), ('Pad', 2))]
        return dict(
            train_dataloader=dict(
                dataset=dict(
                    type='ConcatDataset',
                    datasets=[
                        dict(type='Fashion', sampler=dict(type='Weighted', num_images=100)),
                        dict(
                            type='Fashion',
                            sampler=dict(type='Weighted', num_images=num_images),
                            pipeline=[dict(type='RandomChoice', transforms=choice)],
                        ),
                    ],
                )
            )
        )

    prefix = 'train_dataloader.dataset.datasets.Fashion#2'
    assert diff_configs([loader(10, 0.5), loader(20, 0.1)]) == [
        (f'{prefix}.sampler.num_images', [10, 20]),
        (f'{prefix}.pipeline.RandomChoice.transforms[0].Flip.value', [0.5, 0.1]),
    ]


def test_three_configs_make_three_columns(tmp_path):
    """Rows are those where not all agree; the step that only the third has, between steps of the others, is one row."""
    rows = diff_configs(
        [
            dict(a=1, b=1, p=steps(('Load', 0), ('Pack', 0))),
            dict(a=1, b=2, p=steps(('Load', 0), ('Pack', 5))),
            dict(a=1, b=1, p=steps(('Load', 0), ('Crop', 3), ('Pack', 0))),
        ]
    )
    assert rows == [
        ('b', [1, 2, 1]),
        ('p.Pack.value', [0, 5, 0]),
        ('p.Crop.type', [MISSING, MISSING, 'Crop']),
        ('p.Crop.value', [MISSING, MISSING, 3]),
    ]


def test_columns_are_named_by_what_tells_the_configs_apart(tmp_path):
    one, two = write(tmp_path, one='a = 1', two='a = 2')
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / 'one.py').write_text('a = 3')
    assert column_names([one, two]) == ['one', 'two']
    assert column_names([one, tmp_path / 'run']) == [one, str(tmp_path / 'run')]
    assert column_names([one, one]) == [f'1: {one}', f'2: {one}']


def test_the_table_is_aligned_and_shows_an_absent_key_as_a_dash():
    text = format_table(['a', 'b'], [('model.weight', [1.0, 10.0]), ('x', [MISSING, 'pypi'])])
    assert text.splitlines() == ['key           a    b', 'model.weight  1.0  10.0', "x             -    'pypi'"]


def test_markdown_escapes_bars():
    text = format_markdown(['a', 'b'], [('x', [MISSING, 'p|q'])])
    assert text.splitlines() == ['| key | a | b |', '| --- | --- | --- |', "| `x` | - | `'p\\|q'` |"]


def test_the_exit_status_is_that_of_diff(tmp_path):
    """0 same (nothing printed), 1 different, 2 trouble. BASE names a module that does not exist: it is not imported."""
    one, same, other = write(tmp_path, one=BASE, same=BASE, other=BASE.replace('depth=50', 'depth=18'))
    done = start_tool(one, same)
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')
    done = start_tool(one, other)
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[1].split() == ['model.backbone.depth', '50', '18']
    assert run_tool(one).returncode == 2


def test_json_leaves_out_configs_without_the_key(tmp_path):
    paths = write(tmp_path, one='a = None\nb = (1, 2)', two='b = [1, 3]', three='b = [1, 2]')
    done = run_tool(*paths, '--format', 'json')
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout) == [
        {'key': 'a', 'values': {'one': None}},
        {'key': 'b', 'values': {'one': [1, 2], 'two': [1, 3], 'three': [1, 2]}},
    ]
    assert json.loads(run_tool(paths[0], paths[0], '--format', 'json').stdout) == []


def test_a_folder_stands_for_its_one_config(tmp_path):
    write(tmp_path, one='a = 1')
    assert find_config(tmp_path) == tmp_path / 'one.py'
    write(tmp_path, two='a = 2')
    with pytest.raises(ValueError, match=r'there are 2 \(one\.py, two\.py\)'):
        find_config(tmp_path)


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('a = = 1', 'SyntaxError'),
        ("_base_ = './gone.py'", 'gone.py'),
        ('a = 1 / 0', 'division by zero'),
        (None, 'no such file'),
    ],
)
def test_trouble_is_one_line_that_names_the_file(tmp_path, text, reason):
    (good,) = write(tmp_path, good='a = 1')
    bad = tmp_path / 'bad.py'
    if text is not None:
        bad.write_text(text)
    done = run_tool(good, bad)
    assert done.returncode == 2
    assert done.stdout == ''
    assert done.stderr.count('\n') == 1
    assert str(bad) in done.stderr
    assert reason in done.stderr


def test_help_imports_nothing_heavy():
    code = f"""if True:
        import runpy, sys
        sys.argv = [{str(TOOL)!r}, '--help']
        try:
            runpy.run_path(sys.argv[0], run_name='__main__')
        except SystemExit:
            pass
        assert not {{'torch', 'mmengine', 'numpy'}} & set(sys.modules)"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 'CONFIG' in done.stdout
