"""The heads alone: R50 with its backbone frozen; FPN, RPN and RoI heads learn (Matterport's "heads").

Against maskrcnn_r101_baseline: R50 for R101 and its COCO weights, backbone frozen, 5,000 images.
SGD with momentum 0.9 and weight decay 1e-4 at 1e-3 for 10 epochs comes from _base_/schedules/sgd.py.
Reference report: 0.044. Cost: 10 epochs * 5,000 images / 2 = 25,000 iterations.

    python tools/train.py configs/fashion/maskrcnn_r50_heads.py
"""

_base_ = './maskrcnn_r101_baseline.py'

deck_score = 0.044
model = dict(backbone=dict(depth=50, frozen_stages=4))
train_dataloader = dict(dataset=dict(num_images=5_000))
coco_weights = (
    'https://download.openmmlab.com/mmdetection/v2.0/mask_rcnn/mask_rcnn_r50_fpn_2x_coco/'
    'mask_rcnn_r50_fpn_2x_coco_bbox_mAP-0.392__segm_mAP-0.354_20200505_003907-3e542a40.pth'
)
load_from = coco_weights
