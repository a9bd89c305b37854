"""maskrcnn_r50_aug over the small CPU model, from the heads run's checkpoint. Budget: _base_/cpu_ablation.py.

FASHION_DATA=data/ccp python tools/train.py configs/fashion/cpu/maskrcnn_lite0_aug.py
"""

_base_ = ['../maskrcnn_r50_aug.py', '../../_base_/cpu_ablation.py']

_base_.cpu.train_dataloader.dataset.num_images = 160
locals().update(_base_.cpu, cpu=None)
