"""A smaller copy of a data set in the same layout, for those who train for weeks."""

from fashion_mmdet.converters.downscale.check import check_copy
from fashion_mmdet.converters.downscale.copy import downscale
from fashion_mmdet.converters.downscale.manifest import Options

__all__ = ['Options', 'check_copy', 'downscale']
