"""All layers: the backbone learns too, from where the heads run ended.

Against maskrcnn_r50_heads: nothing frozen, starts from that run's last checkpoint (from COCO weights where it has not
been trained), 1e-3 to epoch 10, then 1e-4 to epoch 20.
Reference report: 0.063. Cost: 20 epochs * 5,000 images / 2 = 50,000 iterations.

    python tools/train.py configs/fashion/maskrcnn_r50_all.py
"""

_base_ = './maskrcnn_r50_heads.py'

deck_score = 0.063
model = dict(backbone=dict(frozen_stages=-1))
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, milestones=[10], gamma=0.1)]  # 1e-3 * 0.1 = 1e-4
train_cfg = dict(max_epochs=20)
load_from = 'work_dirs/maskrcnn_r50_heads/epoch_10.pth'
