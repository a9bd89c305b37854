"""RoIAlign against plain loops, and when the stand-in steps aside.

The loops follow the papers' definitions, not torchvision's code, and know nothing of tensors; where mmcv is compiled
the comparisons run against its own operators.
"""

import importlib.machinery
import importlib.util
import math
import os
import subprocess
import sys
import types
from pathlib import Path

import mmcv.ops
import numpy as np
import pytest
import torch

from fashion_mmdet import ops
from tests.conftest import ROOT
from tests.ops.rois import HEIGHT, ROIS, SCALE, WIDTH, bilinear_weights

needs_stand_in = pytest.mark.skipif(ops.has_compiled_ops(), reason='mmcv brings compiled operators')
SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]


def bin_weights(
    roi: list[float], grid: tuple[int, int], scale: float, sampling_ratio: int, aligned: bool, size: tuple[int, int]
) -> np.ndarray:
    """What each pixel of the map gives to each bin of a box: (rows, columns, H, W)."""
    shift = 0.5 if aligned else 0.0
    x1, y1, x2, y2 = (value * scale - shift for value in roi)
    height, width = y2 - y1, x2 - x1
    if not aligned:  # the older form makes every box at least a pixel long
        height, width = max(height, 1.0), max(width, 1.0)
    rows, columns = grid
    samples_y = sampling_ratio or math.ceil(height / rows)
    samples_x = sampling_ratio or math.ceil(width / columns)
    weights = np.zeros((rows, columns, *size))
    for row in range(rows):
        for column in range(columns):
            for i in range(samples_y):
                for j in range(samples_x):
                    y = y1 + (row + (i + 0.5) / samples_y) * height / rows
                    x = x1 + (column + (j + 0.5) / samples_x) * width / columns
                    weights[row, column] += bilinear_weights(y, x, *size) / (samples_y * samples_x)
    return weights


