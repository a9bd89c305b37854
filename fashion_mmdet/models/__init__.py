"""What Mask R-CNN needs beyond mmdet."""

from fashion_mmdet.models.attribute_head import AttributeBBoxHead
from fashion_mmdet.models.attribute_roi_head import AttributeRoIHead, AttributeSampler
from fashion_mmdet.models.optim_wrapper import Bfloat16OptimWrapper
from fashion_mmdet.models.raw_mask_head import RawFCNMaskHead, RawHTCMaskHead
from fashion_mmdet.models.timm_backbone import TimmBackbone
from fashion_mmdet.models.tta import RawMaskTTAModel

__all__ = [
    'AttributeBBoxHead',
    'AttributeRoIHead',
    'AttributeSampler',
    'Bfloat16OptimWrapper',
    'RawFCNMaskHead',
    'RawHTCMaskHead',
    'RawMaskTTAModel',
    'TimmBackbone',
]
