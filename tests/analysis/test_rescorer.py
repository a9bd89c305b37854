"""The rescorer: features by hand, honest folds, files that change nothing, a place in postprocessing."""

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from skops import io as skops_io

from fashion_mmdet.analysis.rescorer.calibration import calibrate
from fashion_mmdet.analysis.rescorer.data import Metric, TrainingData, sweep_hits
from fashion_mmdet.analysis.rescorer.validation import Settings, validate
from fashion_mmdet.evaluation.dump import DumpWriter, read_dump
from fashion_mmdet.evaluation.offline import score_dump
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import RawPrediction, Truth
from fashion_mmdet.evaluation.rescorer import features as feature_module
from fashion_mmdet.evaluation.rescorer import model, store
from fashion_mmdet.evaluation.rescorer.features import FEATURE_NAMES, extract_features
from fashion_mmdet.evaluation.rescorer.model import Rescorer, fit_gain, fit_hit, predict_gain, predict_hit
from fashion_mmdet.evaluation.rescorer.store import load_rescorer, save_rescorer
from fashion_mmdet.masks.rle import coco_to_runs, runs_to_kaggle
from tests.builders import make_raw, make_truth
from tools import train_rescorer

HEIGHT, WIDTH = 96, 48
SIZE = (HEIGHT, WIDTH)
BASE = Postprocess(score_thr=0.5, nms_iou=0.3)
METRIC = Metric(size=SIZE)
QUICK = Settings(folds=2, repeats=1)


raw_of, truth_of = partial(make_raw, size=SIZE), partial(make_truth, size=SIZE)  # one cell of the grid a pixel


def columns(raw: RawPrediction) -> dict[str, list[float]]:
    """Features by name, rounded to five digits."""
    return dict(zip(FEATURE_NAMES, extract_features(raw).astype(float).round(5).T.tolist(), strict=True))


# Features.


def test_an_image_without_detections_has_no_rows():
    assert extract_features(raw_of('x')).shape == (0, len(FEATURE_NAMES))


def test_one_object_by_hand():
    """A box 12 x 48 at (12, 24) in 48 x 96: sides 1/4 and 1/2, area 1/8, aspect 12 / 48, centre (18/48, 48/96); nearest
    border: 12/48 to the left, 24/96 above and below, so 1/4. Alone it is the figure, the best, and overlaps nothing."""
    found = {name: values[0] for name, values in columns(raw_of('x', (7, 0.75, (12, 24, 24, 72)))).items()}
    by_hand = dict(
        category=7,
        score=0.75,
        score_to_best=1,
        score_to_class_best=1,
        rank=0,
        rank_in_class=0,
        log_area=round(np.log(1 / 8), 5),
        log_aspect=round(np.log(1 / 4), 5),
        width=0.25,
        height=0.5,
        centre_x=0.375,
        centre_y=0.5,
        border_gap=0.25,
        figure_dx=0,
        figure_dy=0,
        mask_mean=1,
        mask_uncertain=0,
        mask_fill=1,
        mask_stability=1,
        box_iou_class=0,
        box_iou_any=0,
        mask_iou_class=0,
        mask_iou_any=0,
        inside_class=0,
        inside_any=0,
        covering_score=0,
        followers=0,
        detections=1,
        detections_of_class=1,
        seen=1,
        seen_of_class=1,
    )
    assert found == {**dict.fromkeys(FEATURE_NAMES, 0), **by_hand}


