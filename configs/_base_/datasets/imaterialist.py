"""Where the photos are and how they reach the model; the only file that names paths.

The tools put the folder that FASHION_DATA names in the place of `data_root`, here and in a config dumped in a work_dir:
a folder with train.csv, train/, test/ and sample_submission.csv, whether the competition's own, converted by
tools/convert_ccp.py or drawn by tools/make_sample.py.
20 % of the photos of train.csv are held out, stratified by class; train and val share `seed`, so they never meet.
"""

data_root = 'data/imaterialist'
dataset_type = 'IMaterialistDataset'
val_fraction = 0.2
split_seed = 0

# iMaterialist's photos are portraits of some 3000x2000 pixels; 800x1333 is mmdet's usual size.
image_scale = (1333, 800)

# A pipeline's steps by name: an experiment adds or replaces one without repeating the others. Their order is the data
# set's: load, annotations, resize, attributes, rotate, crop, filter, flip, color, blur, pack.
# `load` brings photo and masks to size while it reads them: by area, a JPEG first in the DCT domain. mmdet's own
# LoadImageFromFile, LoadAnnotations and Resize go into `load`, `annotations` and `resize` where they are wanted.
train_pipeline = dict(
    load=dict(type='LoadScaled', scale=image_scale, interpolation='area', mask_interpolation='nearest'),
    flip=dict(type='RandomFlip', prob=0.5),
    pack=dict(type='PackDetInputs'),
)
# The truth travels as runs in the metainfo's `instances`: the metric needs no bitmap.
test_pipeline = dict(
    load=dict(type='LoadScaled', scale=image_scale, interpolation='area', with_annotations=False),
    pack=dict(
        type='PackDetInputs',
        meta_keys=(
            'img_id',
            'img_path',
            'ori_shape',
            'img_shape',
            'scale_factor',
            'flip',
            'flip_direction',
            'instances',
        ),
    ),
)

train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=False,  # started again each epoch, seeded by its number: a resumed run sees the same photos
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='train.csv',
        data_prefix=dict(img_path='train'),
        split='train',
        val_fraction=val_fraction,
        seed=split_seed,
        num_images=None,
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline,
    ),
)
evaluation_loader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_dataloader = dict(
    **evaluation_loader,
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='train.csv',
        data_prefix=dict(img_path='train'),
        split='val',
        val_fraction=val_fraction,
        seed=split_seed,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    **evaluation_loader,
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='sample_submission.csv',
        data_prefix=dict(img_path='test'),
        split='test',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
# A config keeps what counts: changing one of these names in a child would change nothing.
del data_root, dataset_type, val_fraction, split_seed, image_scale, train_pipeline, test_pipeline, evaluation_loader

# From raw predictions to masks, for the metric, the submission and the pictures alike.
# Near the 2019 winner's values, chosen before any model was scored here.
postprocess = dict(score_thr=0.5, nms_iou=0.3, mask_thr=0.5, overlap='class')
val_evaluator = dict(type='FashionIoUSweepMetric', average='image', size=(512, 512))
test_evaluator = val_evaluator
