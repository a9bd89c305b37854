"""The data set as mmdet sees it: splits, subsets, categories, masks."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmdet.datasets.transforms import LoadAnnotations
from mmdet.registry import DATASETS
from mmengine.logging import MMLogger
from pycocotools import mask as coco_mask

from fashion_mmdet.classes import CATEGORIES, PALETTE
from fashion_mmdet.datasets import imaterialist
from fashion_mmdet.datasets.imaterialist import IMaterialistDataset
from fashion_mmdet.datasets.pipeline import order_steps
from fashion_mmdet.masks.rle import mask_to_runs, runs_to_kaggle

IMAGES, HEIGHT, WIDTH = 40, 12, 9


def bitmap(index: int, category: int) -> np.ndarray:
    """A (12, 9) blob of about half the pixels, another for every photo and category."""
    return np.random.default_rng([index, category]).random((HEIGHT, WIDTH)) < 0.5


def categories_of(index: int) -> list[str]:
    """Pants with two attributes in every photo, shoes in every second, glasses in every fifth: 40, 20, 8."""
    return ['6_33_20'] + ['23'] * (index % 2 == 0) + ['13'] * (index % 5 == 0)


def row(index: int, class_id: str) -> str:
    runs = runs_to_kaggle(mask_to_runs(bitmap(index, int(class_id.split('_')[0]))))
    return f'{index:02}.jpg,{runs},{HEIGHT},{WIDTH},{class_id}'


def write_photo(path: Path, height: int = HEIGHT, width: int = WIDTH) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    assert cv2.imwrite(str(path), noise)


@pytest.fixture
def root(tmp_path):
    """40 photos of 12 x 9 (H x W) in the competition's layout, and three for the test."""
    (tmp_path / 'train').mkdir()
    (tmp_path / 'test').mkdir()
    rows = ['ImageId,EncodedPixels,Height,Width,ClassId']
    for index in range(IMAGES):
        write_photo(tmp_path / 'train' / f'{index:02}.jpg')
        rows += [row(index, class_id) for class_id in categories_of(index)]
    (tmp_path / 'train.csv').write_text('\n'.join(rows) + '\n')
    for name in ('t1.jpg', 't0.jpg', 't2.jpg'):
        write_photo(tmp_path / 'test' / name, 10, 20)
    (tmp_path / 'sample_submission.csv').write_text(
        'ImageId,EncodedPixels,ClassId\nt1.jpg,1 1,0\nt0.jpg,1 1,0\nt1.jpg,2 1,0\nt2.jpg,1 1,0\n'
    )
    return tmp_path


def dataset(root: Path, split: str = 'all', **options) -> IMaterialistDataset:
    folder = 'test' if split == 'test' else 'train'
    ann_file = 'sample_submission.csv' if split == 'test' else 'train.csv'
    return IMaterialistDataset(
        data_root=str(root), ann_file=ann_file, data_prefix=dict(img_path=folder), split=split, **options
    )


def ids(data: IMaterialistDataset) -> list[str]:
    return [data.get_data_info(index)['img_id'] for index in range(len(data))]


def add_rows(root: Path, *rows: str) -> None:
    with open(root / 'train.csv', 'a') as file:
        file.writelines(f'{line}\n' for line in rows)


def test_configs_find_it_by_name(root):
    data = DATASETS.build(
        dict(type='IMaterialistDataset', data_root=str(root), ann_file='train.csv', data_prefix=dict(img_path='train'))
    )
    assert isinstance(data, IMaterialistDataset)
    assert len(data) == IMAGES


def test_without_a_choice_all_46_categories_are_labels(root):
    metainfo = dataset(root).metainfo
    assert (metainfo['classes'], metainfo['palette']) == (CATEGORIES, PALETTE)


def test_an_image_has_its_size_path_and_instances(root):
    """Photo 0 has pants (with attributes 20 and 33), a shoe and glasses, each with the drawn mask and its box."""
    info = dataset(root).get_data_info(0)
    assert (info['img_id'], info['height'], info['width']) == ('00.jpg', HEIGHT, WIDTH)
    assert info['img_path'] == str(root / 'train' / '00.jpg')
    assert [(one['bbox_label'], one['attributes'], one['ignore_flag']) for one in info['instances']] == [
        (6, (20, 33), 0),
        (23, (), 0),
        (13, (), 0),
    ]
    for instance in info['instances']:
        drawn = bitmap(0, instance['bbox_label'])
        np.testing.assert_array_equal(coco_mask.decode(instance['mask']), drawn)
        rows, columns = np.nonzero(drawn)
        assert instance['bbox'] == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@pytest.mark.parametrize('fraction', [0.5, 0.2, 0.1])
