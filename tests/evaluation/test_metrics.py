"""The metrics as mmengine's runner calls them, in one process and in two."""

import copy
import json
import os
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS
from mmengine.dataset import DefaultSampler
from pycocotools import mask as coco_mask

from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.evaluation.metrics import (
    FashionIoUSweepMetric,
    PostprocessedCocoMetric,
    finish_sample,
    resize_truth,
)
from fashion_mmdet.evaluation.postprocess import Postprocess
from fashion_mmdet.evaluation.predictions import Truth
from tests.builders import block, encode

SIZE = (20, 10)  # height and width of the photos


def sample(image_id: str, true: list[tuple], predicted: list[tuple], size: tuple[int, int] = SIZE) -> dict:
    """A data sample as a metric gets it.

    Args:
        image_id: of the photo.
        true: label, box x1 y1 x2 y2 in whole pixels, attributes where there are any.
        predicted: label, score, box of up to 28 whole pixels, which a solid mask fills exactly.
        size: height and width of the photo.
    """
    instances = [
        dict(
            bbox=list(one[1]),
            bbox_label=one[0],
            mask=encode(block(*one[1], size)),
            attributes=tuple(one[2:]),
            ignore_flag=0,
        )
        for one in true
    ]
    return dict(
        img_id=image_id,
        ori_shape=size,
        instances=instances,
        pred_instances=dict(
            bboxes=torch.tensor([one[2] for one in predicted], dtype=torch.float32).reshape(-1, 4),
            labels=torch.tensor([one[0] for one in predicted], dtype=torch.long),
            scores=torch.tensor([one[1] for one in predicted], dtype=torch.float32),
            mask_probs=torch.ones(len(predicted), 28, 28, dtype=torch.float16),
        ),
    )


def sweep(classes: tuple[str, ...] = CATEGORIES, **options) -> FashionIoUSweepMetric:
    metric = FashionIoUSweepMetric(**options)
    metric.dataset_meta = dict(classes=classes)
    return metric


def coco(classes: tuple[str, ...] = CATEGORIES, **options) -> PostprocessedCocoMetric:
    metric = PostprocessedCocoMetric(metric=['bbox', 'segm'], **options)
    metric.dataset_meta = dict(classes=classes)
    return metric


def evaluate(metric, samples: list[dict]) -> dict[str, float]:
    metric.process({}, samples)
    return metric.evaluate(len(samples))


PARTLY = sample('partly.jpg', [(3, (0, 0, 10, 9))], [(3, 0.9, (0, 0, 10, 7))])
NOTHING = sample('nothing.jpg', [], [])
MISSED = sample('missed.jpg', [(3, (0, 0, 10, 10))], [(3, 0.4, (0, 0, 10, 10))])


@pytest.mark.parametrize('size', [None, (20, 10), (512, 512)])
def test_the_score_of_three_photos(size):
    """IoU 70 / 90 = 0.78 hits at 0.50 to 0.75: 0.6. Nothing there, nothing predicted: 1. Scored below 0.5: missed, 0.

    (0.6 + 1 + 0) / 3; at 0.5 and at 0.75 alone (1 + 1 + 0) / 3. At 512 x 512 a solid mask's corners round off and edges
    fall between pixels: the IoU is another by less than 0.02 and hits the same thresholds.
    """
    figures = evaluate(sweep(size=size), [PARTLY, NOTHING, MISSED])
    assert figures == {
        'fashion/score': pytest.approx(1.6 / 3, abs=1e-15),
        'fashion/score_50': pytest.approx(2 / 3, abs=1e-15),
        'fashion/score_75': pytest.approx(2 / 3, abs=1e-15),
    }


def test_a_batch_gives_one_result_an_image():
    metric = sweep()
    metric.process({}, [PARTLY, NOTHING])
    metric.process({}, [MISSED])
    assert [result.image_id for result in metric.results] == ['partly.jpg', 'nothing.jpg', 'missed.jpg']


def test_postprocessing_options_reach_the_masks():
    """With a threshold of 0.3 the third photo's object is found whole: (0.6 + 1 + 1) / 3."""
    figures = evaluate(sweep(postprocess=dict(score_thr=0.3)), [PARTLY, NOTHING, MISSED])
    assert figures['fashion/score'] == pytest.approx(2.6 / 3, abs=1e-15)


