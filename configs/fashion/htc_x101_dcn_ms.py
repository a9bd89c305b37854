"""The kind of model that won in 2019: HTC on ResNeXt-101 with deformable convolutions, photos at many sizes.

Against htc_r50: the backbone, its 3x3 convolutions of the last three stages deformable (DCN, as in the COCO weights;
DCNv2 is a knob, and then those offsets start at zero), short sides from 400 to 1400. Why: on COCO 50.4 box AP and 43.8
mask AP against 43.3 and 38.3 (mmdet's model zoo). One photo a step, two steps an update.
Not trained here; the winner scored 0.219 untuned, 0.336 with all that came after. Cost: 219,000 updates of two steps.

    python tools/train.py configs/fashion/htc_x101_dcn_ms.py
"""

_base_ = './htc_r50.py'

model = dict(
    backbone=dict(
        type='ResNeXt',
        depth=101,
        groups=64,
        base_width=4,
        dcn=dict(type='DCN', deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, True, True, True),
    )
)
train_dataloader = dict(
    batch_size=1,
    dataset=dict(
        pipeline=dict(
            load=dict(scale=[(1600, 400), (1600, 600), (1600, 800), (1600, 1000), (1600, 1200), (1600, 1400)])
        )
    ),
)
optim_wrapper = dict(accumulative_counts=2)
load_from = (
    'https://download.openmmlab.com/mmdetection/v2.0/htc/htc_x101_64x4d_fpn_dconv_c3-c5_mstrain_400_1400_16x1_'
    '20e_coco/htc_x101_64x4d_fpn_dconv_c3-c5_mstrain_400_1400_16x1_20e_coco_20200312-946fd751.pth'
)
