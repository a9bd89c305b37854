"""The reference report's loss weights "best for identification": RPN class 10, RPN box 0.8, RoI class, box and mask 6.

Against maskrcnn_r50_aug: the five loss weights; 1e-4 to epoch 10, then 5e-5 to epoch 20, since the losses are larger.
Reference report: 0.078. Cost: as maskrcnn_r50_all.

    python tools/train.py configs/fashion/maskrcnn_r50_ident.py
"""

_base_ = './maskrcnn_r50_aug.py'

deck_score = 0.078
model = dict(
    rpn_head=dict(loss_cls=dict(loss_weight=10.0), loss_bbox=dict(loss_weight=0.8)),
    roi_head=dict(
        bbox_head=dict(loss_cls=dict(loss_weight=6.0), loss_bbox=dict(loss_weight=6.0)),
        mask_head=dict(loss_mask=dict(loss_weight=6.0)),
    ),
)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, milestones=[10], gamma=0.5)]  # 1e-4 * 0.5 = 5e-5
