"""Tuning: scores by table against postprocessing and matching, searches against plain loops, honest folds."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pycocotools import mask as coco_mask

from fashion_mmdet.analysis.tuning.curves import held_out_curves
from fashion_mmdet.analysis.tuning.inputs import read_inputs
from fashion_mmdet.analysis.tuning.score_cache import ScoreCache
from fashion_mmdet.analysis.tuning.search import STAGES, THRESHOLD_GRID, Tuner
from fashion_mmdet.analysis.tuning.threshold_curve import thresholds_without
from fashion_mmdet.analysis.tuning.validation import Plan, choose_stages, make_splits, tune
from fashion_mmdet.config import load_config, read_postprocess
from fashion_mmdet.evaluation.dump import DumpWriter
from fashion_mmdet.evaluation.dump_options import read_options
from fashion_mmdet.evaluation.matching import count_image
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import RawPrediction, Truth
from fashion_mmdet.evaluation.scoring import summarize
from fashion_mmdet.masks.rle import mask_to_runs, runs_to_kaggle
from fashion_mmdet.utils.literals import read_assignment
from tests.builders import make_raw, make_truth
from tests.conftest import ROOT
from tools import score_dump, tune_thresholds

HEIGHT, WIDTH = 48, 36
SIZE = (HEIGHT, WIDTH)
CATEGORIES = (0, 3, 5)
AXES = {
    'nms_iou': (0.2, 0.5),
    'cross_class_iou': (None, 0.5),
    'mask_thr': (0.4, 0.5),
    'min_area': (1, 40),
    'overlap': ('class', 'all'),
}
EVERYTHING = Postprocess(score_thr=0.05, nms_iou=None, overlap='none')


raw_of = partial(make_raw, size=SIZE)


def truth_of(image_id: str, *objects: tuple[int, tuple], attributes: tuple[int, ...] = ()) -> Truth:
    """Solid objects (category, box), all with the same attributes."""
    return make_truth(image_id, *[(*one, *attributes) for one in objects], size=SIZE)


def random_images(count: int, seed: int) -> tuple[list[RawPrediction], dict[str, Truth]]:
    """Random objects, some found well, some doubled, some under another name, and things that are not there."""
    generator = np.random.default_rng(seed)

    def box() -> np.ndarray:
        corner = generator.integers(0, (WIDTH - 14, HEIGHT - 14))
        return np.concatenate([corner, corner + generator.integers(6, 14, 2)])

    raws, truths = [], {}
    for image in range(count):
        name = f'{image}.jpg'
        true = [(int(generator.choice(CATEGORIES)), box()) for _ in range(generator.integers(0, 5))]
        truths[name] = truth_of(name, *true, attributes=(92, 100) if image % 4 == 0 else ())
        found = [
            (category, 0.3 + 0.7 * generator.random(), place + generator.normal(0, 0.8, 4))
            for category, place in true
            for _ in range(generator.integers(0, 3))
        ]
        found += [(int(generator.choice(CATEGORIES)), 0.7 * generator.random(), place) for _, place in true]
        found += [
            (int(generator.choice((*CATEGORIES, 9))), 0.8 * generator.random(), box())
            for _ in range(generator.integers(0, 4))
        ]
        raw = raw_of(name, *found)
        raw.mask_probs[:] = generator.uniform(0.3, 1, raw.mask_probs.shape)
        raws.append(raw)
    return raws, truths


def plain_score(
    raws: list[RawPrediction],
    truths: Mapping[str, Truth],
    options: Postprocess,
    average: str = 'image',
    match: str = 'category',
) -> float:
    """The twin: each image by itself, as tools/score_dump.py does."""
    return summarize(
        [count_image(truths[raw.image_id], postprocess(raw, options, SIZE), match) for raw in raws], average
    ).score


def everyone(raws: list[RawPrediction]) -> tuple[int, ...]:
    return tuple(range(len(raws)))


# The score by table.


@pytest.mark.parametrize('match', ['category', 'class_id'])
@pytest.mark.parametrize('average', ['image', 'image_class'])
@pytest.mark.parametrize(
    'options',
    [
        EVERYTHING,
        Postprocess(score_thr=0.4, nms_iou=0.3, overlap='none', min_area=60),
        Postprocess(score_thr={'default': 0.3, 0: 0.6, 5: 0.1}, nms_iou=0.5, overlap='none', drop_categories=(3,)),
        Postprocess(score_thr={'default': 0.5, 3: 0.2}, nms_iou=0.3, mask_thr=0.4, overlap='class', min_area=40),
        Postprocess(score_thr=0.35, overlap='all', cross_class_iou=0.6, min_area=30),
        Postprocess(score_thr=0.2, max_per_image=3),
        Postprocess(score_thr=1.0),
    ],
    ids=['everything', 'nms and area', 'by class and dropped', 'by class', 'between classes', 'limit', 'none'],
)
def test_the_table_score_is_the_exact_score_to_the_last_digit(options, average, match):
    """Also from tables with a lower floor, made for other score thresholds."""
    raws, truths = random_images(16, 1)
    cache = ScoreCache(raws, truths, SIZE, average, match)
    wanted = plain_score(raws, truths, options, average, match)
    assert cache.table_score(everyone(raws), options) == wanted
    assert cache.table_score(everyone(raws), options, floor=0.05) == wanted
    assert cache.exact_score(everyone(raws), options) == wanted
    assert 0 < wanted < 1


@pytest.mark.parametrize('average', ['image', 'image_class'])
def test_scores_along_a_threshold_are_those_of_each_value(average):
    raws, truths = random_images(12, 2)
    detections = ScoreCache(raws, truths, SIZE, average).detections(everyone(raws), EVERYTHING, THRESHOLD_GRID[0])
    wanted = [
        plain_score(raws, truths, replace(EVERYTHING, score_thr=float(value), drop_categories=(5,)), average)
        for value in THRESHOLD_GRID
    ]
    np.testing.assert_allclose(detections.scores_along(THRESHOLD_GRID, dropped=(5,)), wanted, atol=1e-12)


@pytest.mark.parametrize('average', ['image', 'image_class'])
@pytest.mark.parametrize('category', [0, 9, 20], ids=['a class', 'one that is not there', 'one never predicted'])
def test_scores_along_one_classs_threshold_are_those_of_each_value(average, category):
    raws, truths = random_images(12, 3)
    detections = ScoreCache(raws, truths, SIZE, average).detections(everyone(raws), EVERYTHING, THRESHOLD_GRID[0])
    grid = THRESHOLD_GRID[::6]
    others = thresholds_without(Postprocess(score_thr={'default': 0.4, 3: 0.6}).score_thresholds(), (5,))
    wanted = [
        plain_score(
            raws,
            truths,
            replace(EVERYTHING, score_thr={'default': 0.4, 3: 0.6, category: float(value)}, drop_categories=(5,)),
            average,
        )
        for value in grid
    ]
    np.testing.assert_allclose(detections.scores_of_class(category, grid, others), wanted, atol=1e-12)


def test_one_image_with_one_object_by_hand():
    """The object found at 0.9, a spurious one at 0.6: 1 of 2 up to there, 1 of 1 above, nothing of 1 beyond 0.9."""
    raws = [raw_of('a', (3, 0.9, (2, 2, 22, 22)), (3, 0.6, (24, 24, 34, 34)))]
    detections = ScoreCache(raws, {'a': truth_of('a', (3, (2, 2, 22, 22)))}, SIZE).detections((0,), EVERYTHING, 0.05)
    scores = detections.scores_along(np.array([0.05, 0.55, 0.7, 0.95]))
    np.testing.assert_allclose(scores, [1 / 2, 1 / 2, 1, 0], atol=1e-12)


@pytest.mark.parametrize(
    ('true', 'found', 'score'),
    [
        ([], [], 1.0),
        ([], [(3, 0.9, (2, 2, 9, 9))], 0.0),
        ([(3, (2, 2, 9, 9))], [], 0.0),
        ([(3, (2, 2, 9, 9))], [(3, 0.2, (2, 2, 9, 9))], 0.0),
        ([], [(3, 0.2, (2, 2, 9, 9))], 1.0),
        ([(3, (2, 2, 9, 9))], [(4, 0.9, (2, 2, 9, 9))], 0.0),
    ],
    ids=['empty', 'spurious', 'missed', 'all suppressed', 'all suppressed and right so', 'class never predicted'],
)
@pytest.mark.parametrize('average', ['image', 'image_class'])
def test_images_with_little_in_them_by_hand(true, found, score, average):
    cache = ScoreCache([raw_of('a', *found)], {'a': truth_of('a', *true)}, SIZE, average)
    assert cache.table_score((0,), Postprocess(score_thr=0.5)) == score
    for stages in (('score',), tuple(STAGES)):
        options = Tuner(cache, Postprocess(), min_support=1).fit((0,), stages)
        assert cache.exact_score((0,), options) >= score


# The search.


@pytest.mark.parametrize('average', ['image', 'image_class'])
def test_the_best_common_threshold_is_that_of_a_plain_loop(average):
    raws, truths = random_images(8, 4)
    base = Postprocess(nms_iou=0.3)
    scores = [plain_score(raws, truths, replace(base, score_thr=float(value)), average) for value in THRESHOLD_GRID]
    found = Tuner(ScoreCache(raws, truths, SIZE, average), base).fit(everyone(raws), ('score',))
    assert found == replace(base, score_thr=float(THRESHOLD_GRID[int(np.argmax(scores))]))
    assert max(scores) > min(scores)


def test_every_stage_gains_on_the_images_it_is_fitted_on():
    raws, truths = random_images(20, 5)
    cache = ScoreCache(raws, truths, SIZE)
    tuner = Tuner(cache, Postprocess(), 2, AXES)
    scores = [
        cache.exact_score(everyone(raws), tuner.fit(everyone(raws), tuple(STAGES)[:count]))
        for count in range(len(STAGES) + 1)
    ]
    assert scores == sorted(scores)
    assert len(set(scores)) > 3


def test_the_geometry_that_is_right_is_found():
    """Each object twice at an IoU of 360 / (400 + 400 - 360) = 0.82, and a speck: NMS and area remove them."""
    raws = [
        raw_of(str(image), (3, 0.9, (2, 2, 22, 22)), (3, 0.8, (4, 2, 24, 22)), (3, 0.85, (30, 30, 36, 36)))
        for image in range(4)
    ]
    truths = {str(image): truth_of(str(image), (3, (2, 2, 22, 22))) for image in range(4)}
    base = Postprocess(score_thr=0.5, nms_iou=None, overlap='none')
    tuner = Tuner(ScoreCache(raws, truths, SIZE), base, axes={'nms_iou': (0.5, 0.9), 'min_area': (1, 50)})
    found = tuner.fit(everyone(raws), ('geometry',))
    assert tuner.cache.exact_score(everyone(raws), found) == 1.0
    assert (found.score_thr > 0.8) or (found.nms_iou, found.min_area) == (0.5, 50)


def two_classes(count: int) -> tuple[list[RawPrediction], dict[str, Truth]]:
    """Class 3 is right at 0.9 and wrong at 0.71, class 5 right at 0.3."""
    raws = [
        raw_of(str(image), (3, 0.9, (2, 2, 12, 12)), (3, 0.71, (2, 30, 12, 40)), (5, 0.3, (20, 20, 30, 30)))
        for image in range(count)
    ]
    return raws, {raw.image_id: truth_of(raw.image_id, (3, (2, 2, 12, 12)), (5, (20, 20, 30, 30))) for raw in raws}


def test_a_classs_threshold_is_drawn_towards_the_common_one():
    """Common 0.5, floor 0.2. Class 5 does best from the lowest on, 0.2: with 30 objects and support 10, 30 / 40 of the
    way, 0.275. Class 3 from 0.725 on (above 0.71): 0.5 + 0.225 * 3 / 4 = 0.669 is below 0.71 and gains nothing."""
    raws, truths = two_classes(30)
    base = Postprocess(score_thr=0.5, nms_iou=None, overlap='none')
    found = Tuner(ScoreCache(raws, truths, SIZE), base, min_support=10).fit(everyone(raws), ('classes',))
    assert found.score_thr == {'default': 0.5, 5: 0.275}


def test_thresholds_by_class_to_start_from_stay_where_no_better_are_found():
    """Class 5 starts at 0.25, below the floor that a common 0.9 would set, and rare; class 3 is best from 0.725 on."""
    raws, truths = two_classes(9)
    base = Postprocess(score_thr={'default': 0.9, 5: 0.25, 3: 0.6}, nms_iou=None, overlap='none')
    tuner = Tuner(ScoreCache(raws, truths, SIZE), base, min_support=10)
    assert tuner.fit(everyone(raws), ('classes',)) == base
    found = Tuner(tuner.cache, base, min_support=1).fit(everyone(raws), ('classes',))
    assert found.score_thr == {'default': 0.9, 5: 0.25, 3: pytest.approx(0.6 + 0.125 * 9 / 10, abs=1e-3)}


def test_a_rare_class_keeps_the_common_threshold():
    raws, truths = two_classes(9)
    base = Postprocess(score_thr=0.5, nms_iou=None, overlap='none')
    found = Tuner(ScoreCache(raws, truths, SIZE), base, min_support=10).fit(everyone(raws), ('classes',))
    assert found == base


def test_a_class_that_is_never_right_is_dropped_and_a_rare_one_stays():
    """Class 9 is spurious in all 12 images, class 20 in one, below the support of 5."""
    raws = [
        raw_of(
            str(image),
            (3, 0.9, (2, 2, 12, 12)),
            (9, 0.9, (20, 20, 30, 30)),
            *([(20, 0.9, (2, 30, 12, 40))] if image == 0 else []),
        )
        for image in range(12)
    ]
    truths = {raw.image_id: truth_of(raw.image_id, (3, (2, 2, 12, 12))) for raw in raws}
    found = Tuner(ScoreCache(raws, truths, SIZE), Postprocess(), min_support=5).fit(everyone(raws), ('categories',))
    assert found.drop_categories == (9,)


def test_a_dropped_class_that_is_right_comes_back():
    raws, truths = two_classes(12)
    found = Tuner(ScoreCache(raws, truths, SIZE), Postprocess(drop_categories=(3, 7))).fit(
        everyone(raws), ('categories',)
    )
    assert found.drop_categories == (7,)


# Honest folds.


class Guarded(Mapping):
    """Truths of which only some may be looked at."""

    def __init__(self, truths: dict[str, Truth], allowed: set[str]) -> None:
        self.truths, self.allowed = truths, allowed

    def __getitem__(self, image_id: str) -> Truth:
        if image_id not in self.allowed:
            raise AssertionError(f'looked at the truth of {image_id}, which is held out')
        return self.truths[image_id]

    def __iter__(self):
        return iter(self.truths)

    def __len__(self) -> int:
        return len(self.truths)


def options_by_split(raws: list[RawPrediction], truths: Mapping[str, Truth], only: int | None = None) -> list[list]:
    """For each split (or one) the options of every stage and of the whole procedure, inner folds included."""
    tuner = Tuner(ScoreCache(raws, truths, SIZE), Postprocess(), 2, AXES)
    found = []
    for number, split in enumerate(make_splits(tuner, everyone(raws), 2, 2, 0)):
        if only in (None, number):
            kept = choose_stages(tuner, make_splits(tuner, split.fitted, 2, 1, 0)).kept
            found.append(
                [
                    *(tuner.fit(split.fitted, tuple(STAGES)[:count]) for count in range(1, len(STAGES) + 1)),
                    tuner.fit(split.fitted, kept),
                ]
            )
    return found


@pytest.mark.parametrize('number', range(4))
def test_no_search_looks_at_the_truth_of_held_out_images(number):
    raws, truths = random_images(16, 6)
    split = make_splits(Tuner(ScoreCache(raws, truths, SIZE), Postprocess()), everyone(raws), 2, 2, 0)[number]
    allowed = {raws[image].image_id for image in split.fitted}
    assert not set(split.fitted) & set(split.held_out)
    assert set(split.fitted) | set(split.held_out) == set(everyone(raws))
    options_by_split(raws, Guarded(truths, allowed), only=number)


def test_other_truths_of_held_out_images_leave_the_options_as_they_were():
    raws, truths = random_images(16, 7)
    tuner = Tuner(ScoreCache(raws, truths, SIZE), Postprocess())
    before = options_by_split(raws, truths)
    for number, split in enumerate(make_splits(tuner, everyone(raws), 2, 2, 0)):
        changed = dict(truths)
        for image in split.held_out:
            name = raws[image].image_id
            changed[name] = truth_of(name, (7, (1, 1, 30, 30)), (9, (3, 3, 20, 40)))
        assert options_by_split(raws, changed, only=number) == [before[number]]


def test_what_is_reported_as_held_out_is_the_score_of_images_not_fitted_on():
    raws, truths = random_images(16, 8)
    tuning, tuner = tune(ScoreCache(raws, truths, SIZE), Postprocess(), Plan(repeats=2), 2, AXES)
    for outcome in (tuning.default, tuning.choice.start, *tuning.choice.tried.values(), tuning.procedure):
        for split, options, held_out, fitted in zip(
            tuning.splits, outcome.options, outcome.held_out, outcome.fitted, strict=True
        ):
            assert held_out == plain_score([raws[image] for image in split.held_out], truths, options)
            assert fitted == plain_score([raws[image] for image in split.fitted], truths, options)
            if outcome.stages and outcome is not tuning.procedure:
                assert options == tuner.fit(split.fitted, outcome.stages)
    assert tuning.options == tuner.fit(everyone(raws), tuning.choice.kept)


def test_a_stage_without_gain_on_held_out_images_is_not_kept():
    """The config's options are right for every image, so that no stage can gain."""
    raws = [raw_of(str(image), (3, 0.9, (2, 2, 22, 22))) for image in range(8)]
    truths = {raw.image_id: truth_of(raw.image_id, (3, (2, 2, 22, 22))) for raw in raws}
    tuning, _ = tune(ScoreCache(raws, truths, SIZE), Postprocess(score_thr=0.5), Plan(), 1, AXES)
    assert tuning.choice.kept == ()
    assert tuning.options == Postprocess(score_thr=0.5)