def test_the_winners_average_is_over_pairs():
    """One photo: class 3 scores 0.6, class 7 is missed. Pooled: (6 * 1 / 2 + 4 * 0 / 3) / 10 = 0.3."""
    two = sample('two.jpg', [(3, (0, 0, 10, 9)), (7, (0, 12, 5, 18))], [(3, 0.9, (0, 0, 10, 7))])
    assert evaluate(sweep(), [two])['fashion/score'] == pytest.approx(0.3, abs=1e-15)
    # With NOTHING the pooled images score (0.3 + 1) / 2, the pairs (0.6 + 0 + 1) / 3.
    assert evaluate(sweep(), [two, NOTHING])['fashion/score'] == pytest.approx(1.3 / 2, abs=1e-15)
    assert evaluate(sweep(average='image_class'), [two, NOTHING])['fashion/score'] == pytest.approx(1.6 / 3, abs=1e-15)


def test_with_class_ids_an_object_with_attributes_is_missed():
    """Nothing here predicts attributes: the dress counts by category only, the shoe either way."""
    both = sample(
        'x.jpg',
        [(10, (0, 0, 10, 10), 3, 20), (23, (0, 12, 5, 18))],
        [(10, 0.9, (0, 0, 10, 10)), (23, 0.8, (0, 12, 5, 18))],
    )
    assert evaluate(sweep(size=None), [both])['fashion/score'] == 1
    assert evaluate(sweep(size=None, match='class_id'), [both])['fashion/score'] == pytest.approx(1 / 3, abs=1e-15)


def test_labels_of_a_subset_are_brought_back_to_category_ids():
    """Labels 0 and 1 of a data set of shoes and pants are categories 23 and 6; a threshold for 6 applies to label 1."""
    one = sample(
        'x.jpg', [(0, (0, 0, 10, 10)), (1, (0, 12, 5, 18))], [(0, 0.6, (0, 0, 10, 10)), (1, 0.6, (0, 12, 5, 18))]
    )
    metric = sweep(('shoe', 'pants'), size=None, postprocess=dict(score_thr={'default': 0.5, 6: 0.7}))
    metric.process({}, [one])
    assert metric.results[0].categories.tolist() == [23, 6]
    assert metric.results[0].counts[:, 0].tolist() == [[1, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize('size', [(512, 512), (64, 48), (17, 31), (700, 300)])
def test_true_masks_are_scaled_as_by_opencv(size):
    """Random bitmaps of 12 shapes, to the pixel as cv2.resize(INTER_NEAREST), which takes width before height."""
    generator = np.random.default_rng(0)
    for _ in range(12):
        height, width = generator.integers(1, 400, 2).tolist()
        masks = [cv2.GaussianBlur(generator.random((height, width)), (9, 9), 0) > 0.5 for _ in range(3)]
        truth = Truth(
            'x.jpg',
            (height, width),
            np.array([1, 2, 3]),
            [encode(mask) for mask in masks],
            [(), (4,), ()],
        )
        resized = resize_truth(truth, size)
        assert (resized.image_id, resized.size, resized.attributes) == ('x.jpg', size, [(), (4,), ()])
        for runs, mask in zip(resized.masks, masks, strict=True):
            expected = cv2.resize(mask.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST)
            np.testing.assert_array_equal(coco_mask.decode(runs), expected)


def test_without_a_size_the_truth_stays_as_it_is():
    truth = Truth('x.jpg', SIZE, np.zeros(0, np.int64), [], [])
    assert resize_truth(truth, None) is truth


def test_the_class_table_is_logged(monkeypatch):
    """By its category's name, with sensitivity 1 / 2 and mean IoU 70 / 90."""
    lines = []
    monkeypatch.setattr('fashion_mmdet.evaluation.metrics.print_log', lambda message, logger: lines.append(message))
    evaluate(sweep(size=None), [PARTLY, NOTHING, MISSED])
    head, _, row = lines[0].split('\n')
    assert head == '3 images, by class at IoU 0.5:'
    assert row.split() == ['3', 'cardigan', '2', '1', '0.500', '1.000', '0.778']


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(average='class'), "average='class': one of image, image_class"),
        (dict(match='label'), "match='label': one of category, class_id"),
        (dict(postprocess=dict(overlap='union')), "overlap='union'"),
    ],
)
def test_unknown_options_are_refused_before_the_first_image(options, message):
    with pytest.raises(ValueError, match=message):
        METRICS.build(dict(type='FashionIoUSweepMetric', **options))


