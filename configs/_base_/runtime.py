"""What every run has: registration, hooks, logs, seed."""

default_scope = 'mmdet'
custom_imports = dict(imports=['fashion_mmdet.register'], allow_failed_imports=False)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='SafeCheckpointHook', interval=1, max_keep_ckpts=2, save_best='fashion/score', rule='greater'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    repeatable=dict(type='RepeatableHook'),
    invalid_loss=dict(type='StopAtInvalidLoss'),
)
env_cfg = dict(
    cudnn_benchmark=False, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0), dist_cfg=dict(backend='nccl')
)
visualizer = dict(  # without a name, so that several runs in one process do not share it
    type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
)
log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
randomness = dict(seed=0)
log_level = 'INFO'
load_from = None
resume = False
