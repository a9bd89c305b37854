"""Attributes without a GPU: the demo's model with an attribute head, on 3,600 drawn people at 192x288.

Against quickstart: a branch over the bbox branch's RoI features gives 92 attributes, learned from labelled objects
only; 3,233 photos seen once instead of 480 seen five times, a tenth held out; no scale, crop or colour, which hide a
hem or a pattern that the labels still name; three quarters of the side, which is half the cost.
Cost: 1 epoch = 3,233 photos / 4 = 809 iterations, 20 CPU minutes.
Measured on the 367 photos held out, over the 38 attributes of at least 10 objects there: macro F1 0.859 on true hits,
the majority guess 0.298; Fashionpedia's AP at IoU and F1 0.364.

    python tools/make_sample.py data/attributes --images 3600
    FASHION_DATA=data/attributes python tools/train.py configs/fashion/maskrcnn_lite0_attributes.py
    FASHION_DATA=data/attributes python tools/test.py configs/fashion/maskrcnn_lite0_attributes.py \
        work_dirs/maskrcnn_lite0_attributes/epoch_1.pth
    python tools/score_attributes.py work_dirs/maskrcnn_lite0_attributes/val.parquet data/attributes/train.csv
"""

_base_ = './quickstart.py'

max_epochs = 1
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
    dataset=dict(
        val_fraction=0.1,
        pipeline=dict(
            attributes=dict(type='AttachAttributes'),
            load=dict(scale=(288, 192), ratio_range=None),
            crop=None,
            filter=None,
            color=None,
            pack=dict(type='PackAttributes'),
        ),
    )
)
val_dataloader = dict(dataset=dict(val_fraction=0.1, pipeline=dict(load=dict(scale=(288, 192)))))
test_dataloader = dict(dataset=dict(pipeline=dict(load=dict(scale=(288, 192)))))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, begin=0, end=max_epochs, convert_to_iter_based=True
    ),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
del max_epochs
