r"""The five loss weights, the learning rate, and the number and width of the box head's dense layers.

A sweep's space: by config key, a distribution with the arguments of Optuna's suggest_float, suggest_int or
suggest_categorical. A weight of 1.0 is neutral; the reference report tried 0.5 to 10.

    FASHION_DATA=data/sample python tools/sweep.py configs/fashion/quickstart.py \
        --space configs/spaces/loss_weights.py --trials 20 --cfg-options train_cfg.val_interval=1
"""

space = {
    'model.rpn_head.loss_cls.loss_weight': dict(type='float', low=0.5, high=10.0, log=True),
    'model.rpn_head.loss_bbox.loss_weight': dict(type='float', low=0.5, high=10.0, log=True),
    'model.roi_head.bbox_head.loss_cls.loss_weight': dict(type='float', low=0.5, high=10.0, log=True),
    'model.roi_head.bbox_head.loss_bbox.loss_weight': dict(type='float', low=0.5, high=10.0, log=True),
    'model.roi_head.mask_head.loss_mask.loss_weight': dict(type='float', low=0.5, high=10.0, log=True),
    'optim_wrapper.optimizer.lr': dict(type='float', low=0.0001, high=0.01, log=True),
    'model.roi_head.bbox_head.num_shared_fcs': dict(type='int', low=1, high=3),
    'model.roi_head.bbox_head.fc_out_channels': dict(type='categorical', choices=[256, 512, 1024]),
}