def test_overlaps_ranks_and_presence_by_hand():
    """Row 0: class 1, 0.5, 10 x 20. Row 1: class 1, 0.25, the lower half of row 0 and as much below: IoU 100/300, half
    inside. Row 2: class 4, 1.0, 20 x 20 around both: all of row 0 and row 1's upper half... 200/400 and 100/500."""
    found = columns(raw_of('x', (1, 0.5, (10, 10, 20, 30)), (1, 0.25, (10, 20, 20, 40)), (4, 1.0, (10, 10, 30, 30))))
    assert found['rank'] == [1, 2, 0]
    assert found['rank_in_class'] == [0, 1, 0]
    assert found['score_to_best'] == [0.5, 0.25, 1]
    assert found['score_to_class_best'] == [1, 0.5, 1]
    assert found['box_iou_class'] == found['mask_iou_class'] == [0, 0.33333, 0]
    assert found['box_iou_any'] == found['mask_iou_any'] == [0.5, 0.33333, 0]  # row 1: 1/3 beats 100/500
    assert found['inside_class'] == [0, 0.5, 0]
    assert found['inside_any'] == [1, 0.5, 0]
    assert found['covering_score'] == [1, 0.5, 0]  # of the detection above it that overlaps most
    assert found['detections'] == [3, 3, 3]
    assert found['detections_of_class'] == [2, 2, 1]
    assert found['seen'] == [2, 2, 2]
    assert found['seen_of_class'] == [1, 1, 1]
    assert found['presence_1'] == [0.25, 0.5, 0.5]  # the best of the others
    assert found['presence_4'] == [1, 1, 0]


def test_followers_are_the_worse_ones_of_the_class_on_the_same_place():
    """Rows 1 and 2 lie on row 0 (IoU 1), row 3 has another class."""
    box = (10, 10, 20, 30)
    found = columns(raw_of('x', (1, 0.9, box), (1, 0.5, box), (1, 0.5, box), (2, 0.1, box)))
    assert found['followers'] == [2, 1, 0, 0]
    assert found['rank'] == [0, 1, 2, 3]  # of equals the earlier is better


def test_a_mask_in_doubt_by_hand():
    """Half the box at 0.6, half at 0.1: in: half, mean 0.6; in doubt: half; above 0.7: nothing of what is above 0.3."""
    raw = raw_of('x', (1, 0.9, (10, 10, 20, 30)))
    raw.mask_probs[0, :14], raw.mask_probs[0, 14:] = 0.6, 0.1
    found = columns(raw)
    assert found['mask_mean'] == [pytest.approx(0.6, abs=1e-3)]
    assert (found['mask_fill'], found['mask_uncertain'], found['mask_stability']) == ([0.5], [0.5], [0])


@pytest.mark.parametrize(
    'objects',
    [
        [(1, 0.0, (10, 10, 10, 10))],
        [(1, 0.0, (0, 0, 48, 96)), (1, 0.0, (0, 0, 48, 96))],
        [(45, 1.0, (-5, -5, 0, 0)), (0, 1e-30, (47, 95, 48, 96))],
    ],
    ids=['no area, no score', 'full twice', 'outside, one pixel'],
)
def test_odd_detections_give_finite_features(objects):
    assert np.isfinite(extract_features(raw_of('x', *objects))).all()
    assert np.isfinite(extract_features(raw_of('x', *objects, probability=0.0))).all()


def test_the_order_of_the_detections_does_not_matter():
    generator = np.random.default_rng(0)
    raws, _ = random_images(1, 5)
    raw = raws[0]
    shuffled = generator.permutation(len(raw.scores))
    other = replace(
        raw,
        categories=raw.categories[shuffled],
        scores=raw.scores[shuffled],
        boxes=raw.boxes[shuffled],
        mask_probs=raw.mask_probs[shuffled],
    )
    np.testing.assert_allclose(extract_features(other), extract_features(raw)[shuffled], rtol=1e-6, atol=1e-6)


# Targets.


def test_hits_are_those_of_the_sweep_and_a_duplicate_is_none():
    """Truth 10 x 20. Row 1 is exact; row 0, the worse copy, NMS takes. Row 2 has the other class; row 3 covers 12 of
    the 20 rows of its own object: IoU 0.6, a hit above 0.5 and 0.55, not above 0.6."""
    true = truth_of('x', (1, (10, 10, 20, 30)), (3, (30, 10, 40, 30)))
    raw = raw_of(
        'x',
        (1, 0.2, (10, 10, 20, 30)),
        (1, 0.3, (10, 10, 20, 30)),
        (2, 0.9, (10, 10, 20, 30)),
        (3, 0.1, (30, 10, 40, 22)),
    )
    hits = sweep_hits(raw, true, BASE)
    assert hits.sum(axis=1).tolist() == [0, 10, 0, 2]
    assert hits[3].tolist() == [True, True] + [False] * 8


