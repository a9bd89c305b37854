"""mmdet's Cascade Mask R-CNN, R50-FPN, for 46 categories, with raw predictions.

Three stages refine the boxes, each trained on better ones (IoU 0.5, 0.6, 0.7) and weighing less (1, 0.5, 0.25). A list
replaces its parent's list, so the three box heads stand here in full; stages differ in the scale of their box offsets.
Mask probabilities are averaged over the stages. The test step is loose, as in mask_rcnn_r50_fpn.
"""

_base_ = 'mmdet::_base_/models/cascade-mask-rcnn_r50_fpn.py'

box_head = dict(
    type='ConvFCBBoxHead',
    in_channels=256,
    num_shared_fcs=2,
    fc_out_channels=1024,
    roi_feat_size=7,
    num_classes=46,
    reg_class_agnostic=True,
    loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
    loss_bbox=dict(type='SmoothL1Loss', beta=1.0, loss_weight=1.0),
)
coder = dict(type='DeltaXYWHBBoxCoder', target_means=[0.0, 0.0, 0.0, 0.0])
model = dict(
    roi_head=dict(
        bbox_head=[
            dict(**box_head, bbox_coder=dict(**coder, target_stds=[0.1, 0.1, 0.2, 0.2])),
            dict(**box_head, bbox_coder=dict(**coder, target_stds=[0.05, 0.05, 0.1, 0.1])),
            dict(**box_head, bbox_coder=dict(**coder, target_stds=[0.033, 0.033, 0.067, 0.067])),
        ],
        mask_head=dict(type='RawFCNMaskHead', num_classes=46),
    ),
    test_cfg=dict(rcnn=dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.7), max_per_img=100)),
)
del box_head, coder
