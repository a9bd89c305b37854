"""maskrcnn_r50_heads over the small CPU model: EfficientNet's ImageNet weights stay as they are.

A quarter of CCP's 638 photos stands for 5,000 images, half for 10,000: what counts is that they double.
Budget: _base_/cpu_ablation.py.

    FASHION_DATA=data/ccp python tools/train.py configs/fashion/cpu/maskrcnn_lite0_heads.py
"""

_base_ = ['../maskrcnn_r50_heads.py', '../../_base_/cpu_ablation.py']

_base_.cpu.load_from = None
_base_.cpu.model.backbone.frozen_stages = 5  # all of EfficientNet's feature levels, as 4 is all of ResNet's
_base_.cpu.train_dataloader.dataset.num_images = 160
locals().update(_base_.cpu, cpu=None)
