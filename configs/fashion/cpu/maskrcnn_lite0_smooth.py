"""maskrcnn_r50_smooth over the small CPU model, from the heads run's checkpoint. Budget: _base_/cpu_ablation.py.

FASHION_DATA=data/ccp python tools/train.py configs/fashion/cpu/maskrcnn_lite0_smooth.py
"""

_base_ = ['../maskrcnn_r50_smooth.py', '../../_base_/cpu_ablation.py']

locals().update(_base_.cpu, cpu=None)