def test_train_and_val_are_disjoint_and_complete(root, fraction):
    """8 of 40 photos have glasses, the rarest class: some on either side."""
    train, val = (dataset(root, split, val_fraction=fraction, seed=1) for split in ('train', 'val'))
    assert not set(ids(train)) & set(ids(val))
    assert sorted(ids(train) + ids(val)) == ids(dataset(root))
    assert len(val) == pytest.approx(IMAGES * fraction, abs=1)
    for data in (train, val):
        assert any(13 in data.get_cat_ids(index) for index in range(len(data)))


def test_the_seed_alone_decides_the_split(root):
    first, again, other = (ids(dataset(root, 'val', val_fraction=0.5, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_subset_is_seeded_and_lies_within_its_split(root):
    train = ids(dataset(root, 'train', val_fraction=0.5))
    first, again = (ids(dataset(root, 'train', val_fraction=0.5, num_images=7)) for _ in range(2))
    assert first == again
    assert len(set(first)) == 7
    assert set(first) <= set(train)
    assert first == sorted(first)


def test_another_seed_gives_another_subset(root):
    """Of all 40 photos, so that the split plays no part: 5 of 40 drawn twice agree once in 658,008 times."""
    assert ids(dataset(root, num_images=5, seed=0)) != ids(dataset(root, num_images=5, seed=1))


def test_a_subset_larger_than_the_split_is_the_split(root):
    assert ids(dataset(root, num_images=1000)) == ids(dataset(root))


def test_chosen_categories_get_labels_in_the_order_given(root):
    """Shoe becomes label 0, pants label 1; glasses go."""
    data = dataset(root, categories=(23, 6))
    assert data.metainfo['classes'] == ('shoe', 'pants')
    assert data.metainfo['palette'] == (PALETTE[23], PALETTE[6])
    assert [one['bbox_label'] for one in data.get_data_info(0)['instances']] == [1, 0]
    assert data.get_data_info(0)['instances'][0]['attributes'] == (20, 33)
    assert data.get_cat_ids(1) == [1]
    assert len(data) == IMAGES


def test_choosing_categories_does_not_change_the_split(root):
    assert ids(dataset(root, 'val', categories=[13])) == ids(dataset(root, 'val'))


def test_training_leaves_out_images_without_objects_where_asked(root):
    """Of the 40 photos 8 have glasses; a test-mode data set keeps all."""
    chosen = dict(categories=[13], filter_cfg=dict(filter_empty_gt=True))
    assert len(dataset(root, **chosen)) == 8
    assert len(dataset(root, categories=[13])) == IMAGES
    assert len(dataset(root, test_mode=True, **chosen)) == IMAGES


def test_cat_ids_are_the_labels_of_an_image(root):
    data = dataset(root)
    assert [data.get_cat_ids(index) for index in range(3)] == [[6, 23, 13], [6], [6, 23]]


def test_the_test_split_lists_every_image_once_in_the_files_order(root):
    """t1.jpg has two rows in sample_submission.csv; the rows' masks are placeholders."""
    data = dataset(root, 'test', test_mode=True)
    assert ids(data) == ['t1.jpg', 't0.jpg', 't2.jpg']
    info = data.get_data_info(0)
    assert (info['height'], info['width'], info['instances']) == (10, 20, [])
    assert info['img_path'] == str(root / 'test' / 't1.jpg')


def test_problems_of_test_images_are_audited(root):
    (root / 'test' / 't0.jpg').unlink()
    (root / 'test' / 't2.jpg').write_bytes(b'no image')
    data = dataset(root, 'test', test_mode=True)
    assert ids(data) == ['t1.jpg']
    assert dict(data.audit.counts) == {'missing_file': 1, 'unreadable_file': 1}


def test_problems_of_the_table_and_of_the_files_are_audited_and_logged(root, monkeypatch):
    """A bad row, and four photos: missing, no image, cut off, of another size. 36 remain."""
    lines = []
    monkeypatch.setattr(imaterialist, 'print_log', lambda message, logger: lines.append(message))
    add_rows(root, f'01.jpg,1 1,{HEIGHT},{WIDTH},46')
    photos = root / 'train'
    (photos / '00.jpg').unlink()
    (photos / '02.jpg').write_bytes(b'no image')
    (photos / '03.jpg').write_bytes((photos / '03.jpg').read_bytes()[:-50])
    write_photo(photos / '04.jpg', WIDTH, HEIGHT)
    data = dataset(root)
    assert dict(data.audit.counts) == dict.fromkeys(
        ('unknown_category', 'missing_file', 'unreadable_file', 'truncated_file', 'size_mismatch'), 1
    )
    assert set(ids(data)) == {f'{index:02}.jpg' for index in range(IMAGES)} - {'00.jpg', '02.jpg', '03.jpg', '04.jpg'}
    path = root / 'train.csv'
    assert lines[0] == f"{path}: 36 images for split 'all'"
    assert lines[1].startswith(f'{path}: the audit found\n')
    assert f"unknown_category: 1 (row dropped)\n    {path}:70: ClassId '46'" in lines[1]  # 1 + 40 + 20 + 8 lines before
    assert f'missing_file: 1 (image dropped)\n    {photos}/00.jpg' in lines[1]
    assert f'{photos}/04.jpg: 9x12, the CSV says 12x9' in lines[1]


def test_without_problems_only_the_count_is_logged(root, monkeypatch):
    lines = []
    monkeypatch.setattr(imaterialist, 'print_log', lambda message, logger: lines.append(message))
    dataset(root, 'test')
    assert lines == [f"{root / 'sample_submission.csv'}: 3 images for split 'test'"]


def test_the_log_goes_to_the_runs_logger(root, tmp_path):
    logger = MMLogger.get_instance('test_imaterialist', log_file=str(tmp_path / 'run.log'))
    dataset(root, 'test')
    for handler in logger.handlers:
        handler.flush()
    assert "3 images for split 'test'" in (tmp_path / 'run.log').read_text()


def test_when_nothing_is_left_one_line_says_how_many_were_dropped_and_why(root):
    """The photos lie in another folder; of 68 rows one is bad."""
    add_rows(root, f'01.jpg,1 1,{HEIGHT},{WIDTH},46')
    message = (
        f"{root}/train.csv: no image is left for split 'val': dropped: missing_file 4 (image dropped), such as "
        f'{root}/photos/'
    )
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        IMaterialistDataset(data_root=str(root), ann_file='train.csv', data_prefix=dict(img_path='photos'), split='val')
    assert 'unknown_category 1 (row dropped), such as' in str(error.value)
    assert 'does FASHION_DATA name the right folder?' in str(error.value)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('split', ['all', 'train'])
def test_a_table_without_a_usable_row_says_so_before_the_split(root, split):
    (root / 'train.csv').write_text('ImageId,EncodedPixels,Height,Width,ClassId\n00.jpg,1 1,12,9,dress\n')
    with pytest.raises(ValueError, match=r'no image is left .* unknown_category 1 .* image_without_rows 1'):
        dataset(root, split)


def test_categories_that_no_image_has_leave_nothing_to_train_on(root):
    with pytest.raises(ValueError, match=r'no image is left .* none of 40 has an object of the categories \[45\]'):
        dataset(root, categories=[45], filter_cfg=dict(filter_empty_gt=True))


def test_the_layout_of_2020_is_read(root):
    """ImageIds without .jpg, attributes in a column of their own."""
    lines = (root / 'train.csv').read_text().replace('.jpg,', ',').replace('6_33_20', '6,"33,20"').splitlines()
    lines = [lines[0] + ',AttributesIds', *(line if line.endswith('"') else line + ',' for line in lines[1:])]
    (root / 'train.csv').write_text('\n'.join(lines) + '\n')
    data = dataset(root)
    info = data.get_data_info(0)
    assert (len(data), info['img_id'], info['img_path']) == (IMAGES, '00', str(root / 'train' / '00.jpg'))
    assert [one['attributes'] for one in info['instances']] == [(20, 33), (), ()]
    assert not data.audit.counts
    (root / 'sample_submission.csv').write_text('ImageId,EncodedPixels,ClassId,AttributesIds\nt1,1 1,0,1\nt9,1 1,0,1\n')
    data = dataset(root, 'test')
    assert [data.get_data_info(index)['img_path'] for index in range(len(data))] == [str(root / 'test' / 't1.jpg')]
    assert data.audit.examples == {'missing_file': [str(root / 'test' / 't9.jpg')]}


def test_image_ids_do_not_leave_the_folder(root):
    """A photo lies beside the folder; an absolute name would be found as well."""
    write_photo(root / 'stolen.jpg')
    ids_outside = ['../stolen.jpg', str(root / 'stolen.jpg')]
    add_rows(root, *(f'{image_id},1 1,{HEIGHT},{WIDTH},6' for image_id in ids_outside))
    (root / 'sample_submission.csv').write_text(
        'ImageId,EncodedPixels,ClassId\n' + ''.join(f'{image_id},1 1,0\n' for image_id in [*ids_outside, 't1.jpg'])
    )
    for split, expected in (('all', [f'{index:02}.jpg' for index in range(IMAGES)]), ('test', ['t1.jpg'])):
        data = dataset(root, split)
        assert ids(data) == expected
        assert data.audit.counts['unsafe_image_id'] == 2


def test_files_can_go_unchecked(root):
    (root / 'train' / '00.jpg').unlink()
    data = dataset(root, check_images=False)
    assert len(data) == IMAGES
    assert not data.audit.counts


def test_two_data_sets_of_one_file_have_an_audit_each(root):
    """The table is read once a process; its audit must not add up."""
    add_rows(root, f'01.jpg,1 1,{HEIGHT},{WIDTH},46')
    assert [dataset(root).audit.counts['unknown_category'] for _ in range(2)] == [1, 1]


def test_mmdet_decodes_masks_to_exactly_what_was_drawn(root):
    """12 x 9, so a mix-up of rows and columns shows."""
    data = dataset(root, categories=(13, 6, 23))
    load = LoadAnnotations(with_bbox=True, with_mask=True)
    for index in (0, 1, 5):
        results = load(dict(data.get_data_info(index), ori_shape=(HEIGHT, WIDTH), img_shape=(HEIGHT, WIDTH)))
        labels = [6, 23, 13] if index == 0 else [6] if index == 1 else [6, 13]
        assert results['gt_bboxes_labels'].tolist() == [(13, 6, 23).index(category) for category in labels]
        np.testing.assert_array_equal(results['gt_masks'].masks, [bitmap(index, category) for category in labels])
        assert len(results['gt_bboxes']) == len(labels)
        assert not results['gt_ignore_flags'].any()


def test_a_pipeline_carries_the_truth_to_the_metric(root):
    """The test pipeline's way: instances travel in the metainfo, masks as runs, attributes with them."""
    pipeline = [dict(type='LoadImageFromFile'), dict(type='mmdet.PackDetInputs', meta_keys=('img_id', 'instances'))]
    sample = dataset(root, pipeline=pipeline, test_mode=True)[0]['data_samples']
    assert sample.img_id == '00.jpg'
    assert [instance['attributes'] for instance in sample.instances] == [(20, 33), (), ()]
    assert isinstance(sample.instances[0]['mask']['counts'], str)


def test_a_whole_training_sample_has_what_mask_rcnn_needs(root):
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
        dict(type='mmdet.PackDetInputs'),
    ]
    item = dataset(root, 'train', filter_cfg=dict(filter_empty_gt=True), pipeline=pipeline)[0]
    assert tuple(item['inputs'].shape) == (3, HEIGHT, WIDTH)
    truth = item['data_samples'].gt_instances
    assert len(truth.bboxes) == len(truth.labels) == len(truth.masks) > 0


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(split='valid'), "split='valid': one of train, val, all, test"),
        (dict(num_images=0), 'num_images=0: must be a whole number, at least 1'),
        (dict(num_images=-1), 'num_images=-1: must be a whole number, at least 1'),
        (dict(categories=[46]), r'categories=\[46\]: must be a list of whole numbers, at least 0 and at most 45'),
        (dict(categories=[3, -1]), r'categories=\[3, -1\]: must be a list of whole numbers'),
        (dict(categories=6), 'categories=6: must be a list'),
        (dict(categories=[6, 6]), 'an id comes twice'),
        (dict(num_images=1.5), 'num_images=1.5: must be a whole number'),
        (dict(split=['val']), r"split=\['val'\]"),
        (dict(seed='x'), "seed='x'"),
        (dict(check_images='no'), "check_images='no'"),
        (dict(split='val', val_fraction='x'), "val_fraction='x'"),
        (dict(split='val', val_fraction=1.5), 'val_fraction=1.5: must be a finite number, above 0 and below 1'),
    ],
)
def test_unknown_options_are_refused(root, options, message):
    with pytest.raises(ValueError, match=message):
        dataset(root, **options)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'train\.csv'):
        dataset(tmp_path)


