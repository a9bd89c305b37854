"""Attributes: a branch over the bbox branch's RoI features gives 92 of them, for the ClassIds that ask for some.

Against maskrcnn_r50_full: the branch, its loss on objects that carry attributes only (3.5 % of the main garments), and
the pipeline's steps that bring them. Which attributes go with a category is learned from the training photos. The
policy by category (with, without, leave it out) is the postprocessing's: attribute_policy, attribute_thr.
Cost: as maskrcnn_r50_full; the branch adds one dense layer over the positive RoIs.

    python tools/train.py configs/fashion/maskrcnn_r50_attributes.py
    python tools/score_attributes.py work_dirs/maskrcnn_r50_attributes/val.parquet data/imaterialist/train.csv
"""

_base_ = './maskrcnn_r50_full.py'

model = dict(
    roi_head=dict(
        type='AttributeRoIHead',
        bbox_head=dict(
            type='AttributeBBoxHead',
            num_attribute_fcs=1,
            loss_attribute=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(rcnn=dict(sampler=dict(type='AttributeSampler'))),
)
train_dataloader = dict(
    dataset=dict(pipeline=dict(attributes=dict(type='AttachAttributes'), pack=dict(type='PackAttributes')))
)
