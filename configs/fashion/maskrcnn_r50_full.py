"""All images: the first next step of the reference report, with the loss weights of its best run.

Against maskrcnn_r50_lossw: all of the 45,625 images but the fifth held out, 36,500. For the last submission train on
that fifth as well: --cfg-options train_dataloader.dataset.split=all (its val score then says nothing).
Cost: 20 epochs * 36,500 images / 2 = 365,000 iterations.

    python tools/train.py configs/fashion/maskrcnn_r50_full.py
"""

_base_ = './maskrcnn_r50_lossw.py'

deck_score = None
train_dataloader = dict(dataset=dict(num_images=None))
