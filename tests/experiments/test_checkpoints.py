"""Checkpoints of strangers: none of what they hold is run; weights to pass on."""

import json
import os
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from safetensors import safe_open
from safetensors.torch import save_file

import fashion_mmdet.register  # noqa: F401  mmengine's loaders are replaced
from fashion_mmdet.experiments.checkpoints import UntrustedFileError, load_file, trust_files
from fashion_mmdet.experiments.export import describe, export_weights
from fashion_mmdet.experiments.resume import resume_latest
from fashion_mmdet.experiments.weights import check_fit, check_shares, prepare_weights, read_checkpoint
from tests.conftest import ROOT, run_here
from tools import export_weights as export_tool
from tools import test as test_tool
from tools import train as train_tool


@pytest.fixture(autouse=True)
def _no_trust():
    yield
    trust_files(False)


class Caller:
    """Pickles as a call."""

    def __init__(self, function: Callable, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


def save_zipped(path: Path, trap: Path) -> None:
    torch.save(dict(state_dict=dict(a=torch.ones(1)), x=Caller(os.mkdir, str(trap))), path)


def save_legacy(path: Path, trap: Path) -> None:
    torch.save(
        dict(state_dict=dict(a=torch.ones(1)), x=Caller(eval, f'__import__("os").mkdir({str(trap)!r})')),
        path,
        _use_new_zipfile_serialization=False,
    )


def save_bare_pickle(path: Path, trap: Path) -> None:
    path.write_bytes(pickle.dumps(Caller(os.mkdir, str(trap)), protocol=2))


def save_getattr(path: Path, trap: Path) -> None:
    """`getattr(getattr(getattr, '__self__'), 'eval')`, called by a function that torch allows: all that mmengine lets
    through."""

    def text(value: str) -> bytes:
        return b'X' + len(value).to_bytes(4, 'little') + value.encode()

    module = b'c__builtin__\ngetattr\n(c__builtin__\ngetattr\n' + text('__self__') + b'tR'
    call = f'__import__("os").mkdir({str(trap)!r}) or __import__("torch").ones(1)'
    code = (
        b'\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(c__builtin__\ngetattr\n(' + module + text('eval') + b'tR'
        b'ctorch\nTensor\n(' + text(call) + b't}tR.'
    )
    torch.save({}, path.with_suffix('.zip'))
    with zipfile.ZipFile(path.with_suffix('.zip')) as source, zipfile.ZipFile(path, 'w') as target:
        for name in source.namelist():
            target.writestr(name, code if name.endswith('data.pkl') else source.read(name))


ATTACKS = pytest.mark.parametrize(
    ('save', 'named'),
    [
        (save_zipped, 'posix.mkdir'),
        (save_legacy, 'eval'),
        (save_bare_pickle, 'posix.mkdir'),
        (save_getattr, 'builtins.getattr'),
    ],
)


@ATTACKS
@pytest.mark.parametrize('load', [load_file, CheckpointLoader.load_checkpoint, read_checkpoint])
def test_no_code_of_a_checkpoint_is_run(tmp_path: Path, save: Callable, named: str, load: Callable):
    save(tmp_path / 'c.pth', tmp_path / 'trap')
    with pytest.raises(UntrustedFileError, match=rf'c\.pth: holds {named}, which no weights need; .*--trust'):
        load(str(tmp_path / 'c.pth'))
    assert not (tmp_path / 'trap').exists()


def test_a_file_from_the_web_is_no_more_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It lies where torch.hub keeps what it has downloaded."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    (tmp_path / 'checkpoints').mkdir()
    save_zipped(tmp_path / 'checkpoints' / 'c.pth', tmp_path / 'trap')
    with pytest.raises(UntrustedFileError, match=r'posix\.mkdir'):
        CheckpointLoader.load_checkpoint('https://example.invalid/c.pth', 'cpu')
    assert not (tmp_path / 'trap').exists()


def test_trust_loads_it(tmp_path: Path):
    save_zipped(tmp_path / 'c.pth', tmp_path / 'trap')
    trust_files(True)
    assert set(read_checkpoint(tmp_path / 'c.pth')) == {'a'}
    assert (tmp_path / 'trap').is_dir()


@pytest.mark.parametrize('tool', ['test', 'train', 'export'])
def test_the_tools_refuse_in_one_line_unless_told_to_trust(tiny_config: Path, tmp_path: Path, tool: str):
    save_zipped(tmp_path / 'c.pth', tmp_path / 'trap')
    main, arguments = dict(
        test=(test_tool.main, [tiny_config, tmp_path / 'c.pth', '--work-dir', tmp_path / 'work']),
        train=(
            train_tool.main,
            [tiny_config, '--work-dir', tmp_path / 'work', '--cfg-options', f'load_from={tmp_path}/c.pth'],
        ),
        export=(export_tool.main, [tmp_path / 'c.pth', tmp_path / 'out.safetensors']),
    )[tool]
    done = run_here(main, *arguments)
    assert done.returncode == 2
    assert done.stderr.count('\n') == 1
    assert 'c.pth: holds posix.mkdir' in done.stderr
    assert not (tmp_path / 'trap').exists()
    run_here(main, *arguments, '--trust')
    assert (tmp_path / 'trap').is_dir()


def test_resuming_stops_at_a_checkpoint_that_is_not_trusted(tmp_path: Path):
    """It does not go on from the one before, as it does where the newest is cut off."""
    torch.save(dict(state_dict=dict(a=torch.ones(1))), tmp_path / 'epoch_1.pth')
    save_zipped(tmp_path / 'epoch_2.pth', tmp_path / 'trap')
    with pytest.raises(UntrustedFileError, match=r'epoch_2\.pth'):
        resume_latest(Config(dict(work_dir=str(tmp_path), model=dict())))


def test_what_a_training_writes_needs_no_trust(tiny_run: Path):
    """Tensors, the optimizer's state, NumPy scalars and the history of losses come back as they were written."""
    path = tiny_run / 'epoch_2.pth'
    safe, whole = load_file(path), torch.load(path, weights_only=False)
    assert safe.keys() == whole.keys()
    loss, wanted = (content['message_hub']['log_scalars']['train/loss'] for content in (safe, whole))
    assert isinstance(loss, HistoryBuffer)
    assert loss.mean(3) == wanted.mean(3)
    assert safe['counted'] == whole['counted']


def test_a_part_of_a_checkpoint_is_read_without_its_tensors(tiny_run: Path):
    assert load_file(tiny_run / 'epoch_2.pth', mmap=True)['meta']['epoch'] == 2


def test_nothing_else_reads_pickles():
    """The benchmark and Ray's actors unpickle what they have pickled; the backbone's weights are loaded as weights."""
    known = {
        'fashion_mmdet/experiments/checkpoints.py',
        'fashion_mmdet/benchmarks/workers.py',
        'fashion_mmdet/catalogue/mappers.py',
        'fashion_mmdet/models/timm_backbone.py',
    }
    readers = re.compile(
        r'torch\.load\(|pickle\.loads?\(|allow_pickle=True|joblib\.load|weights_only=False|read_pickle'
    )
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ('fashion_mmdet', 'tools')
        for path in (ROOT / folder).rglob('*.py')
        if readers.search(path.read_text())
    }
    assert found == known


