"""Loss weights of the deck's best Kaggle run on R50: the RoI head's class, box and mask losses weigh six times more.

Matterport's five losses under mmdet's keys: rpn_class_loss -> model.rpn_head.loss_cls, rpn_bbox_loss ->
model.rpn_head.loss_bbox, mrcnn_class_loss -> model.roi_head.bbox_head.loss_cls, mrcnn_bbox_loss ->
model.roi_head.bbox_head.loss_bbox, mrcnn_mask_loss -> model.roi_head.mask_head.loss_mask.
The deck's "10 epochs, 20 epochs" is Matterport's cumulative count: 10 epochs at 5e-5, then on to epoch 20 at 3e-5.
10,000 images of the train split; at most 50 detections an image; from COCO weights.
The deck: 0.081 on Kaggle. Cost: 20 epochs * 10,000 images = 100,000 iterations of 2.

    python tools/train.py configs/fashion/maskrcnn_r50_lossw.py
"""
_base_ = [
    '../_base_/models/mask_rcnn_r50_fpn.py', '../_base_/datasets/imaterialist.py', '../_base_/schedules/sgd.py',
    '../_base_/runtime.py'
]

model = dict(
    backbone=dict(init_cfg=None),  # the COCO checkpoint holds the backbone too
    rpn_head=dict(loss_cls=dict(loss_weight=1.0), loss_bbox=dict(loss_weight=0.8)),
    roi_head=dict(
        bbox_head=dict(loss_cls=dict(loss_weight=6.0), loss_bbox=dict(loss_weight=6.0)),
        mask_head=dict(loss_mask=dict(loss_weight=6.0))),
    test_cfg=dict(rcnn=dict(max_per_img=50)))
train_dataloader = dict(dataset=dict(num_images=10_000))
optim_wrapper = dict(optimizer=dict(lr=5e-5))
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, milestones=[10], gamma=0.6)]  # 5e-5 * 0.6 = 3e-5
train_cfg = dict(max_epochs=20)
load_from = ('https://download.openmmlab.com/mmdetection/v2.0/mask_rcnn/mask_rcnn_r50_fpn_2x_coco/'
             'mask_rcnn_r50_fpn_2x_coco_bbox_mAP-0.392__segm_mAP-0.354_20200505_003907-3e542a40.pth')
