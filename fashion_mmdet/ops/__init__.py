"""Stand-ins for mmcv's compiled operators, built on torchvision and plain PyTorch.

`pip install onedl-mmcv` brings no compiled module `mmcv._ext`, without which `import mmcv.ops` fails, and nearly all of
mmdet with it. `install` registers a module of that name. Its operators take mmcv's arguments, write into the same
tensors and give the same results on any device; README.md lists what mmdet can train with them. Every other operator
raises when called. Compiled mmcv takes precedence.

Importing this package loads neither torch nor mmcv.
"""

import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Callable
from pathlib import Path

NAME = 'mmcv._ext'
FAMILIES = dict(  # module of this package: its operators
    nms='nms nms_match',
    soft_nms='softnms',
    roi_align='roi_align_forward roi_align_backward',
    roi_pool='roi_pool_forward roi_pool_backward',
    deform_conv='deform_conv_forward deform_conv_backward_input deform_conv_backward_parameters '
    'modulated_deform_conv_forward modulated_deform_conv_backward',
    ms_deform_attn='ms_deform_attn_forward ms_deform_attn_backward',
    focal_loss='sigmoid_focal_loss_forward sigmoid_focal_loss_backward '
    'softmax_focal_loss_forward softmax_focal_loss_backward',
    masked_conv='masked_im2col_forward masked_col2im_forward',
    carafe='carafe_forward carafe_backward carafe_naive_forward carafe_naive_backward',
)
MODULES = {operator: module for module, operators in FAMILIES.items() for operator in operators.split()}


def has_compiled_ops() -> bool:
    """Return whether the installed mmcv has compiled operators (a file `_ext*` beside its modules)."""
    spec = importlib.util.find_spec('mmcv')
    if spec is None or not spec.submodule_search_locations:
        return False
    suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
    folders = [Path(folder) for folder in spec.submodule_search_locations]
    return any(file.name.endswith(suffixes) for folder in folders for file in folder.glob('_ext.*'))


def install() -> None:
    """Register the stand-in as `mmcv._ext`, unless mmcv has compiled operators or something is registered already."""
    if NAME not in sys.modules and not has_compiled_ops():
        sys.modules[NAME] = _StandIn()


class _StandIn(types.ModuleType):
    """A module in which every operator exists, loaded at its first use; those not in `MODULES` raise when called."""

    def __init__(self) -> None:
        super().__init__(NAME, 'mmcv operators from torchvision and PyTorch')
        # mmengine looks the module up with importlib.util.find_spec, which wants a spec.
        self.__spec__ = importlib.machinery.ModuleSpec(NAME, loader=None, origin='fashion_mmdet.ops')

    def __getattr__(self, name: str) -> Callable:
        if name.startswith('__'):
            raise AttributeError(name)
        if name in MODULES:
            operator = getattr(importlib.import_module(f'{__name__}.{MODULES[name]}'), name)
            setattr(self, name, operator)
            return operator

        def missing(*args, **kwargs):
            raise NotImplementedError(
                f'mmcv operator "{name}" has no stand-in here: install mmcv with compiled operators '
                '(MMCV_WITH_OPS=1 pip install --no-binary onedl-mmcv --no-build-isolation onedl-mmcv, with a compiler '
                'and, for GPUs, the CUDA toolkit)'
            )

        return missing
