"""maskrcnn_r50_full over the small CPU model, from the heads run's checkpoint.

The budget's 100 * 8 = 800 draws reach each of CCP's 638 photos, some twice. Budget: _base_/cpu_ablation.py.

    FASHION_DATA=data/ccp python tools/train.py configs/fashion/cpu/maskrcnn_lite0_full.py
"""

_base_ = ['../maskrcnn_r50_full.py', '../../_base_/cpu_ablation.py']

locals().update(_base_.cpu, cpu=None)