def test_a_stage_that_gains_on_fitted_images_alone_is_not_kept():
    """In each image another class is spurious: dropping those seen helps the fitted images and no other."""
    raws = [raw_of(str(image), (3, 0.9, (2, 2, 22, 22)), (10 + image, 0.9, (24, 24, 34, 34))) for image in range(8)]
    truths = {raw.image_id: truth_of(raw.image_id, (3, (2, 2, 22, 22))) for raw in raws}
    tuner = Tuner(ScoreCache(raws, truths, SIZE), Postprocess(score_thr=0.5), 1, AXES)
    choice = choose_stages(tuner, make_splits(tuner, everyone(raws), 2, 3, 0))
    assert (choice.tried['categories'].fitted > choice.start.fitted).all()
    assert 'categories' not in choice.kept


def test_curves_hold_the_held_out_scores_of_each_value():
    raws, truths = random_images(12, 9)
    tuner = Tuner(
        ScoreCache(raws, truths, SIZE), Postprocess(), axes={'nms_iou': (0.2, 0.6), 'overlap': ('class', 'all')}
    )
    splits = make_splits(tuner, everyone(raws), 2, 1, 0)
    curves = held_out_curves(tuner, splits, ('score',), Postprocess(nms_iou=0.2))
    assert [curve.name for curve in curves] == ['score_thr', 'nms_iou']
    for number, split in enumerate(splits):
        options, held_out = tuner.fit(split.fitted, ('score',)), [raws[image] for image in split.held_out]
        for curve in curves:
            wanted = [plain_score(held_out, truths, replace(options, **{curve.name: value})) for value in curve.values]
            np.testing.assert_allclose(curve.scores[number], wanted, atol=1e-12)


