"""Hybrid Task Cascade on R50, without the semantic branch: iMaterialist has no map of the whole scene to learn it from.

Against cascade_mask_rcnn_r50: each stage's mask head sees the boxes that its box head refined, and the features of the
mask head before it. Why: the 2019 winner's model; on COCO 43.3 box AP and 38.3 mask AP after 20 epochs against 41.9 and
36.5 of the cascade's (mmdet's model zoo, with the semantic branch). Its weights there are not used here.
Not trained here. Cost: as cascade_mask_rcnn_r50, 219,000 iterations.

    python tools/train.py configs/fashion/htc_r50.py
"""

_base_ = './cascade_mask_rcnn_r50.py'

mask_head = dict(
    type='RawHTCMaskHead',
    num_convs=4,
    in_channels=256,
    conv_out_channels=256,
    num_classes=46,
    loss_mask=dict(type='CrossEntropyLoss', use_mask=True, loss_weight=1.0),
)
model = dict(
    type='HybridTaskCascade',
    roi_head=dict(
        type='HybridTaskCascadeRoIHead',
        interleaved=True,
        mask_info_flow=True,
        mask_head=[dict(**mask_head, with_conv_res=False), mask_head, mask_head],
    ),
)
del mask_head
load_from = (
    'https://download.openmmlab.com/mmdetection/v2.0/htc/htc_r50_fpn_20e_coco/'
    'htc_r50_fpn_20e_coco_20200319-fe28c577.pth'
)