@pytest.mark.parametrize('metric', [sweep(), coco()])
def test_pasted_masks_are_refused_with_what_to_set(metric):
    pasted = copy.deepcopy(PARTLY)
    del pasted['pred_instances']['mask_probs']
    with pytest.raises(ValueError, match=r'set mask_head\.type to RawFCNMaskHead'):
        metric.process({}, [pasted])


# mmdet's AP.


def random_samples(count: int, seed: int = 0) -> list[dict]:
    """Photos of up to 60 x 60 with up to 5 objects of three classes, and predictions near them, some of them astray."""
    generator = np.random.default_rng(seed)

    def box(height: int, width: int) -> np.ndarray:
        x, y = generator.integers(0, width - 8), generator.integers(0, height - 8)
        return np.array([x, y, min(x + generator.integers(6, 29), width), min(y + generator.integers(6, 29), height)])

    samples = []
    for index in range(count):
        height, width = generator.integers(30, 61, 2).tolist()
        true = [(int(generator.integers(3)), box(height, width)) for _ in range(generator.integers(0, 6))]
        predicted = []
        for label, corners in true:
            near = np.clip(corners + generator.integers(-2, 3, 4), 0, [width, height] * 2)
            predicted.append((label if generator.random() < 0.9 else 2 - label, generator.random(), near))
        predicted += [(0, generator.random(), box(height, width))] * (index % 3 == 0)
        samples.append(
            sample(
                f'{index}.jpg', true, [(label, score, one.tolist()) for label, score, one in predicted], (height, width)
            )
        )
    return samples


def as_mmdet_gives_it(one: dict) -> dict:
    """The sample with pasted masks, (N, H, W) bool, in place of raw ones; whole-pixel boxes paste to their blocks."""
    instances = one['pred_instances']
    masks = [block(*box, one['ori_shape']) for box in instances['bboxes'].long().tolist()]
    masks = torch.from_numpy(np.array(masks, bool).reshape(-1, *one['ori_shape']))
    return {
        **one,
        'pred_instances': dict(
            bboxes=instances['bboxes'], labels=instances['labels'], scores=instances['scores'], masks=masks
        ),
    }


def test_perfect_predictions_have_an_ap_of_one():
    """Every object found to the pixel, in photos of several sizes, one of them empty."""
    samples = []
    for index, size in enumerate([(20, 10), (40, 50), (25, 25)]):
        boxes = [(3, (0, 0, 9, 8)), (23, (2, 9, 8, 19)), (3, (1, 2, 7, 18))]
        samples.append(sample(f'{index}.jpg', boxes, [(label, 0.9, box) for label, box in boxes], size))
    figures = evaluate(coco(), [*samples, NOTHING])
    assert {name: value for name, value in figures.items() if name.endswith(('mAP', 'mAP_50', 'mAP_75'))} == {
        f'coco/{kind}_{name}': 1.0 for kind in ('bbox', 'segm') for name in ('mAP', 'mAP_50', 'mAP_75')
    }


def test_the_ap_is_that_of_mmdets_own_metric_on_pasted_masks():
    """60 photos; also when the stock metric reads the finished samples itself."""
    samples = random_samples(60)
    classes = ('shoe', 'pants', 'dress')
    figures = evaluate(coco(classes), samples)
    options = Postprocess(score_thr=0.0, nms_iou=None, overlap='none')
    for prepared in (
        [as_mmdet_gives_it(one) for one in samples],
        [finish_sample(one, options, dict(classes=classes)) for one in samples],
    ):
        stock = CocoMetric(metric=['bbox', 'segm'])
        stock.dataset_meta = dict(classes=classes)
        assert evaluate(stock, prepared) == figures
    assert 0.2 < figures['coco/segm_mAP'] < 0.9