@pytest.mark.parametrize(
    ('raw', 'true'),
    [
        (raw_of('x'), truth_of('x', (1, (0, 0, 5, 5)))),
        (raw_of('x', (1, 0.5, (0, 0, 5, 5))), truth_of('x')),
        (raw_of('x'), truth_of('x')),
    ],
    ids=['nothing predicted', 'nothing there', 'neither'],
)
def test_nothing_hits_where_one_side_is_empty(raw, true):
    assert sweep_hits(raw, true, BASE).shape == (len(raw.scores), 10)
    assert not sweep_hits(raw, true, BASE).any()


# Models and folds.


def random_images(count: int, seed: int) -> tuple[list[RawPrediction], dict[str, Truth]]:
    """Objects of class 1, found by detections high in the photo; those in its lower half are never there."""
    generator = np.random.default_rng(seed)
    raws, truths = [], {}
    for image in range(count):
        name, true, found = f'{image}.jpg', [], []
        for column in range(4):
            for top in (4, 30, 56, 76):
                box = np.array([12 * column + 1, top, 12 * column + 11, top + 16])
                if top < 40:
                    true.append((1, tuple(box.tolist())))
                found.append((1, generator.uniform(0.3, 0.9), box + generator.normal(0, 0.3, 4)))
        raws.append(raw_of(name, *found))
        truths[name] = truth_of(name, *true)
    return raws, truths


@pytest.mark.parametrize('kind', model.KINDS)
def test_what_tells_hits_apart_is_learned(kind):
    """The score says nothing, the place everything."""
    data = TrainingData(*random_images(12, 0), BASE, METRIC)
    rows, hits = data.rows(range(8))
    new, new_hits = data.rows(range(8, 12))
    assert 0.4 < hits[:, 0].mean() < 0.6
    sure = predict_hit(fit_hit(rows, hits, kind), new)
    gain = predict_gain(fit_gain(rows, hits, kind), new)
    assert sure[new_hits[:, 0]].min() > 0.5 > sure[~new_hits[:, 0]].max()
    assert gain[new_hits[:, 0]].min() > gain[~new_hits[:, 0]].max()
    assert abs(gain.mean() - new_hits.mean()) < 0.05  # over all: a plane cannot follow a step


def test_nothing_to_tell_apart_is_refused():
    with pytest.raises(ValueError, match='0 of 3 detections hit'):
        fit_hit(np.zeros((3, len(FEATURE_NAMES))), np.zeros((3, 10), bool))
    with pytest.raises(ValueError, match='3 of 3 detections hit'):
        fit_gain(np.zeros((3, len(FEATURE_NAMES))), np.ones((3, 10), bool))


class Guarded(Mapping):
    """Truths that tell which of them were looked at."""

    def __init__(self, truths: dict[str, Truth]) -> None:
        self._truths, self.seen = truths, set()

    def __getitem__(self, image_id: str) -> Truth:
        self.seen.add(image_id)
        return self._truths[image_id]

    def __iter__(self):
        return iter(self._truths)

    def __len__(self) -> int:
        return len(self._truths)


def test_other_truths_of_held_out_images_leave_their_predictions_as_they_were():
    """The rescorer of a fold, its confidences and thresholds come from the other images: swapping the truth of the
    held-out ones for its opposite, what is low in the photo, changes their score alone."""
    raws, truths = random_images(12, 1)
    honest = validate(TrainingData(raws, truths, BASE, METRIC), QUICK)[0]
    held_out = {raws[image].image_id for image in honest.held_out}
    low = [(1, (12 * column + 1, top, 12 * column + 11, top + 16)) for column in range(4) for top in (56, 76)]
    opposite = {name: truth_of(name, *low) if name in held_out else truth for name, truth in truths.items()}
    other = validate(TrainingData(raws, opposite, BASE, METRIC), QUICK)[0]
    assert other.held_out.tolist() == honest.held_out.tolist()
    for name in ('confidences', 'hit_probs'):
        for before, after in zip(getattr(honest, name), getattr(other, name), strict=True):
            np.testing.assert_array_equal(before, after)
    assert (other.threshold, other.raw_threshold) == (honest.threshold, honest.raw_threshold)
    assert other.scores[3] < honest.scores[3]


