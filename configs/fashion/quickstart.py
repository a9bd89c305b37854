"""The demo: the CPU model made smaller, for drawn people at 256x384.

Against maskrcnn_lite0_cpu: FPN and heads 96 wide for 128, FC layers 384 for 512, one mask convolution for two, 100
proposals for 200, 64 sampled RoIs for 128; batches of 4 for 8, since a short run lives off its number of steps.
Cost: 5 epochs of 480 drawn photos = 5 * 120 = 600 iterations. Time and score: README, "Quick start".

    make demo
"""

_base_ = './maskrcnn_lite0_cpu.py'

max_epochs = 5
model = dict(
    neck=dict(out_channels=96),
    rpn_head=dict(in_channels=96, feat_channels=96),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=96),
        bbox_head=dict(in_channels=96, fc_out_channels=384),
        mask_roi_extractor=dict(out_channels=96),
        mask_head=dict(in_channels=96, conv_out_channels=96, num_convs=1),
    ),
    train_cfg=dict(rpn_proposal=dict(nms_pre=500, max_per_img=100), rcnn=dict(sampler=dict(num=64))),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=100)),
)
train_dataloader = dict(batch_size=4)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, begin=0, end=max_epochs, convert_to_iter_based=True
    ),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
del max_epochs