def test_exported_weights_test_like_the_checkpoint_s(
    tiny_config: Path, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    """To the bit as they are; in half precision they are rounded to 11 bits: 2 ** -11 of each."""
    assert export_tool.main([str(tiny_run / 'epoch_2.pth'), str(tmp_path / 'w.safetensors')]) == 0
    assert 'w.safetensors: ' in capsys.readouterr().out
    export_weights(tiny_run / 'epoch_2.pth', tmp_path / 'half.safetensors', half=True)
    wanted = read_checkpoint(tiny_run / 'epoch_2.pth')
    exact, half = (read_checkpoint(tmp_path / f'{name}.safetensors') for name in ('w', 'half'))
    assert exact.keys() == half.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert torch.equal(exact[name], tensor)
        assert half[name].dtype == (torch.float16 if tensor.is_floating_point() else tensor.dtype)
        torch.testing.assert_close(half[name].float(), tensor.float(), rtol=2**-11, atol=2**-24)
    assert (tmp_path / 'half.safetensors').stat().st_size < 0.55 * (tmp_path / 'w.safetensors').stat().st_size
    assert test_tool.main([str(tiny_config), str(tmp_path / 'half.safetensors'), '--work-dir', str(tmp_path)]) == 0
    assert (tmp_path / 'val.json').is_file()


def test_the_metadata_tells_config_classes_and_where_from(tiny_run: Path, tmp_path: Path):
    export_weights(tiny_run / 'epoch_2.pth', tmp_path / 'w.safetensors')
    with safe_open(tmp_path / 'w.safetensors', 'pt') as file:
        metadata = file.metadata()
    assert "type='MaskRCNN'" in metadata['config']
    assert json.loads(metadata['classes'])[8] == 'skirt'
    assert json.loads(metadata['facts'])['source'] == 'epoch_2.pth'
    assert json.loads(metadata['facts'])['epoch'] == 2
    assert load_file(tmp_path / 'w.safetensors')['meta']['dataset_meta']['classes'][8] == 'skirt'


@pytest.mark.parametrize(('stage', 'expected'), [('val', {'fashion/score': 0.5}), ('train', None)])
def test_scores_are_those_of_the_weights_or_none(stage: str, expected: dict | None):
    """A checkpoint written while training holds the score of the validation before."""
    content = dict(
        message_hub=dict(
            runtime_info=dict(loop_stage=stage),
            log_scalars={'val/fashion/score': HistoryBuffer([0.5], [1]), 'val/time': HistoryBuffer([9.0], [1])},
        )
    )
    scores = describe(content, 'c.pth').get('scores')
    assert (None if scores is None else json.loads(scores)) == expected


def test_bfloat16_stays_unless_halved_and_shared_tensors_are_written_twice(tmp_path: Path):
    """3.140625 is a bfloat16 of 8 bits, so float16's 11 hold it."""
    shared = torch.full((2,), 3.140625, dtype=torch.bfloat16)
    torch.save({'module.a': shared, 'module.b': shared, 'module.n': torch.tensor(7)}, tmp_path / 'c.pth')
    for half, kind in ((False, torch.bfloat16), (True, torch.float16)):
        export_weights(tmp_path / 'c.pth', tmp_path / 'w.safetensors', half)
        found = read_checkpoint(tmp_path / 'w.safetensors')
        assert set(found) == {'a', 'b', 'n'}
        assert found['a'].dtype == found['b'].dtype == kind
        assert found['a'].tolist() == [3.140625] * 2
        assert found['n'] == 7


def test_a_weight_that_float16_cannot_hold_is_named(tmp_path: Path):
    torch.save({'a': torch.tensor([70000.0])}, tmp_path / 'c.pth')
    with pytest.raises(ValueError, match=r'c\.pth: a holds 70000, too large for float16'):
        export_weights(tmp_path / 'c.pth', tmp_path / 'w.safetensors', half=True)
    assert not (tmp_path / 'w.safetensors').exists()


def test_safetensors_are_weights_to_start_from(tmp_path: Path):
    model = torch.nn.Linear(3, 4)
    save_file(model.state_dict(), tmp_path / 'w.safetensors')
    cfg = Config(
        dict(
            load_from=str(tmp_path / 'w.safetensors'),
            model=dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'w.safetensors')))),
        )
    )
    assert prepare_weights(cfg) == []
    found = CheckpointLoader.load_checkpoint(cfg.load_from, 'cpu')['state_dict']
    assert torch.equal(found['weight'], model.weight)
    check_fit(cfg.load_from, model)
    check_shares(cfg.load_from, model)


