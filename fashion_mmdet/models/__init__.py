"""What Mask R-CNN needs beyond mmdet."""

from fashion_mmdet.models.optim_wrapper import Bfloat16OptimWrapper
from fashion_mmdet.models.raw_mask_head import RawFCNMaskHead, RawHTCMaskHead
from fashion_mmdet.models.timm_backbone import TimmBackbone

__all__ = ['Bfloat16OptimWrapper', 'RawFCNMaskHead', 'RawHTCMaskHead', 'TimmBackbone']
