"""Raw predictions are checked where they enter, from a model and from a dump alike."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from fashion_mmdet.evaluation.dump import DumpWriter, read_dump
from fashion_mmdet.evaluation.predictions import RawPrediction, check_raw, empty_prediction, raw_from_sample


def make_raw(**changes) -> RawPrediction:
    """Two detections on a photo 10 high and 20 wide, at the ends of every range."""
    fields = dict(
        image_id='x.jpg',
        height=10,
        width=20,
        categories=np.array([0, 45]),
        scores=np.array([0, 1], np.float32),
        boxes=np.array([[-5, 0, 5, 5], [3, 3, 1e30, 2]], np.float32),
        mask_probs=np.stack([np.full((28, 28), -0.0), np.ones((28, 28))]).astype(np.float16),
        attribute_probs=np.stack([np.zeros(92), np.ones(92)]).astype(np.float16),
    )
    return RawPrediction(**{**fields, **changes})


def put(array: np.ndarray, value: float) -> np.ndarray:
    """The array with another last value."""
    changed = array.copy()
    changed.flat[-1] = value
    return changed


GOOD = make_raw()
WRONG_VALUES = {  # field and value -> what the message says
    ('scores', np.nan): 'scores hold nan, must lie between 0 and 1',
    ('scores', np.inf): 'scores hold inf, must lie between 0 and 1',
    ('scores', 1.5): 'scores hold 1.5, must lie between 0 and 1',
    ('scores', -0.5): 'scores hold -0.5, must lie between 0 and 1',
    ('boxes', np.inf): 'boxes hold inf, must lie between -3.40282e+38 and 3.40282e+38',
    ('boxes', -np.inf): 'boxes hold -inf, must lie between -3.40282e+38 and 3.40282e+38',
    ('boxes', np.nan): 'boxes hold nan, must lie between -3.40282e+38 and 3.40282e+38',
    ('mask_probs', np.nan): 'mask_probs hold nan, must lie between 0 and 1',
    ('mask_probs', 1.5): 'mask_probs hold 1.5, must lie between 0 and 1',
    ('mask_probs', -0.5): 'mask_probs hold -0.5, must lie between 0 and 1',
    ('attribute_probs', np.nan): 'attribute_probs hold nan, must lie between 0 and 1',
    ('categories', 46): 'categories hold 46, must lie between 0 and 45',
    ('categories', -1): 'categories hold -1, must lie between 0 and 45',
}
WRONG_FORMS = [
    (dict(height=0), 'a photo of 0x20 pixels cannot be'),
    (dict(width=-3), 'a photo of 10x-3 pixels cannot be'),
    (dict(height=2**20 + 1), 'a photo of 1048577x20 pixels cannot be'),
    (
        dict(boxes=np.zeros((3, 4), np.float32)),
        'boxes of type float32 and shape (3, 4), expected floating point numbers of shape (2, 4)',
    ),
    (dict(categories=np.array([1])), 'categories of type int64 and shape (1,), expected whole numbers of shape (2,)'),
    (dict(categories=np.array([1.0, 2.0])), 'categories of type float64 and shape (2,), expected whole numbers'),
    (
        dict(mask_probs=np.zeros((2, 28, 27), np.float16)),
        'shape (2, 28, 27), expected floating point numbers of shape (2, 27, 27)',
    ),
    (dict(mask_probs=np.zeros((2, 0, 0), np.float16)), 'expected floating point numbers of shape (2, 1, 1)'),
    (dict(mask_probs=np.zeros((2, 28, 28), np.uint8)), 'mask_probs of type uint8'),
    (dict(attribute_probs=np.zeros((2, 91), np.float16)), 'expected floating point numbers of shape (2, 92)'),
]


def test_the_ends_of_the_ranges_are_right():
    """-0.0 is 0; a box may be empty, reach out of the photo and further than any."""
    for raw in (GOOD, make_raw(attribute_probs=None), empty_prediction('x.jpg', 10, 20)):
        assert check_raw(raw) is raw


@pytest.mark.parametrize(('field', 'value'), WRONG_VALUES)
def test_a_value_out_of_its_range_is_named_with_the_image(field, value):
    with pytest.raises(ValueError, match=f'^x.jpg: {re.escape(WRONG_VALUES[field, value])}$'):
        check_raw(make_raw(**{field: put(getattr(GOOD, field), value)}))


@pytest.mark.parametrize(('changes', 'message'), WRONG_FORMS)
def test_a_size_shape_or_type_that_cannot_be_is_named(changes, message):
    with pytest.raises(ValueError, match=f'^x.jpg: .*{re.escape(message)}'):
        check_raw(make_raw(**changes))


def to_sample(raw: RawPrediction, **changes) -> dict:
    instances = dict(
        labels=torch.tensor(raw.categories),
        scores=torch.tensor(raw.scores),
        bboxes=torch.tensor(raw.boxes),
        mask_probs=torch.tensor(raw.mask_probs),
    )
    return dict(img_id=raw.image_id, ori_shape=(raw.height, raw.width), pred_instances={**instances, **changes})


@pytest.mark.parametrize('field', ['scores', 'bboxes', 'mask_probs'])
def test_a_model_that_gives_nan_is_named(field):
    sample = to_sample(GOOD)
    sample['pred_instances'][field].view(-1)[-1] = torch.nan
    name = 'boxes' if field == 'bboxes' else field
    with pytest.raises(
        ValueError,
        match=f"^x.jpg: {name} hold nan, .*: the model's weights are probably broken; take "
        'an earlier checkpoint, or train with a lower learning rate$',
    ):
        raw_from_sample(sample, tuple(range(46)))


def test_a_model_with_more_classes_than_the_data_set_is_named():
    with pytest.raises(ValueError, match=r'^x\.jpg: the model names label 45, the data set has 3 classes'):
        raw_from_sample(to_sample(GOOD), (6, 10, 23))


@pytest.mark.parametrize(('field', 'value'), [case for case in WRONG_VALUES if case[0] != 'attribute_probs'])
def test_a_dump_is_checked_as_a_model_is(tmp_path: Path, field, value):
    writer = DumpWriter(tmp_path / 'a.parquet')
    writer.write(GOOD)
    writer.write(make_raw(image_id='y.jpg', **{field: put(getattr(GOOD, field), value)}))
    writer.close()
    column = dict(scores='score', boxes='y2', mask_probs='mask', categories='category')[field]
    with pytest.raises(ValueError, match=rf'^{tmp_path}/a\.parquet: column {column}, row 3: '):
        next(read_dump(tmp_path / 'a.parquet'))


def test_an_image_without_detections_needs_a_size_too(tmp_path: Path):
    writer = DumpWriter(tmp_path / 'a.parquet')
    writer.write(empty_prediction('x.jpg', 0, 20))
    writer.close()
    with pytest.raises(ValueError, match=r"a\.parquet: metadata: images: \['x\.jpg', 0, 20\] is not"):
        list(read_dump(tmp_path / 'a.parquet'))
