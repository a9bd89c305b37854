"""maskrcnn_r50_all over the small CPU model, from the heads run's checkpoint.

All layers but the first two feature levels, which stay frozen on a CPU. Budget: _base_/cpu_ablation.py.

    FASHION_DATA=data/ccp python tools/train.py configs/fashion/cpu/maskrcnn_lite0_all.py
"""

_base_ = ['../maskrcnn_r50_all.py', '../../_base_/cpu_ablation.py']

_base_.cpu.train_dataloader.dataset.num_images = 160
locals().update(_base_.cpu, cpu=None)
