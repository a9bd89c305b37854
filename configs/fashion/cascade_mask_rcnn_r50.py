"""Cascade Mask R-CNN on R50: three box heads in a row, each starting from the boxes of the one before.

Why: the score counts IoUs up to 0.95, and a cascade's boxes are tighter: on COCO 44.3 box AP and 38.5 mask AP against
40.9 and 37.1 of Mask R-CNN with as long a training (mmdet's model zoo). All photos, mmdet's own schedule: SGD 0.02 for
16 photos, so 0.02 * 2 / 16 = 0.0025 for 2, warmed up over 500 iterations.
Not trained here. Cost: 12 epochs * 36,500 images / 2 = 219,000 iterations.

    python tools/train.py configs/fashion/cascade_mask_rcnn_r50.py
"""

_base_ = [
    '../_base_/models/cascade_mask_rcnn_r50_fpn.py',
    '../_base_/datasets/imaterialist.py',
    '../_base_/schedules/sgd.py',
    '../_base_/runtime.py',
]

model = dict(backbone=dict(init_cfg=None))  # the COCO checkpoint holds the backbone too
optim_wrapper = dict(optimizer=dict(lr=0.0025))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=12, milestones=[8, 11], gamma=0.1),
]
train_cfg = dict(max_epochs=12)
load_from = (
    'https://download.openmmlab.com/mmdetection/v2.0/cascade_rcnn/cascade_mask_rcnn_r50_fpn_mstrain_3x_coco/'
    'cascade_mask_rcnn_r50_fpn_mstrain_3x_coco_20210628_164719-5bdc3824.pth'
)
