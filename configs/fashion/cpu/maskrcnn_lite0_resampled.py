"""maskrcnn_r50_resampled over the small CPU model, from the heads run's checkpoint. Budget: _base_/cpu_ablation.py.

The target classes come from maskrcnn_lite0_lossw.

    FASHION_DATA=data/ccp python tools/train.py configs/fashion/cpu/maskrcnn_lite0_resampled.py
"""

_base_ = ['../maskrcnn_r50_resampled.py', '../../_base_/cpu_ablation.py']

_base_.cpu.train_dataloader.dataset.num_images = 320
_base_.cpu.train_dataloader.sampler = dict(targets='work_dirs/maskrcnn_lite0_lossw/sensitivity.json', num_images=None)
locals().update(_base_.cpu, cpu=None)
