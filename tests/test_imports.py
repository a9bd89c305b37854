"""Work on files, arrays and masks needs no torch: its modules are imported in a process that has none."""

import subprocess
import sys

from tests.conftest import ROOT

ROOMS = (
    'analysis',
    'benchmarks',
    'catalogue',
    'converters',
    'datasets',
    'evaluation',
    'experiments.compare',
    'experiments.gallery',
    'experiments.sweep',
    'inference',
    'masks',
    'synthetic',
    'utils',
)
NEED_TORCH = {
    'benchmarks': {'postprocess', 'step'},
    'datasets': {'attributes', 'imaterialist', 'loading', 'rle_masks', 'sampler'},
    'evaluation': {'dump_metric', 'metrics'},
    'inference': {'model', 'pipeline', 'sources'},
}
IMPORT_ALL = """
import importlib, pkgutil, sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name == 'torch':
            raise ImportError('no torch here')

sys.meta_path.insert(0, NoTorch())
for room in sys.argv[1:]:
    package = importlib.import_module(f'fashion_mmdet.{room}')
    for module in pkgutil.walk_packages(package.__path__, f'{package.__name__}.'):
        try:
            importlib.import_module(module.name)
            print('imported')
        except ImportError as error:
            print(module.name, error)
"""


def test_only_what_touches_tensors_needs_torch():
    """The other modules that need it (models, ops, most of experiments) are about networks and their training."""
    command = [sys.executable, '-c', IMPORT_ALL, *ROOMS]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    assert lines.count('imported') > 100
    expected = {f'fashion_mmdet.{room}.{name} no torch here' for room, names in NEED_TORCH.items() for name in names}
    assert set(lines) - {'imported'} == expected


def test_importing_the_package_and_its_results_loads_no_torch():
    """`from fashion_mmdet import load_model` does; see test_model.py."""
    code = "import sys, fashion_mmdet.inference; print({'torch', 'mmengine', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == 'set()\n'
