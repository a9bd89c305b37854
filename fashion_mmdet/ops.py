"""The compiled operators that Mask R-CNN and its relatives need from mmcv, by way of torchvision.

`pip install onedl-mmcv` has no compiled module `mmcv._ext`, and without one `import mmcv.ops` fails. `install` puts a
module of that name in place whose `nms`, `roi_align_*`, `deform_conv_*` and `modulated_deform_conv_*` call
torchvision's operators (same sampling, same results); every other operator raises when called. Compiled mmcv takes
precedence.

Importing this module loads neither torch nor mmcv.
"""

import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Callable
from pathlib import Path

from fashion_mmdet import deform_ops
from fashion_mmdet.kernels import in_kernel_dtype, load_torchvision

NAME = 'mmcv._ext'


def has_compiled_ops() -> bool:
    """Tell whether the installed mmcv brings its own compiled operators (a file `_ext*` beside its modules)."""
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
    """A module in which every operator exists; those without a torchvision twin raise when called."""

    def __init__(self) -> None:
        super().__init__(NAME, 'mmcv operators from torchvision')
        # mmengine looks the module up with importlib.util.find_spec, which wants a spec.
        self.__spec__ = importlib.machinery.ModuleSpec(NAME, loader=None, origin='fashion_mmdet.ops')
        self.nms = nms
        self.roi_align_forward = roi_align_forward
        self.roi_align_backward = roi_align_backward
        for name in ('modulated_deform_conv_forward', 'modulated_deform_conv_backward', 'deform_conv_forward',
                     'deform_conv_backward_input', 'deform_conv_backward_parameters'):
            setattr(self, name, getattr(deform_ops, name))

    def __getattr__(self, name: str) -> Callable:
        if name.startswith('__'):
            raise AttributeError(name)

        def missing(*args, **kwargs):
            raise NotImplementedError(
                f'mmcv operator "{name}" has no stand-in here: install mmcv with compiled operators '
                '(MMCV_WITH_OPS=1 pip install --no-binary onedl-mmcv --no-build-isolation onedl-mmcv, with a compiler '
                'and, for GPUs, the CUDA toolkit)')

        return missing


def nms(boxes, scores, iou_threshold: float, offset: int):
    """Suppress boxes that overlap a better one.

    Args:
        boxes: (N, 4) float, x1 y1 x2 y2.
        scores: (N,) float.
        iou_threshold: boxes with a larger IoU than this go.
        offset: 0, or 1 for boxes whose right and lower edges are inclusive.

    Returns:
        (K,) int64, indices of the boxes kept by descending score.
    """
    import torch
    import torchvision
    boxes, scores = in_kernel_dtype(boxes), in_kernel_dtype(scores)
    dtype = torch.promote_types(boxes.dtype, scores.dtype)  # torchvision wants one, a model's heads may give two
    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    # mmcv compares in float32, where an IoU of 3 / 10 equals 0.3; as a float32 it exceeds a float64 0.3.
    iou_threshold = torch.tensor(iou_threshold, dtype=torch.float32).item()
    return torchvision.ops.nms(boxes.to(dtype), scores.to(dtype), iou_threshold)


def roi_align_forward(input, rois, output, argmax_y, argmax_x, aligned_height: int, aligned_width: int,
                      spatial_scale: float, sampling_ratio: int, pool_mode: int, aligned: bool) -> None:
    """Pool each box of a feature map to a fixed grid by averaged bilinear samples; writes into `output`.

    Args:
        input: (B, C, H, W) float.
        rois: (N, 5) float, batch index and x1 y1 x2 y2 in image pixels.
        output: (N, C, aligned_height, aligned_width), filled in place.
        argmax_y: unused by average pooling.
        argmax_x: unused by average pooling.
        aligned_height: rows of the grid.
        aligned_width: columns of the grid.
        spatial_scale: feature pixels an image pixel.
        sampling_ratio: samples a bin and axis; 0 means as many as the bin is feature pixels long, rounded up.
        pool_mode: 1, average; 0 (maximum) is refused.
        aligned: shift by half a pixel, as Mask R-CNN's RoIAlign does.
    """
    _refuse_max_pooling(pool_mode)
    load_torchvision()
    import torch
    input = in_kernel_dtype(input)
    output.copy_(torch.ops.torchvision.roi_align(
        input, rois.to(input.dtype), spatial_scale, aligned_height, aligned_width, sampling_ratio, aligned))


def roi_align_backward(grad_output, rois, argmax_y, argmax_x, grad_input, aligned_height: int, aligned_width: int,
                       spatial_scale: float, sampling_ratio: int, pool_mode: int, aligned: bool) -> None:
    """Spread the gradient of `roi_align_forward` over the feature map; writes into `grad_input` (B, C, H, W).

    On a CPU as a sparse product, which takes a fifth of the time of torchvision's kernel (`fashion_mmdet.roi_align`).
    """
    _refuse_max_pooling(pool_mode)
    load_torchvision()
    import torch

    from fashion_mmdet import roi_align
    grad_output = in_kernel_dtype(grad_output)
    batch, channels, height, width = grad_input.shape
    if roi_align.is_worth_it(grad_output, rois, spatial_scale, sampling_ratio):
        grad_input.copy_(roi_align.backward(
            grad_output, rois.to(grad_output.dtype), (batch, height, width), spatial_scale, sampling_ratio, aligned))
        return
    grad_input.copy_(torch.ops.torchvision._roi_align_backward(
        grad_output, rois.to(grad_output.dtype), spatial_scale, aligned_height, aligned_width,
        batch, channels, height, width, sampling_ratio, aligned))


def _refuse_max_pooling(pool_mode: int) -> None:
    if pool_mode != 1:
        raise NotImplementedError('mmcv operator "roi_align" with pool_mode="max" has no stand-in here: use "avg"')
