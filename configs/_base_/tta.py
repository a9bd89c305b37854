"""Test-time augmentation, used with `tools/test.py --tta` alone: three scales, each plain and flipped, six views.

A view costs as much as a photo without it, times its scale squared: 2 * (0.5625 + 1 + 1.5625) = 6.25 times the work.
`tta_pipeline` gives the alternatives of steps of the split's own pipeline, by name; the views are all combinations.
Scales go by the pipeline's own: ratio_range=(0.75, 0.75) always draws 0.75. A `flip` stands there even where no view is
flipped (prob=0.0), so that each view says which it is.
"""

tta_model = dict(type='RawMaskTTAModel', merge=dict(method='wbf', iou_thr=0.55))
tta_pipeline = dict(
    load=[dict(ratio_range=None), dict(ratio_range=(0.75, 0.75)), dict(ratio_range=(1.25, 1.25))],
    flip=[dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)],
)
