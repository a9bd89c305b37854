"""MMDetection experiments for iMaterialist (Fashion) 2019.

Importing the package makes mmcv's operators available from torchvision where mmcv was installed without compiled ones,
so it must come before mmdet. It loads neither torch nor mmdet.
"""

from fashion_mmdet.ops import install as _install_ops
from fashion_mmdet.utils.caches import provide_cache as _provide_cache

__version__ = '0.1.0'

_install_ops()
_provide_cache()
