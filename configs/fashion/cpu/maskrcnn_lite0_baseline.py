"""maskrcnn_r101_baseline over the small CPU model: all layers at once from ImageNet weights.

All but the first two feature levels, which stay frozen on a CPU. R101's larger backbone has no counterpart here.
100 * 8 = 800 draws of CCP's 638 photos. Budget: _base_/cpu_ablation.py.

    FASHION_DATA=data/ccp python tools/train.py configs/fashion/cpu/maskrcnn_lite0_baseline.py
"""

_base_ = ['../maskrcnn_r101_baseline.py', '../../_base_/cpu_ablation.py']

_base_.cpu.load_from = None
locals().update(_base_.cpu, cpu=None)
