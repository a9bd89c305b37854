"""Augmentation: scale and crop, small rotation, light and colour, blur; the flip was there before.

Against maskrcnn_r50_all: the train pipeline's steps. Boxes are taken from the masks again after rotation and crop, and
what is cropped away is dropped.
The reference report gives no score for it alone. Cost: as maskrcnn_r50_all.

    python tools/train.py configs/fashion/maskrcnn_r50_aug.py
"""

_base_ = './maskrcnn_r50_all.py'

deck_score = None
train_dataloader = dict(
    dataset=dict(
        pipeline=dict(
            load=dict(ratio_range=(0.8, 1.25)),
            rotate=dict(type='Rotate', prob=0.5, max_mag=10.0),  # degrees, either way
            crop=dict(
                type='RandomCrop',
                crop_type='relative_range',
                crop_size=(0.7, 0.7),
                recompute_bbox=True,
                allow_negative_crop=False,
            ),
            # An object cropped away leaves an empty mask, whose box would make the loss NaN.
            filter=dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1), min_gt_mask_area=4, by_mask=True),
            color=dict(type='PhotoMetricDistortion'),
            blur=dict(type='RandomBlur', prob=0.2, sigma=(0.5, 1.5)),
        )
    )
)
