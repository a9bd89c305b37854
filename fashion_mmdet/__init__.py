"""MMDetection experiments for iMaterialist (Fashion) 2019.

Importing the package makes mmcv's operators available from torchvision where mmcv was installed without compiled ones,
so it must come before mmdet. It loads neither torch nor mmdet, and what works on files, arrays and masks alone imports
without torch: `masks`, `utils`, `converters`, `synthetic`, most of `datasets`, `evaluation` and `analysis`
(`tests/test_imports.py` has the list).

It also bounds how long OpenMP's threads spin at a barrier, which the library reads when torch loads it. Left alone, a
thread spins 3 ms for one that another process keeps off its core, and a training step has thousands of barriers: it
takes several times as long. 1,000 spins, some 10 us, cost nothing on a quiet machine; waiting passively costs a quarter
(`tools/benchmark.py threads`).
"""

import os
from typing import Any

from fashion_mmdet.ops import install as _install_ops
from fashion_mmdet.utils.caches import provide_cache as _provide_cache

__version__ = '0.1.0'

if not {'OMP_WAIT_POLICY', 'GOMP_SPINCOUNT'} & set(os.environ):
    os.environ['GOMP_SPINCOUNT'] = '1000'
os.environ.setdefault('KMP_BLOCKTIME', '1')  # ms, for builds of torch with LLVM's or Intel's library: 200 by default

_install_ops()
_provide_cache()


def __getattr__(name: str) -> Any:
    if name == 'load_model':  # with torch, hence only when it is asked for
        from fashion_mmdet.inference import load_model

        return load_model
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
