"""Where the reference report begins: Mask R-CNN on R101 from COCO weights, all five losses weighing the same.

Matterport's five losses under mmdet's keys: rpn_class_loss -> model.rpn_head.loss_cls, rpn_bbox_loss ->
model.rpn_head.loss_bbox, mrcnn_class_loss -> model.roi_head.bbox_head.loss_cls, mrcnn_bbox_loss ->
model.roi_head.bbox_head.loss_bbox, mrcnn_mask_loss -> model.roi_head.mask_head.loss_mask.
Photos are resized bilinearly, as Matterport and mmdet do; the last step, maskrcnn_r50_smooth, changes that.
The report gives no score for it. Cost: 10 epochs * 36,500 images / 2 = 182,500 iterations.

    python tools/train.py configs/fashion/maskrcnn_r101_baseline.py
"""

_base_ = [
    '../_base_/models/mask_rcnn_r50_fpn.py',
    '../_base_/datasets/imaterialist.py',
    '../_base_/schedules/sgd.py',
    '../_base_/runtime.py',
    '../_base_/tta.py',
]

model = dict(
    backbone=dict(depth=101, init_cfg=None),  # the COCO checkpoint holds the backbone too
    rpn_head=dict(loss_cls=dict(loss_weight=1.0), loss_bbox=dict(loss_weight=1.0)),
    roi_head=dict(
        bbox_head=dict(loss_cls=dict(loss_weight=1.0), loss_bbox=dict(loss_weight=1.0)),
        mask_head=dict(loss_mask=dict(loss_weight=1.0)),
    ),
)
train_dataloader = dict(dataset=dict(pipeline=dict(load=dict(interpolation='bilinear'))))
val_dataloader = dict(dataset=dict(pipeline=dict(load=dict(interpolation='bilinear'))))
test_dataloader = dict(dataset=dict(pipeline=dict(load=dict(interpolation='bilinear'))))
coco_weights = (
    'https://download.openmmlab.com/mmdetection/v2.0/mask_rcnn/mask_rcnn_r101_fpn_2x_coco/'
    'mask_rcnn_r101_fpn_2x_coco_bbox_mAP-0.408__segm_mAP-0.366_20200505_071027-14b391c7.pth'
)
load_from = coco_weights