def test_fitting_looks_at_no_truth_of_held_out_images(monkeypatch: pytest.MonkeyPatch):
    """Every model of the first fold is fitted before the first look at a held-out image's truth."""
    raws, truths = random_images(12, 1)
    guarded = Guarded(truths)
    looks = []
    for name in ('fit_hit', 'fit_gain'):
        plain = getattr(model, name)
        monkeypatch.setattr(model, name, lambda *args, plain=plain: (looks.append(set(guarded.seen)), plain(*args))[1])
    data = TrainingData(raws, guarded, BASE, METRIC)
    first = validate(data, QUICK)[0]
    held_out = {raws[image].image_id for image in first.held_out}
    fits = QUICK.fits() // QUICK.folds
    assert len(looks) == QUICK.fits()
    assert all(not look & held_out for look in looks[:fits])


def test_the_rescorer_scores_more_than_the_best_threshold_where_the_score_says_nothing():
    """All 8 objects of a photo are found, as are 8 that are not there, at scores that tell nothing: taking all gives at
    most 8 / 16 at any IoU, the rescorer that knows the place nearly what the boxes' exactness allows."""
    folds = validate(TrainingData(*random_images(24, 2), BASE, METRIC), QUICK)
    for fold in folds:
        assert fold.scores[2] <= 0.5
        assert fold.scores[3] > 1.5 * fold.scores[2]


def test_a_rescorer_on_top_of_a_rescorer_is_refused():
    with pytest.raises(ValueError, match="learns from the model's own scores"):
        TrainingData([], {}, replace(BASE, rescorer='x.skops'), METRIC)


# Calibration.


def test_calibration_by_hand():
    """Two bins. Lower: 0.2 and 0.4, one hit: 0.3 against 0.5. Upper: 0.5 and 1.0, both hit: 0.75 against 1.
    Error: (2 * 0.2 + 2 * 0.25) / 4. Brier: (0.04 + 0.36 + 0.25 + 0) / 4. AUC: the miss lies below all hits."""
    found = calibrate(np.array([0.2, 0.4, 0.5, 1.0]), np.array([False, True, True, True]), bins=2)
    assert found.counts.tolist() == [2, 2]
    np.testing.assert_allclose(found.predicted, [0.3, 0.75])
    np.testing.assert_allclose(found.observed, [0.5, 1])
    assert found.calibration_error == pytest.approx(0.225)
    assert found.brier == pytest.approx(0.1625)
    assert found.auc == 1


def test_calibration_without_misses_has_no_auc():
    found = calibrate(np.array([0.25]), np.array([True]))
    assert found.auc is None
    assert found.brier == pytest.approx(0.5625)


# Files, and the step of postprocessing.


@pytest.fixture(scope='module')
def fitted() -> Rescorer:
    rows, hits = TrainingData(*random_images(8, 3), BASE, METRIC).rows(range(8))
    return Rescorer(fit_hit(rows, hits), fit_gain(rows, hits), meta={'images': 8})


@pytest.mark.parametrize('confidence', model.CONFIDENCES)
def test_a_saved_rescorer_gives_the_same_confidences(fitted: Rescorer, confidence, tmp_path: Path):
    save_rescorer(replace(fitted, confidence=confidence), tmp_path / 'rescorer.skops')
    loaded = load_rescorer(tmp_path / 'rescorer.skops')
    raw = random_images(1, 4)[0][0]
    expected = replace(fitted, confidence=confidence).rescore(raw).scores
    np.testing.assert_array_equal(loaded.rescore(raw).scores, expected)
    assert len(np.unique(expected)) > 1
    assert loaded.meta == {'images': 8}
    assert load_rescorer(tmp_path / 'rescorer.skops') is loaded  # read once


def test_a_linear_rescorer_comes_back_too(tmp_path: Path):
    rows, hits = TrainingData(*random_images(4, 3), BASE, METRIC).rows(range(4))
    made = Rescorer(fit_hit(rows, hits, 'linear'), fit_gain(rows, hits, 'linear'), 'hit')
    save_rescorer(made, tmp_path / 'rescorer.skops')
    raw = random_images(1, 4)[0][0]
    np.testing.assert_array_equal(
        load_rescorer(tmp_path / 'rescorer.skops').rescore(raw).scores, made.rescore(raw).scores
    )


