"""A smaller copy of a data set in the same layout, for those who train for weeks. No torch."""

from fashion_mmdet.datasets.prepare.check import check_copy
from fashion_mmdet.datasets.prepare.copy import prepare
from fashion_mmdet.datasets.prepare.manifest import Options

__all__ = ['Options', 'check_copy', 'prepare']