def test_a_file_that_is_missing_here_does_not_deal_the_other_photos_anew(root):
    """The split goes by the CSV: without photo 00, every other photo stays in its half."""
    before = {split: ids(dataset(root, split, val_fraction=0.3)) for split in ('train', 'val')}
    (gone,) = [path for path in (root / 'train').iterdir() if path.stem == '00']
    gone.unlink()
    for split, images in before.items():
        assert ids(dataset(root, split, val_fraction=0.3)) == [image for image in images if image != gone.name]


def test_steps_by_name_go_in_the_data_sets_order_whatever_the_dicts():
    """A dumped config has its keys sorted: annotations, flip, load, pack."""
    steps = dict(annotations=dict(type='B'), flip=dict(type='C'), load=dict(type='A'), pack=dict(type='D'))
    assert [step['type'] for step in order_steps(steps)] == ['A', 'B', 'C', 'D']


def test_a_step_that_is_none_is_left_out_and_a_list_is_in_order_already():
    assert order_steps(dict(pack=dict(type='D'), blur=None, load=dict(type='A'))) == [dict(type='A'), dict(type='D')]
    assert order_steps((dict(type='D'), dict(type='A'))) == [dict(type='D'), dict(type='A')]


def test_a_step_of_another_name_is_refused():
    with pytest.raises(ValueError, match=r"pipeline step 'mixup': one of load, .*; or give the pipeline as a list"):
        order_steps(dict(load=dict(type='A'), mixup=dict(type='MixUp')))
