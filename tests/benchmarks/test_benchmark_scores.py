"""The benchmarks of postprocessing, metric and submission at toy size: they run, and the contenders agree."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from fashion_mmdet.benchmarks import growth, metric, postprocess, submission, timing
from fashion_mmdet.benchmarks.scenes import make_scenes, to_coco
from fashion_mmdet.evaluation.matching import count_images


def test_scenes_are_the_same_each_time_and_mostly_found():
    """The first two of two and of four; true objects are hit by more predictions than miss at IoU 0.5."""
    few, many = make_scenes(2, size=(128, 96)), make_scenes(4, size=(128, 96))
    assert few[1][1].masks == many[1][1].masks
    assert few[0][0].masks == many[0][0].masks
    hits, _, missed = sum(image.counts[:, 0].sum(axis=0) for image in count_images(*make_scenes(30, size=(128, 96))))
    assert hits > missed


def test_ours_and_pycocotools_find_the_same_true_positives():
    """20 images, at each of the ten thresholds; no IoU of these masks lies exactly at one."""
    counts = sum(image.counts.sum(axis=0) for image in count_images(*make_scenes(20)))  # (10, 3)
    evaluation = metric.prepare_pycocotools(20)()
    found = sum((image['dtMatches'] > 0).sum(axis=1) for image in evaluation.evalImgs if image is not None)
    assert counts[:, 0].tolist() == found.tolist()
    assert counts[0, 0] > 60


def test_all_peers_of_the_metric_compute_the_same_ap():
    pytest.importorskip('hotcoco')
    pytest.importorskip('faster_coco_eval')
    expected = metric.prepare_pycocotools(6)().stats[:3]
    for prepare in (metric.prepare_hotcoco, metric.prepare_faster):
        np.testing.assert_allclose(prepare(6)().stats[:3], expected, atol=1e-12)


def test_a_peer_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(metric, 'PEERS', (('nobody', 'nobody_at_all', None), metric.PEERS[-1]))
    monkeypatch.setattr(timing, 'measure', lambda contenders, *_: [timing.Measured(one, 1.0, 10) for one in contenders])
    (table,) = metric.run(1, images=2)
    assert table.note.endswith('Not installed: nobody.')
    assert [row[1] for row in table.rows] == ['fashion_mmdet', 'pycocotools']


def test_our_submission_is_the_kernels(tmp_path):
    """8 images: the same rows."""
    submission.prepare_ours(8, str(tmp_path))()
    submission.prepare_kernel(8, str(tmp_path))()
    assert (tmp_path / 'ours.csv').read_bytes() == (tmp_path / 'kernel.csv').read_bytes()


@pytest.mark.filterwarnings('ignore:To copy construct')
def test_our_masks_are_mmdets_but_for_rounding():
    """12 masks at 300 x 400; of all pixels at most 1 in 10,000 differs."""
    ours, theirs = postprocess.prepare_ours((300, 400), 12)().masks, postprocess.prepare_mmdet((300, 400), 12)()
    assert len(ours) == len(theirs) == 12
    different = [(coco_mask.decode(one) != coco_mask.decode(two)).sum() for one, two in zip(ours, theirs, strict=True)]
    assert sum(different) <= 12 * 300 * 400 / 10_000


def test_results_carry_neither_box_nor_area():
    dataset, results = to_coco(*make_scenes(2, size=(64, 48)))
    assert set(results[0]) == {'image_id', 'category_id', 'segmentation', 'score'}
    assert (len(dataset['images']), len(dataset['annotations']), len(results)) == (2, 14, 30)


def test_growth_has_a_row_a_number_of_images(monkeypatch):
    table = growth.measure_scores(1, images=(1, 2))
    assert [row[0] for row in table.rows] == ['1', '2']
    assert all(len(row) == len(table.header) for row in table.rows)


@pytest.mark.slow
@pytest.mark.parametrize('module', [postprocess, submission])
def test_benchmarks_run_with_their_memory(module):
    """In fresh processes, at toy size; every row has a time and a peak."""
    sizes = dict(size=(60, 80), masks=4, images=1) if module is postprocess else dict(images=2)
    (table,) = module.run(1, **sizes)
    assert len(table.rows) >= 2
    assert all(row[4].endswith('MB') for row in table.rows)
