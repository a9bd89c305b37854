"""The reference report's optimizer: SGD, momentum 0.9, weight decay 1e-4; an experiment sets rate and epochs."""

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.001, momentum=0.9, weight_decay=0.0001),
    clip_grad=dict(max_norm=5.0, norm_type=2),
)  # Matterport's GRADIENT_CLIP_NORM
param_scheduler = []
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=10, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