@pytest.mark.slow
def test_several_processes_give_the_same():
    raws, truths = random_images(16, 10)
    found = []
    for workers in (1, 2):
        with ScoreCache(raws, truths, SIZE, workers=workers) as cache:
            tuner = Tuner(cache, Postprocess(), min_support=2, axes={'nms_iou': (0.3, 0.5)})
            options = tuner.fit(everyone(raws), tuple(STAGES))
            found.append((options, cache.exact_score(everyone(raws), options)))
    assert found[0] == found[1]


# Files.


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A dump and its truth."""
    raws, truths = random_images(16, 11)
    raws = [raw for raw in raws if truths[raw.image_id].masks]  # an image of a CSV has objects
    writer = DumpWriter(tmp_path / 'val.parquet', 'postprocess = dict(nms_iou=0.4, score_thr=dict({3: 0.4}))', 'a.pth')
    rows = []
    for raw in raws:
        writer.write(raw)
        truth = truths[raw.image_id]
        rows += [
            (raw.image_id, runs_to_kaggle(mask_to_runs(coco_mask.decode(mask))), *SIZE, category)
            for mask, category in zip(truth.masks, truth.categories, strict=True)
        ]
    writer.close()
    pd.DataFrame(rows, columns=['ImageId', 'EncodedPixels', 'Height', 'Width', 'ClassId']).to_csv(
        tmp_path / 'train.csv', index=False
    )
    return tmp_path / 'val.parquet', tmp_path / 'train.csv'


def test_the_tool_writes_options_that_score_as_it_says(
    files, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    dump, truth = map(str, files)
    monkeypatch.setattr('fashion_mmdet.analysis.tuning.search.AXES', {'nms_iou': (0.3, 0.5), 'min_area': (1, 40)})
    out = tmp_path / 'made' / 'tuned.py'
    arguments = [dump, '--truth', truth, '--out', str(out), '--size', '48', '--repeats', '1', '--workers', '1']
    assert tune_thresholds.main(arguments) == 0
    table = capsys.readouterr().out
    assert "mmdet's default thresholds" in table
    assert 'tuned, stages chosen in each fold' in table
    text = out.read_text()
    assert f'python tools/tune_thresholds.py {dump} --truth' in text
    assert (tmp_path / 'made' / 'tuned.png').read_bytes()[:4] == b'\x89PNG'
    assert sorted(path.name for path in out.parent.iterdir()) == ['tuned.png', 'tuned.py']
    assert score_dump.main([dump, truth, '--postprocess', str(out), '--size', '48']) == 0
    score = float(capsys.readouterr().out.split('score ')[-1].split()[0])
    assert f'fitted on: {score:.4f}, no forecast' in text


def test_the_dumps_config_is_where_tuning_starts(files):
    assert read_options(files[0])[0] == Postprocess(nms_iou=0.4, score_thr={3: 0.4})


def test_an_image_without_truth_is_named(files, tmp_path: Path):
    table = pd.read_csv(files[1])
    table[table.ImageId != '3.jpg'].to_csv(tmp_path / 'less.csv', index=False)
    with pytest.raises(ValueError, match=r"less\.csv: no image '3\.jpg'"):
        read_inputs(files[0], tmp_path / 'less.csv', SIZE)


def test_too_few_images_are_refused():
    raws, truths = random_images(3, 12)
    with pytest.raises(ValueError, match=r'3 image\(s\) are too few for folds=2'):
        tune(ScoreCache(raws, truths, SIZE), Postprocess(), Plan(), 10, AXES)


def test_tuned_options_take_the_place_of_the_configs_and_reach_the_metric(tmp_path: Path):
    (tmp_path / 'tuned.py').write_text(
        "postprocess = dict(_delete_=True, score_thr={'default': 0.4, 3: 0.6}, min_area=9)"
    )
    config = str(ROOT / 'configs/fashion/maskrcnn_lite0_cpu.py')
    wanted = dict(score_thr={'default': 0.4, 3: 0.6}, min_area=9)
    assert read_postprocess(str(tmp_path / 'tuned.py')) == wanted
    cfg = load_config(config, {'postprocess.min_area': 5}, str(tmp_path / 'tuned.py'))
    assert cfg.postprocess.to_dict() == cfg.val_evaluator.postprocess.to_dict() == {**wanted, 'min_area': 5}
    child = tmp_path / 'child.py'
    child.write_text(f"_base_ = '{config}'\n" + (tmp_path / 'tuned.py').read_text())
    assert load_config(str(child)).postprocess.to_dict() == wanted


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('model = 1', 'has no postprocess'),
        ('postprocess = dict(score=1)', r'x\.py: postprocess\.score: no such option'),
        ('postprocess = dict(score_thr=2.0)', r'x\.py: score_thr=2\.0'),
    ],
)
def test_files_without_good_options_are_refused(text, message, tmp_path: Path):
    (tmp_path / 'x.py').write_text(text)
    with pytest.raises(ValueError, match=message):
        read_postprocess(str(tmp_path / 'x.py'))


def test_a_value_is_read_from_a_configs_text_and_nothing_is_run():
    text = """