def test_ap_counts_all_scores_unless_told_otherwise():
    """The object scored 0.4 counts; with a threshold of 0.5 it is lost. One of two objects: AP 0.505, as COCO's 101
    recall points from 0 to 0.5 are 51.
    """
    one = sample('x.jpg', [(3, (0, 0, 9, 8)), (3, (0, 9, 9, 18))], [(3, 0.9, (0, 0, 9, 8)), (3, 0.4, (0, 9, 9, 18))])
    assert evaluate(coco(), [one])['coco/segm_mAP'] == 1
    assert evaluate(coco(postprocess=dict(score_thr=0.5, drop_categories=[3])), [one])['coco/segm_mAP'] == 1
    figures = evaluate(coco(postprocess=dict(score_thr=0.5), all_detections=False), [one])
    assert figures['coco/segm_mAP'] == pytest.approx(51 / 101, abs=1e-3)


def test_a_finished_sample_has_final_masks_with_boxes_around_them():
    """By descending score; the second block, rows 5 to 14, loses its upper half to the first: rows 10 to 14 remain.
    Labels are the data set's, not category ids.
    """
    raw = sample('x.jpg', [], [(1, 0.7, (0, 5, 10, 15)), (1, 0.9, (0, 0, 10, 10)), (0, 0.3, (0, 0, 3, 3))])
    before = copy.deepcopy(raw)
    done = finish_sample(raw, Postprocess(nms_iou=None), dict(classes=('shoe', 'pants')))
    instances = done['pred_instances']
    assert instances['labels'].tolist() == [1, 1]
    assert instances['bboxes'].tolist() == [[0, 0, 10, 10], [0, 10, 10, 15]]
    np.testing.assert_allclose(instances['scores'].numpy(), [0.9, 0.7], rtol=1e-6)
    np.testing.assert_array_equal(coco_mask.decode(instances['masks'][1]), block(0, 10, 10, 15, SIZE))
    assert done['img_id'] == 'x.jpg'
    assert raw['pred_instances'].keys() == before['pred_instances'].keys()
    assert torch.equal(raw['pred_instances']['bboxes'], before['pred_instances']['bboxes'])


def test_a_finished_sample_without_objects_has_empty_tensors():
    instances = finish_sample(NOTHING, Postprocess(), dict(classes=CATEGORIES))['pred_instances']
    assert [tuple(instances[name].shape) for name in ('bboxes', 'labels', 'scores')] == [(0, 4), (0,), (0,)]
    assert instances['masks'] == []


# Two processes.

COUNTS = (7, 8, 1)  # 7 on two ranks: the sampler repeats photo 0; 1: the second rank has but the repetition
ASKED = (
    dict(type='FashionIoUSweepMetric', size=(64, 48), postprocess=dict(score_thr=0.2)),
    dict(type='FashionIoUSweepMetric', size=None, average='image_class', postprocess=dict(score_thr=0.2)),
    dict(type='PostprocessedCocoMetric', metric='segm'),
)


def score_as_the_runner(count: int) -> list[dict[str, float]]:
    """Evaluate every metric asked for on this rank's share of `count` photos."""
    samples, figures = random_samples(count, seed=5), []
    for options in ASKED:
        metric = METRICS.build(options)
        metric.dataset_meta = dict(classes=('shoe', 'pants', 'dress'))
        for index in DefaultSampler(range(count), shuffle=False):
            metric.process({}, [samples[index]])
        figures.append(metric.evaluate(count))
    return figures


def run_rank(rank: int, folder: str) -> None:
    """One of two processes: join the group, score, write the figures down; JSON keeps every digit."""
    os.chdir(folder)  # mmengine exchanges results through a folder in the current one
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/meeting', rank=rank, world_size=2, timeout=timedelta(seconds=600)
    )
    figures = [score_as_the_runner(count) for count in COUNTS]
    Path(f'{rank}.json').write_text(json.dumps(figures))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_give_the_figures_of_one_to_the_last_digit(tmp_path):
    """7 photos on two ranks are 0 2 4 6 and 1 3 5 0: the repeated photo must not count twice."""
    torch.multiprocessing.spawn(run_rank, args=(str(tmp_path),), nprocs=2)
    expected = [score_as_the_runner(count) for count in COUNTS]
    for rank in range(2):
        assert json.loads((tmp_path / f'{rank}.json').read_text()) == expected
    assert 0 < expected[0][0]['fashion/score'] < 1