def test_weights_that_share_nothing_with_the_model_are_refused(tmp_path: Path):
    save_file({'x': torch.ones(2), 'weight': torch.ones(2)}, tmp_path / 'w.safetensors')
    path = str(tmp_path / 'w.safetensors')
    with pytest.raises(ValueError, match=r'w\.safetensors: weights of another model: none of its 2 tensors, such as'):
        check_shares(path, torch.nn.Linear(3, 4))
    with pytest.raises(ValueError, match=r'w\.safetensors: weights of another model: 2 tensors are missing'):
        check_fit(path, torch.nn.Linear(3, 4))
    cfg = Config(
        dict(
            load_from=None,
            model=dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=path, prefix='backbone.'))),
        )
    )
    with pytest.raises(ValueError, match=r"w\.safetensors: has no weights of 'backbone\.'"):
        prepare_weights(cfg)


@pytest.mark.parametrize(
    'damage',
    [
        lambda data: data[:100],
        lambda data: data[:-3],
        lambda data: b'',
        lambda data: b'x' * 99,
        lambda data: data.replace(b'"F32"', b'"F99"'),
    ],
)
def test_a_damaged_safetensors_names_itself(tmp_path: Path, damage: Callable):
    path = tmp_path / 'w.safetensors'
    save_file(torch.nn.Linear(30, 4).state_dict(), path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r'w\.safetensors: not a checkpoint, or cut off'):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ('out', 'said'), [('w.pth', 'name it *.safetensors'), ('c.safetensors', 'is one of the files')]
)
def test_an_export_overwrites_nothing_it_should_not(tmp_path: Path, out: str, said: str):
    save_file({'a': torch.ones(2)}, tmp_path / 'c.safetensors')
    done = run_here(export_tool.main, tmp_path / 'c.safetensors', tmp_path / out)
    assert done.returncode == 2
    assert said in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ['c.safetensors']