a = exit()
postprocess = dict(
    drop=(
        3,
    ),
    thr=dict({
        3: -0.4,
        'x': None
    }))
"""
    assert read_assignment(text, 'postprocess') == dict(drop=(3,), thr={3: -0.4, 'x': None})
    assert read_assignment(text, 'b') is None
    with pytest.raises(ValueError, match='not plain data'):
        read_assignment(text, 'a')


def with_attributes(seed: int = 0) -> tuple[list[RawPrediction], dict[str, Truth]]:
    """12 images of a shirt (0) whose attribute 3 is seen at 0.45, and a coat (9) whose attribute 5 is seen wrongly."""
    raws, truths = [], {}
    for number in range(12):
        shirt, coat = (2, 2, 14, 20), (18, 2, 34, 40)
        raw = raw_of(f'{number}.jpg', (0, 0.9, shirt), (9, 0.8, coat))
        raw.attribute_probs = np.zeros((2, 92), np.float16)
        raw.attribute_probs[0, 3], raw.attribute_probs[1, 5] = 0.45, 0.9
        true = truth_of(raw.image_id, (0, shirt), (9, coat))
        raws.append(raw)
        truths[raw.image_id] = replace(true, attributes=[(3,), ()])
    return raws, truths


def test_attributes_get_a_threshold_and_the_category_that_guesses_them_wrong_goes_without():
    """At 0.5 and above neither ClassId is right: 0. At 0.4 the shirt is 0_3; the coat is right without attributes."""
    raws, truths = with_attributes()
    with ScoreCache(raws, truths, SIZE, match='class_id') as cache:
        tuner = Tuner(cache, Postprocess(score_thr=0.5, nms_iou=None), min_support=5)
        images = tuple(range(12))
        assert tuner.stages[-1] == 'attributes'
        found = tuner.fit_attributes(images, tuner.base)
        assert cache.exact_score(images, tuner.base) == 0
        assert cache.exact_score(images, found) == 1
    assert found.attribute_thr <= 0.4
    assert found.attribute_policy == {'default': 'with', 9: 'without'}


def test_without_attributes_to_match_there_is_no_stage_for_them():
    raws, truths = with_attributes()
    for raw in raws:
        raw.attribute_probs = None
    for match in ('category', 'class_id'):
        with ScoreCache(raws, truths, SIZE, match=match) as cache:
            assert 'attributes' not in Tuner(cache, Postprocess()).stages
