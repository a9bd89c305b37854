"""Pretrained weights: found, or named in one line with where to put them and what needs none."""

import json
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from mmengine.config import Config

from fashion_mmdet.config import load_config
from fashion_mmdet.experiments.resume import resume_latest
from fashion_mmdet.experiments.weights import check_fit, drop_pretrained, find_weights, prepare_weights, read_checkpoint
from tests.conftest import ROOT

URL = 'https://example.invalid/folder/model-1234.pth'


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """torch.hub's folder of weights, empty, on a machine without a network."""

    def refuse(url: str, path: str) -> None:
        raise URLError('no network')

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', refuse)
    return tmp_path / 'checkpoints'


def test_weights_that_cannot_be_had_are_one_line_with_file_folder_and_alternative(hub: Path):
    line = find_weights(URL)
    assert '\n' not in line
    assert f'put model-1234.pth into {hub}' in line
    assert 'configs/fashion/maskrcnn_lite0_cpu.py' in line
    assert (ROOT / 'configs/fashion/maskrcnn_lite0_cpu.py').is_file()


def test_a_file_put_there_by_hand_is_taken(hub: Path):
    hub.mkdir()
    (hub / 'model-1234.pth').write_bytes(b'weights')
    assert find_weights(URL) is None


def test_a_missing_local_file_is_an_error():
    with pytest.raises(FileNotFoundError, match=r'nowhere\.pth: no such checkpoint'):
        find_weights('nowhere.pth')


def test_weights_that_torchvision_does_not_have_are_named(hub: Path):
    with pytest.raises(ValueError, match='torchvision://resnet5: torchvision has no such weights'):
        find_weights('torchvision://resnet5')


def test_without_coco_weights_heads_goes_on_from_random_ones_and_says_so(hub: Path):
    cfg = load_config(str(ROOT / 'configs/fashion/maskrcnn_r50_heads.py'))
    (line,) = prepare_weights(cfg)
    assert 'going on from random weights, nothing frozen' in line
    assert cfg.load_from is None
    assert (cfg.model.backbone.frozen_stages, cfg.model.backbone.norm_eval) == (-1, False)


def test_without_the_heads_run_lossw_starts_from_coco_weights_and_says_so(hub: Path, monkeypatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    cfg = load_config(str(ROOT / 'configs/fashion/maskrcnn_r50_lossw.py'))
    hub.mkdir()
    (hub / Path(cfg.coco_weights).name).write_bytes(b'weights')
    (line,) = prepare_weights(cfg)
    assert 'train maskrcnn_r50_heads first' in line
    assert 'going on from COCO weights' in line
    assert cfg.load_from == cfg.coco_weights
    assert cfg.model.backbone.norm_eval


def test_with_neither_lossw_says_both_and_starts_from_random_weights(hub: Path, monkeypatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    cfg = load_config(str(ROOT / 'configs/fashion/maskrcnn_r50_lossw.py'))
    heads, coco = prepare_weights(cfg)
    assert 'train maskrcnn_r50_heads first' in heads
    assert 'mask_rcnn_r50_fpn_2x_coco' in coco
    assert cfg.load_from is None
    assert not cfg.model.backbone.norm_eval


def test_the_heads_run_is_taken_where_it_is(hub: Path, monkeypatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    cfg = load_config(str(ROOT / 'configs/fashion/maskrcnn_r50_all.py'))
    Path(cfg.load_from).parent.mkdir(parents=True)
    torch.save(dict(state_dict=dict(weight=torch.ones(1))), cfg.load_from)
    assert prepare_weights(cfg) == []
    assert cfg.load_from == 'work_dirs/maskrcnn_r50_heads/epoch_10.pth'


def test_a_child_that_wants_no_weights_gets_none(hub: Path):
    cfg = load_config(str(ROOT / 'configs/fashion/maskrcnn_r50_lossw.py'), {'load_from': None})
    assert prepare_weights(cfg) == []
    assert cfg.load_from is None


def test_a_cpu_run_without_its_start_is_an_error(monkeypatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    cfg = load_config(str(ROOT / 'configs/fashion/cpu/maskrcnn_lite0_all.py'))
    with pytest.raises(FileNotFoundError, match=r'maskrcnn_lite0_heads/iter_100\.pth: no such checkpoint'):
        prepare_weights(cfg)


@pytest.mark.parametrize(('random_start', 'frozen', 'norm_eval'), [(True, -1, False), (False, 4, True)])
def test_a_resumed_run_freezes_what_it_froze_when_it_began(
    random_start: bool, frozen: int, norm_eval: bool, tmp_path: Path
):
    cfg = load_config(str(ROOT / 'configs/fashion/maskrcnn_r50_heads.py'))
    cfg.work_dir = str(tmp_path)
    torch.save(dict(meta=dict(epoch=1, iter=1), state_dict=dict(weight=torch.ones(1))), tmp_path / 'epoch_1.pth')
    (tmp_path / 'run.json').write_text(json.dumps(dict(random_start=random_start)))
    assert resume_latest(cfg) == str(tmp_path / 'epoch_1.pth')
    assert (cfg.model.backbone.frozen_stages, cfg.model.backbone.norm_eval) == (frozen, norm_eval)


def test_a_backbone_that_cannot_be_downloaded_is_named_by_its_file(hub: Path):
    cfg = Config(
        dict(
            load_from=None,
            model=dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'))),
        )
    )
    (line,) = prepare_weights(cfg)
    assert 'put resnet50-' in line
    assert cfg.model.backbone.init_cfg is None


def test_the_cpu_config_needs_no_download(hub: Path):
    assert prepare_weights(load_config(str(ROOT / 'configs/fashion/maskrcnn_lite0_cpu.py'))) == []


def test_a_checkpoint_replaces_all_pretrained_parts():
    """mmengine's Pretrained anywhere in the model goes, other initializations stay."""
    model = Config(
        dict(
            a=dict(init_cfg=dict(type='Pretrained', checkpoint='x')),
            b=[dict(c=dict(init_cfg=dict(type='Pretrained', checkpoint='y')))],
            d=dict(init_cfg=dict(type='Normal')),
        )
    )._cfg_dict
    drop_pretrained(model)
    assert model.a.init_cfg is None
    assert model.b[0].c.init_cfg is None
    assert model.d.init_cfg.type == 'Normal'


def test_weights_of_another_model_are_refused(tmp_path: Path):
    """A layer of another width: its weight and its bias do not fit."""
    torch.save({'state_dict': torch.nn.Linear(3, 4).state_dict()}, tmp_path / 'c.pth')
    check_fit(tmp_path / 'c.pth', torch.nn.Linear(3, 4))
    with pytest.raises(ValueError, match=r'another model: 2 tensors .* such as weight'):
        check_fit(tmp_path / 'c.pth', torch.nn.Linear(3, 5))


def test_bare_weights_are_a_checkpoint_too(tmp_path: Path):
    torch.save(torch.nn.Linear(3, 4).state_dict(), tmp_path / 'c.pth')
    assert set(read_checkpoint(tmp_path / 'c.pth')) == {'weight', 'bias'}


@pytest.mark.parametrize('content', [{}, {'epoch': 3}, [1, 2]])
def test_a_file_without_weights_is_refused(tmp_path: Path, content: object):
    torch.save(content, tmp_path / 'c.pth')
    with pytest.raises(ValueError, match='holds no model weights'):
        read_checkpoint(tmp_path / 'c.pth')
