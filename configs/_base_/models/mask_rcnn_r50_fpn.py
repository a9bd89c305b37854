"""mmdet's Mask R-CNN, R50-FPN, for 46 categories, with raw predictions.

Every loss weight stands here once with its neutral value, so that an experiment's override shows in a diff; so do the
number and width of the dense layers (ConvFCBBoxHead is what Shared2FCBBoxHead is made of).
The test step is loose (score 0.01, NMS 0.7): thresholds belong to the metric's postprocessing, where a dump of raw
predictions can still be tuned.
"""

_base_ = 'mmdet::_base_/models/mask-rcnn_r50_fpn.py'

model = dict(
    rpn_head=dict(loss_cls=dict(loss_weight=1.0), loss_bbox=dict(loss_weight=1.0)),
    roi_head=dict(
        bbox_head=dict(
            type='ConvFCBBoxHead',
            num_shared_fcs=2,
            fc_out_channels=1024,
            num_classes=46,
            loss_cls=dict(loss_weight=1.0),
            loss_bbox=dict(loss_weight=1.0),
        ),
        mask_head=dict(type='RawFCNMaskHead', num_classes=46, loss_mask=dict(loss_weight=1.0)),
    ),
    test_cfg=dict(rcnn=dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.7), max_per_img=100)),
)