def align_by_loops(
    features: np.ndarray,
    rois: list,
    grid: tuple[int, int],
    scale: float,
    sampling_ratio: int,
    aligned: bool,
    grad: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Pool, and spread `grad` back: (N, C, rows, columns) and (B, C, H, W)."""
    output, grad_input = np.zeros(grad.shape), np.zeros(features.shape)
    for n, (image, *box) in enumerate(rois):
        weights = bin_weights(box, grid, scale, sampling_ratio, aligned, features.shape[2:])
        for channel in range(features.shape[1]):
            for row in range(grid[0]):
                for column in range(grid[1]):
                    output[n, channel, row, column] = (weights[row, column] * features[int(image), channel]).sum()
                    grad_input[int(image), channel] += weights[row, column] * grad[n, channel, row, column]
    return output, grad_input


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('name', ROIS)
def test_roi_align_and_its_gradient_equal_loops(name, aligned, sampling_ratio, dtype):
    """One box at a time, 2 x 3 bins on a 5 x 9 map of 3 images and 2 channels."""
    generator = np.random.default_rng(1)
    features, grad = generator.normal(size=(3, 2, HEIGHT, WIDTH)), generator.normal(size=(1, 2, 2, 3))
    wanted, wanted_grad = align_by_loops(features, [ROIS[name]], (2, 3), SCALE, sampling_ratio, aligned, grad)
    tensor = torch.tensor(features, dtype=dtype, requires_grad=True)
    layer = mmcv.ops.RoIAlign((2, 3), SCALE, sampling_ratio, aligned=aligned)
    output = layer(tensor, torch.tensor([ROIS[name]], dtype=dtype))
    output.backward(torch.tensor(grad, dtype=dtype))
    tolerance = 1e-12 if dtype == torch.float64 else 2e-6
    assert output.dtype == tensor.grad.dtype == dtype
    np.testing.assert_allclose(output.detach(), wanted, rtol=0, atol=tolerance)
    np.testing.assert_allclose(tensor.grad, wanted_grad, rtol=0, atol=tolerance)


@pytest.mark.parametrize('sampling_ratio', [0, 2])
@pytest.mark.parametrize('aligned', [True, False])
def test_gradients_of_boxes_on_the_same_pixels_add_up(aligned, sampling_ratio):
    """All boxes at once, through the function instead of the layer."""
    generator = np.random.default_rng(2)
    rois = list(ROIS.values())
    features = generator.normal(size=(3, 2, HEIGHT, WIDTH))
    grad = generator.normal(size=(len(rois), 2, 3, 2))
    wanted, wanted_grad = align_by_loops(features, rois, (3, 2), SCALE, sampling_ratio, aligned, grad)
    tensor = torch.tensor(features, requires_grad=True)
    output = mmcv.ops.roi_align(
        tensor, torch.tensor(rois, dtype=torch.float64), (3, 2), SCALE, sampling_ratio, 'avg', aligned
    )
    output.backward(torch.tensor(grad))
    np.testing.assert_allclose(output.detach(), wanted, rtol=0, atol=1e-12)
    np.testing.assert_allclose(tensor.grad, wanted_grad, rtol=0, atol=1e-12)


def test_a_ramp_gives_the_bin_centres():
    """Feature = 10 y + x at pixel (y, x), box x 1 to 5, y 1 to 3, one row of two bins.

    Bins are x 1-3 and 3-5: centres (2, 2) and (2, 4). The average of symmetric samples of a ramp is its value at the
    centre: 22 and 24. Aligned, pixel centres lie at + 0.5, so half a pixel less: 10 * 1.5 + 1.5 = 16.5 and 18.5.
    """
    ramp = (10.0 * torch.arange(5)[:, None] + torch.arange(7))[None, None]
    rois = torch.tensor([[0.0, 1, 1, 5, 3]])
    assert mmcv.ops.RoIAlign((1, 2), aligned=False)(ramp, rois).tolist() == [[[[22.0, 24.0]]]]
    assert mmcv.ops.RoIAlign((1, 2), aligned=True)(ramp, rois).tolist() == [[[[16.5, 18.5]]]]


def test_no_boxes_give_an_empty_output_and_a_zero_gradient():
    features = torch.rand(2, 3, 4, 6, requires_grad=True)
    output = mmcv.ops.RoIAlign((7, 5))(features, torch.zeros(0, 5))
    assert output.shape == (0, 3, 7, 5)
    output.sum().backward()
    assert features.grad.shape == features.shape
    assert not features.grad.any()


@needs_stand_in
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_narrow_floats_are_pooled_to_the_rounding_of_their_type(dtype):
    """Input in [0, 1] and averages in [0, 1]: only the output is rounded, by half a unit, 2^-9 or 2^-12 below 1.

    A pixel's gradient sums up to 12 boxes' weights, is below 8 and rounded once to its type: 8 times as much.
    """
    generator = np.random.default_rng(3)
    rois = list(ROIS.values())
    features = torch.tensor(generator.uniform(size=(3, 2, HEIGHT, WIDTH))).to(dtype).requires_grad_()
    wanted, wanted_grad = align_by_loops(
        features.detach().double().numpy(), rois, (2, 3), SCALE, 0, True, np.ones((len(rois), 2, 2, 3))
    )
    assert wanted_grad.max() < 8
    output = mmcv.ops.RoIAlign((2, 3), SCALE)(features, torch.tensor(rois))
    output.sum().backward()
    assert output.dtype == features.grad.dtype == dtype
    unit = 2.0**-9 if dtype == torch.bfloat16 else 2.0**-12
    np.testing.assert_allclose(output.detach().double(), wanted, rtol=0, atol=unit + 1e-6)
    np.testing.assert_allclose(features.grad.double(), wanted_grad, rtol=0, atol=8 * unit + 1e-6)


@needs_stand_in
def test_max_pooling_is_refused():
    with pytest.raises(NotImplementedError, match=r'roi_align.*"max".*"avg"'):
        mmcv.ops.RoIAlign((2, 2), pool_mode='max')(torch.rand(1, 1, 4, 4), torch.tensor([[0.0, 0, 0, 3, 3]]))


def call_deform_roi_pool() -> None:
    mmcv.ops.deform_roi_pool(torch.rand(1, 1, 4, 4), torch.zeros(1, 5), None, (2, 2))


def call_bbox_overlaps() -> None:
    mmcv.ops.bbox_overlaps(torch.rand(2, 4), torch.rand(2, 4))


@needs_stand_in
@pytest.mark.parametrize(
    ('call', 'operator'), [(call_deform_roi_pool, 'deform_roi_pool_forward'), (call_bbox_overlaps, 'bbox_overlaps')]
)
def test_any_other_operator_names_itself_and_the_way_out(call, operator):
    with pytest.raises(NotImplementedError) as caught:
        call()
    assert f'"{operator}"' in str(caught.value)
    assert 'MMCV_WITH_OPS=1 pip install' in str(caught.value)


@needs_stand_in
@pytest.mark.parametrize('operator', ops.MODULES)
def test_each_operator_stands_in_its_familys_module(operator: str):
    assert getattr(sys.modules['mmcv._ext'], operator).__module__ == f'fashion_mmdet.ops.{ops.MODULES[operator]}'


@needs_stand_in
def test_the_stand_in_has_no_made_up_dunders():
    """Python asks modules for `__path__` and the like and must hear that there is none."""
    module = sys.modules['mmcv._ext']
    assert not hasattr(module, '__path__')
    assert not hasattr(module, '__wrapped__')
    assert callable(module.any_operator)


def test_mmengine_finds_the_operators_by_their_spec():
    assert importlib.util.find_spec('mmcv._ext').name == 'mmcv._ext'


def fake_mmcv(folder: Path, file: str) -> Path:
    """An mmcv package with one more file beside its modules."""
    (folder / 'mmcv').mkdir()
    (folder / 'mmcv' / '__init__.py').touch()
    (folder / 'mmcv' / file).touch()
    return folder


@pytest.mark.parametrize(
    ('file', 'compiled'),
    [
        *((f'_ext{suffix}', True) for suffix in importlib.machinery.EXTENSION_SUFFIXES),
        ('_ext.txt', False),
        ('_ext.py', False),
        (f'_extra{SUFFIX}', False),
        (f'my_ext{SUFFIX}', False),
    ],
)
def test_compiled_operators_are_known_by_their_file(tmp_path, monkeypatch, file, compiled):
    """All suffixes that this Python loads, `.so` among them on Linux, and nothing else."""
    monkeypatch.syspath_prepend(fake_mmcv(tmp_path, file))
    monkeypatch.delitem(sys.modules, 'mmcv')  # a loaded module answers before the path is searched
    assert ops.has_compiled_ops() is compiled


def test_without_mmcv_nothing_is_compiled(monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    assert not ops.has_compiled_ops()


def test_install_leaves_what_is_registered(monkeypatch):
    registered = types.ModuleType('mmcv._ext')
    monkeypatch.setitem(sys.modules, 'mmcv._ext', registered)
    ops.install()
    assert sys.modules['mmcv._ext'] is registered


def test_install_steps_aside_for_compiled_operators(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(fake_mmcv(tmp_path, f'_ext{SUFFIX}'))
    monkeypatch.delitem(sys.modules, 'mmcv')
    monkeypatch.delitem(sys.modules, 'mmcv._ext')
    ops.install()
    assert 'mmcv._ext' not in sys.modules


def names_loaded_by_the_package(path: Path) -> set[str]:
    """Import fashion_mmdet in a fresh Python that searches `path` first; the names of all modules loaded."""
    environment = {**os.environ, 'PYTHONPATH': str(path)}
    code = 'import sys, fashion_mmdet; print(*sys.modules)'
    return set(
        subprocess.run(
            [sys.executable, '-c', code],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
    )


@pytest.mark.parametrize(('file', 'stand_in'), [(f'_ext{SUFFIX}', False), ('readme.txt', True)])
def test_importing_the_package_installs_the_stand_in_only_where_needed_and_loads_nothing_heavy(
    tmp_path, file, stand_in
):
    loaded = names_loaded_by_the_package(fake_mmcv(tmp_path, file))
    assert ('mmcv._ext' in loaded) is stand_in
    assert not loaded & {'torch', 'torchvision', 'mmcv', 'mmdet', 'mmengine', 'numpy'}
