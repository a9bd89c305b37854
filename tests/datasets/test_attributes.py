"""True attributes stay beside their objects through crop, filter and flip, and reach gt_instances."""

import numpy as np
import pytest
from mmdet.datasets.transforms import FilterAnnotations, RandomCrop, RandomFlip
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks

from fashion_mmdet.classes import to_multi_hot
from fashion_mmdet.datasets.attributes import AttachAttributes, PackAttributes
from fashion_mmdet.datasets.pipeline import order_steps

# Three objects in a 40 x 40 photo, one above the other: rows 0 to 9, 15 to 24, 30 to 39.
LABELS, ATTRIBUTES = [10, 23, 0], [(3, 20), (), (91,)]


def loaded() -> dict:
    """What mmdet's LoadAnnotations leaves."""
    masks = np.zeros((3, 40, 40), np.uint8)
    for index, mask in enumerate(masks):
        mask[15 * index : 15 * index + 10, 5:30] = 1
    return dict(
        img=np.zeros((40, 40, 3), np.uint8),
        img_shape=(40, 40),
        img_path='a.jpg',
        gt_masks=BitmapMasks(masks, 40, 40),
        gt_bboxes=HorizontalBoxes(np.array([[5, 15 * i, 30, 15 * i + 10] for i in range(3)], np.float32)),
        gt_bboxes_labels=np.array(LABELS),
        gt_ignore_flags=np.zeros(3, bool),
        instances=[dict(bbox_label=label, attributes=ids) for label, ids in zip(LABELS, ATTRIBUTES, strict=True)],
    )


def found(results: dict) -> list[tuple[int, tuple[int, ...], float]]:
    """Label, attributes and left edge of every packed object."""
    instances = PackAttributes(meta_keys=('img_path',)).transform(results)['data_samples'].gt_instances
    assert instances.attributes.shape == (len(instances.labels), 92)
    return [
        (int(label), tuple(np.flatnonzero(marks.numpy()).tolist()), float(box[0]))
        for label, marks, box in zip(instances.labels, instances.attributes, instances.bboxes.tensor, strict=True)
    ]


def test_labels_and_attributes_come_apart_as_they_were():
    assert found(AttachAttributes().transform(loaded())) == [(10, (3, 20), 5.0), (23, (), 5.0), (0, (91,), 5.0)]


def test_a_crop_drops_an_object_with_its_attributes(monkeypatch: pytest.MonkeyPatch):
    """Rows 12 to 40 hold the second and the third object."""
    crop = RandomCrop(crop_size=(40, 28), recompute_bbox=True)
    monkeypatch.setattr(crop, '_rand_offset', lambda margin: (12, 0))
    assert found(crop.transform(AttachAttributes().transform(loaded()))) == [(23, (), 5.0), (0, (91,), 5.0)]


def test_the_filter_drops_an_object_with_its_attributes():
    """The first mask shrinks to 2 pixels, fewer than 4."""
    results = AttachAttributes().transform(loaded())
    results['gt_masks'].masks[0] = 0
    results['gt_masks'].masks[0, 0, :2] = 1
    step = FilterAnnotations(min_gt_mask_area=4, by_mask=True)
    assert found(step.transform(results)) == [(23, (), 5.0), (0, (91,), 5.0)]


def test_a_flip_keeps_the_order():
    """5 to 30 of 40 becomes 10 to 35."""
    flipped = RandomFlip(prob=1.0).transform(AttachAttributes().transform(loaded()))
    assert found(flipped) == [(10, (3, 20), 10.0), (23, (), 10.0), (0, (91,), 10.0)]


def test_ignored_objects_take_their_attributes_with_them():
    results = AttachAttributes().transform(loaded())
    results['gt_ignore_flags'][0] = True
    sample = PackAttributes(meta_keys=()).transform(results)['data_samples']
    assert sample.gt_instances.labels.tolist() == [23, 0]
    assert sample.ignored_instances.attributes.nonzero().tolist() == [[0, 3], [0, 20]]


def test_a_photo_without_objects_has_no_attributes():
    results = dict(
        img=np.zeros((4, 4, 3), np.uint8),
        instances=[],
        gt_bboxes=HorizontalBoxes(np.zeros((0, 4))),
        gt_bboxes_labels=np.zeros(0, np.int64),
        gt_ignore_flags=np.zeros(0, bool),
    )
    assert found(AttachAttributes().transform(results)) == []


def test_attributes_after_a_step_that_dropped_objects_are_refused():
    results = loaded()
    results['gt_bboxes_labels'] = results['gt_bboxes_labels'][1:]
    with pytest.raises(ValueError, match=r'a\.jpg: 2 labels for 3 objects'):
        AttachAttributes().transform(results)


def test_packing_without_attaching_is_refused():
    with pytest.raises(ValueError, match='add the step AttachAttributes'):
        PackAttributes().transform(loaded())


def test_attributes_are_attached_before_the_first_step_that_drops_objects():
    names = [
        step['type']
        for step in order_steps(
            dict(
                pack=dict(type='pack'),
                crop=dict(type='crop'),
                attributes=dict(type='attributes'),
                annotations=dict(type='annotations'),
            )
        )
    ]
    assert names == ['annotations', 'attributes', 'crop', 'pack']


def test_marks_of_no_objects_and_of_an_unlabelled_one():
    assert to_multi_hot([]).shape == (0, 92)
    assert to_multi_hot([(), (0, 91)]).sum(axis=1).tolist() == [0, 2]
