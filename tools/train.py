"""Train an experiment.

    python tools/train.py configs/fashion/maskrcnn_r50_lossw.py
    FASHION_DATA=data/ccp python tools/train.py configs/fashion/maskrcnn_lite0_cpu.py --resume
"""
import sys
import fashion_mmdet
from mmengine.config import Config
from mmengine.runner import Runner
import os
cfg = Config.fromfile(sys.argv[1])
cfg.work_dir = sys.argv[2]
Runner.from_cfg(cfg).train()
