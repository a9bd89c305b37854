"""Smooth resizing: the second next step of the reference report; photos shrink by area, masks by area and threshold.

Against maskrcnn_r50_full: how the load step of all three pipelines resizes; plain bilinear sampling skips pixels
below half size, and nearest-pixel masks have ragged edges. The aspect ratio is kept, as before.
Cost: as maskrcnn_r50_full.

    python tools/train.py configs/fashion/maskrcnn_r50_smooth.py
"""

_base_ = './maskrcnn_r50_full.py'

train_dataloader = dict(dataset=dict(pipeline=dict(load=dict(interpolation='area', mask_interpolation='area'))))
val_dataloader = dict(dataset=dict(pipeline=dict(load=dict(interpolation='area'))))
test_dataloader = dict(dataset=dict(pipeline=dict(load=dict(interpolation='area'))))