def test_a_rescorer_written_anew_is_read_anew(fitted: Rescorer, tmp_path: Path):
    path = tmp_path / 'rescorer.skops'
    save_rescorer(fitted, path)
    load_rescorer(path)
    save_rescorer(replace(fitted, meta={'images': 1000}), path)
    assert load_rescorer(path).meta == {'images': 1000}


def test_postprocessing_takes_the_confidences_for_scores(fitted: Rescorer, tmp_path: Path):
    """Before thresholds and NMS, so it equals postprocessing what was judged by hand."""
    path = str(tmp_path / 'rescorer.skops')
    save_rescorer(fitted, path)
    raw = random_images(1, 4)[0][0]
    options = Postprocess(score_thr=0.4, rescorer=path)
    found = postprocess(raw, options, SIZE)
    by_hand = postprocess(fitted.rescore(raw), replace(options, rescorer=None), SIZE)
    assert len(found.scores) == 8  # those high in the photo
    np.testing.assert_array_equal(found.scores, by_hand.scores)
    assert found.masks == by_hand.masks
    assert found.masks != postprocess(raw, replace(options, rescorer=None), SIZE).masks


@pytest.mark.parametrize(
    'objects',
    [[], [(1, 0.9, (1, 60, 11, 76))], [(1, 0.9, (1, 4, 11, 20))]],
    ids=['nothing', 'one that is suppressed', 'one that stays'],
)
def test_images_with_little_in_them(objects, fitted: Rescorer, tmp_path: Path):
    save_rescorer(fitted, tmp_path / 'rescorer.skops')
    found = postprocess(raw_of('x', *objects), Postprocess(score_thr=0.4, rescorer=str(tmp_path / 'rescorer.skops')))
    assert len(found.masks) == len([one for one in objects if one[2][1] < 40])


def test_a_missing_rescorer_is_one_line():
    with pytest.raises(
        FileNotFoundError, match=r'nowhere\.skops: no such rescorer; tools/train_rescorer\.py writes one'
    ):
        Postprocess.from_config(dict(rescorer='nowhere.skops'))


def test_the_old_name_of_the_option_still_counts_and_warns(fitted: Rescorer, tmp_path: Path):
    path = str(tmp_path / 'rescorer.skops')
    save_rescorer(fitted, path)
    with pytest.warns(FutureWarning, match=r'postprocess\.filter is now postprocess\.rescorer'):
        assert Postprocess.from_config(dict(filter=path)) == Postprocess(rescorer=path)
    with pytest.raises(ValueError, match=r'postprocess\.filter is the old name of postprocess\.rescorer: give one'):
        Postprocess.from_config(dict(rescorer='other', filter=path))


def test_a_rescorer_of_other_features_is_refused(fitted: Rescorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save_rescorer(fitted, tmp_path / 'rescorer.skops')
    monkeypatch.setattr(store, 'FEATURE_VERSION', feature_module.FEATURE_VERSION + 1)
    with pytest.raises(ValueError, match='made for version 1 of the features, this is version 2; train it again'):
        load_rescorer(tmp_path / 'rescorer.skops')


class Stranger:
    """Nothing that a rescorer is made of."""


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'PK', 'not a rescorer'),
        (skops_io.dumps([1, 2]), 'not a rescorer'),
        (skops_io.dumps(dict(about=json.dumps({'format': 'x'}), hit=1, gain=1)), 'not a rescorer'),
        (skops_io.dumps(dict(about='{', hit=1, gain=1)), 'not a rescorer'),
        (skops_io.dumps(dict(about='{}', hit=Stranger(), gain=1)), 'Stranger, which no rescorer needs; not loaded'),
        (skops_io.dumps([1]).replace(b'__class__', b'__cl\xff\xff__'), 'not a rescorer'),
    ],
    ids=['no zip', 'a list', 'another format', 'broken text', 'another type', 'no UTF-8'],
)
def test_files_that_are_no_rescorer_are_refused(content, message, tmp_path: Path):
    (tmp_path / 'rescorer.skops').write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_rescorer(tmp_path / 'rescorer.skops')


