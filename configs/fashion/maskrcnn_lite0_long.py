"""Eight more epochs from the weights of maskrcnn_lite0_cpu: averaged weights (EMA), portraits among the crops.

Against maskrcnn_lite0_cpu: starts from its last epoch; learning rate 2.5e-4 with a cosine to zero; photos scaled by 0.6
to 2 instead of 0.8 to 1.25 before the crop, so that people are seen from the waist up too; an exponential moving
average of the weights, which is what is validated and saved. Cost: 8 * 80 = 640 iterations. Score: README, "Results".

    FASHION_DATA=data/ccp python tools/train.py configs/fashion/maskrcnn_lite0_long.py
"""

_base_ = './maskrcnn_lite0_cpu.py'
load_from = 'work_dirs/maskrcnn_lite0_cpu/epoch_20.pth'
train_dataloader = dict(dataset=dict(pipeline=dict(load=dict(ratio_range=(0.6, 2.0)))))
optim_wrapper = dict(optimizer=dict(lr=0.00025))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', T_max=8, by_epoch=True, begin=0, end=8, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=8, val_interval=4)
custom_hooks = [dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=0.002, gamma=100)]
