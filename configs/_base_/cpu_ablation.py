"""The small CPU model under an equal budget, for the CPU ablation: 100 iterations of 8 photos each.

The baseline and the heads run start from ImageNet weights, all others from the heads run. An equal budget replaces the
schedule: AdamW 5e-4, warmed up over a quarter, then a cosine to zero, whatever the reference report's rates and epochs.
Weights, photos, augmentation, loss weights, resampling and resizing are the experiment's own.
"""

_base_ = './cpu.py'

cpu = dict(
    default_hooks=dict(checkpoint=dict(by_epoch=False, interval=50)),
    log_processor=dict(by_epoch=False),
    param_scheduler=[
        dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=25),
        dict(type='CosineAnnealingLR', T_max=75, by_epoch=False, begin=25, end=100),
    ],
    train_cfg=dict(_delete_=True, type='IterBasedTrainLoop', max_iters=100, val_interval=100),
    coco_weights=None,
    load_from='work_dirs/maskrcnn_lite0_heads/iter_100.pth',
)