@pytest.mark.parametrize(('field', 'value'), [('left', 0), ('right', 10**6), ('feature_idx', 999), ('bitset_idx', 999)])
def test_a_tree_that_leads_out_of_itself_is_refused(fitted, tmp_path: Path, field: str, value: int):
    """Its loops would read beyond the arrays, or go round forever."""
    made = copy.deepcopy(fitted)
    for trees in made.hit._predictors:
        nodes = trees[0].nodes
        nodes[field][nodes['is_leaf'] == 0] = value
        nodes['is_categorical'] |= field == 'bitset_idx'
    save_rescorer(made, tmp_path / 'rescorer.skops')
    with pytest.raises(ValueError, match=r'rescorer\.skops: not a rescorer: a tree leads out of itself'):
        load_rescorer(tmp_path / 'rescorer.skops')


def test_another_scikit_learn_is_warned_of(fitted: Rescorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, 'version', lambda name: '0.1.0')
    save_rescorer(fitted, tmp_path / 'rescorer.skops')
    monkeypatch.undo()
    with pytest.warns(UserWarning, match=r'made with scikit-learn 0\.1\.0'):
        load_rescorer(tmp_path / 'rescorer.skops')


# The tool.


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A dump whose last image is empty, and its truth."""
    folder = tmp_path_factory.mktemp('rescorer')
    raws, truths = random_images(8, 6)
    raws.append(raw_of('empty.jpg'))
    truths['empty.jpg'] = truth_of('empty.jpg', (1, (0, 0, 5, 5)))
    writer = DumpWriter(folder / 'val.parquet', 'postprocess = dict(nms_iou=0.4)', 'a.pth')
    rows = []
    for raw in raws:
        writer.write(raw)
        true = truths[raw.image_id]
        rows += [
            (raw.image_id, runs_to_kaggle(coco_to_runs(mask)), HEIGHT, WIDTH, str(category))
            for mask, category in zip(true.masks, true.categories, strict=True)
        ]
    writer.close()
    pd.DataFrame(rows, columns=['ImageId', 'EncodedPixels', 'Height', 'Width', 'ClassId']).to_csv(
        folder / 'train.csv', index=False
    )
    return folder / 'val.parquet', folder / 'train.csv'


def test_the_tool_writes_a_rescorer_that_scores(files, tmp_path: Path, capsys: pytest.CaptureFixture):
    dump, truth = files
    out, unseen = tmp_path / 'rescorer.skops', tmp_path / 'unseen.parquet'
    assert (
        train_rescorer.main(
            [
                str(dump),
                '--truth',
                str(truth),
                '--out',
                str(out),
                '--folds',
                '2',
                '--repeats',
                '1',
                '--size',
                '0',
                '--out-of-fold',
                str(unseen),
            ]
        )
        == 0
    )
    printed = capsys.readouterr().out
    assert 'rescorer, its threshold' in printed
    assert 'calibration error' in printed
    assert (tmp_path / 'rescorer.png').read_bytes().startswith(b'\x89PNG')
    meta = load_rescorer(out).meta
    assert (meta['images'], meta['checkpoint'], meta['category_ids']) == (9, 'a.pth', [1])
    assert meta['postprocess']['nms_iou'] == 0.4  # the dump's config's
    plain, _ = score_dump(dump, truth, Postprocess(nms_iou=0.4), size=None)
    judged, _ = score_dump(dump, truth, Postprocess(nms_iou=0.4, rescorer=str(out), score_thr=meta['threshold']), None)
    assert judged.score > plain.score
    originals, others = list(read_dump(dump)), list(read_dump(unseen))
    assert [raw.image_id for raw in others] == [raw.image_id for raw in originals]
    np.testing.assert_array_equal(others[0].boxes, originals[0].boxes)
    assert (others[0].scores != originals[0].scores).all()
    honest, _ = score_dump(unseen, truth, Postprocess(nms_iou=0.4, score_thr=meta['threshold']), size=None)
    assert honest.score > plain.score


def test_too_few_images_are_one_line(files, tmp_path: Path, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit, match='2'):
        train_rescorer.main([str(files[0]), '--truth', str(files[1]), '--out', str(tmp_path / 'f'), '--folds', '20'])
    assert capsys.readouterr().err == 'train_rescorer: 9 image(s) cannot be dealt out to 20 folds\n'
