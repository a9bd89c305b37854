"""Comparing runs: hand-made run folders, every number derived by hand.

The truth is a shirt in columns 0 to 4 of each 10x10 image. A predicted box of width w from the left edge has an IoU of
w / 5: 5 gives 1, above all ten thresholds, a score of 1; 3.8 gives 0.76, above 0.50 to 0.75, six of ten, a score of
0.6; no prediction gives 0.
"""

import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine import Config

from fashion_mmdet.config import read_dumped
from fashion_mmdet.evaluation.dump import DumpWriter
from fashion_mmdet.evaluation.predictions import RawPrediction, empty_prediction
from fashion_mmdet.experiments.compare import scores as scores_module
from fashion_mmdet.experiments.compare.comparison import Comparison, compare
from fashion_mmdet.experiments.compare.configs import experiment_changes, summarize_changes
from fashion_mmdet.experiments.compare.curves import choose_ticks, draw_chart, draw_curves, pace, thin_out
from fashion_mmdet.experiments.compare.intervals import paired_difference, standard_error
from fashion_mmdet.experiments.compare.notes import write_notes
from fashion_mmdet.experiments.compare.page import format_html
from fashion_mmdet.experiments.compare.report import format_json, format_markdown, format_table, show_epochs
from fashion_mmdet.experiments.compare.scores import RunScores
from fashion_mmdet.experiments.diff import MISSING
from fashion_mmdet.experiments.runs import Run, find_runs, read_runs
from fashion_mmdet.experiments.train_log import Log, join, read_log
from tests.conftest import run_here
from tools import compare_runs as tool
from tools import diff_configs as diff_tool

CONFIG = """
model = dict(type='MaskRCNN', rpn_head=dict(loss_bbox=dict(loss_weight={loss_weight})))
train_cfg = dict(max_epochs=4)
postprocess = dict(score_thr={score_thr})
val_dataloader = dict(dataset=dict(data_root={root!r}, ann_file='train.csv', data_prefix=dict(img_path='train')))
{more}
"""
EVIL = '<script>alert("1|2")</script>'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Truth of the images a, b and c: a shirt each, its photo beside it."""
    return make_truth(tmp_path / 'data')


def make_truth(root: Path, names: str = 'abc', runs: str = '1 50') -> Path:
    (root / 'train').mkdir(parents=True)
    rows = [f'{name}.jpg,{runs},10,10,0' for name in names]
    (root / 'train.csv').write_text('\n'.join(['ImageId,EncodedPixels,Height,Width,ClassId', *rows, '']))
    for name in names:
        cv2.imwrite(str(root / 'train' / f'{name}.jpg'), np.full((10, 10, 3), 128, np.uint8))
    return root


def write_dump(path: Path, widths: list[float | None], names: str = 'abc') -> None:
    """Predict a shirt of each width from the left edge; None for nothing."""
    writer = DumpWriter(path, checkpoint='epoch_4.pth')
    for name, width in zip(names, widths, strict=True):
        writer.write(
            empty_prediction(f'{name}.jpg', 10, 10)
            if width is None
            else RawPrediction(
                f'{name}.jpg',
                10,
                10,
                np.array([0]),
                np.array([0.9], np.float32),
                np.array([[0, 0, width, 10]], np.float32),
                np.ones((1, 28, 28), np.float16),
            )
        )
    writer.close()


def make_run(
    folder: Path,
    root: Path,
    widths: list[float | None] | None = None,
    record: dict | None = None,
    loss_weight: float | str = 1.0,
    score_thr: float = 0.5,
    more: str = '',
    names: str = 'abc',
) -> Path:
    folder.mkdir(parents=True)
    (folder / 'config.py').write_text(
        CONFIG.format(loss_weight=loss_weight, score_thr=score_thr, root=str(root), more=more)
    )
    if record is not None:
        (folder / 'run.json').write_text(json.dumps(record))
    if widths is not None:
        write_dump(folder / 'val.parquet', widths, names)
    return folder


def write_log(folder: Path, stamp: str, *lines: dict, tail: str = '') -> Path:
    path = folder / stamp / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines) + tail)
    return path


def val(epoch: int, score: float) -> dict:
    return {'fashion/score': score, 'fashion/score_50': score * 2, 'step': epoch}


def train(epoch: int, step: int, loss: float = 1.0) -> dict:
    return dict(loss=loss, epoch=epoch, iter=step, step=step)


def compare_folders(*folders: Path, **options) -> Comparison:
    return compare(read_runs(folders), **options)


def two_runs(folder: Path, root: Path) -> list[Path]:
    return [make_run(folder / 'a', root, [5, 3.8, None]), make_run(folder / 'b', root, [5, 5, 3.8], loss_weight=0.8)]


# Scores, errors, differences


def test_scores_errors_sensitivity_and_difference_by_hand(tmp_path: Path, root: Path):
    """a: 1, 0.6, 0; mean 1.6 / 3; deviations 7/15, 1/15, -8/15, squares' sum 114/225, error sqrt(57/225/3) = 0.29059.

    b: 1, 1, 0.6; differences 0, 0.4, 0.6, mean 1/3, squares of the deviations 25 + 1 + 16 over 225, error
    sqrt(21/225/3) = 0.17638, t(0.975, 2) = 4.30265, so 1/3 +- 0.75892. a finds two of three shirts above 0.5, b all.
    """
    first, second = compare_folders(*two_runs(tmp_path, root)).rows
    assert (first.score, first.score_50) == (pytest.approx(1.6 / 3), pytest.approx(2 / 3))
    assert first.error == pytest.approx((57 / 225 / 3) ** 0.5)
    assert first.error == pytest.approx(0.29059, abs=1e-5)
    assert (first.difference, first.obstacle, first.changes) == (None, '', None)
    assert second.score == pytest.approx(2.6 / 3)
    assert second.difference.mean == pytest.approx(1 / 3)
    assert second.difference.low == pytest.approx(1 / 3 - 0.75892, abs=1e-4)
    assert second.difference.high == pytest.approx(1 / 3 + 0.75892, abs=1e-4)
    assert second.difference.images == 3
    assert first.scores.sensitivity(0) == pytest.approx(2 / 3)
    assert second.scores.sensitivity(0) == 1
    assert second.changes == [('model.rpn_head.loss_bbox.loss_weight', [1.0, 0.8])]


def test_the_interval_is_that_of_a_bootstrap():
    """The oracle: 4,000 seeded resamples of 300 images; its bounds differ from Student's by under 5 % of the width."""
    rng = np.random.default_rng(0)
    before = rng.random(300)
    after = np.clip(before + rng.normal(0.03, 0.1, 300), 0, 1)
    found = paired_difference([dict(enumerate(before))], [dict(enumerate(after))])
    means = rng.choice(after - before, (4000, 300)).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    assert abs(found.low - low) < 0.05 * (high - low)
    assert abs(found.high - high) < 0.05 * (high - low)


def test_pairing_is_by_image_not_by_place():
    """Differences 0.5 and 0: error 0.25, t(0.975, 1) = 12.7062. By place they would be 1 and -0.5: error 0.75."""
    found = paired_difference([dict(a=0.0, b=1.0)], [dict(b=1.0, a=0.5)])
    assert found.high - found.mean == pytest.approx(12.7062 * 0.25, abs=1e-4)


def test_one_image_has_no_error():
    assert standard_error([0.5]) is None


def test_targets_are_the_first_scored_run_s_unless_given(tmp_path: Path, root: Path):
    bare = make_run(tmp_path / 'bare', root, record={})
    comparison = compare_folders(bare, *two_runs(tmp_path, root))
    assert comparison.targets == [0]
    assert any(
        re.search(r'shirt \(0; 3 objects\); the most occurring but least sensitive of a\.', note)
        for note in write_notes(comparison)
    )
    given = compare_folders(bare, targets=[23], targets_from='s.json')
    assert any('shoe (23); s.json' in note for note in write_notes(given))


@pytest.mark.parametrize(
    ('change', 'obstacle'),
    [
        ('truth', 'the true masks differ'),
        ('images', r'different images \(3 and 2, 2 of them shared\)'),
        ('postprocess', r'different postprocess \(score_thr\)'),
        ('fingerprint', 'fingerprints of train.csv differ'),
        ('no dump', 'b has no scores of single images'),
    ],
)
def test_what_does_not_compare_gets_no_difference(tmp_path: Path, root: Path, change: str, obstacle: str):
    shas = {'a': 'x', 'b': 'y' if change == 'fingerprint' else 'x'}
    other = make_truth(tmp_path / 'other', runs='1 40') if change == 'truth' else root
    names = 'ab' if change == 'images' else 'abc'
    a = make_run(tmp_path / 'a', root, [5, 5, None], record=dict(data=dict(train_csv_sha256=shas['a'])))
    b = make_run(
        tmp_path / 'b',
        other,
        None if change == 'no dump' else [5, 5, 5][: len(names)],
        names=names,
        score_thr=0.4 if change == 'postprocess' else 0.5,
        record=dict(data=dict(train_csv_sha256=shas['b'])),
    )
    comparison = compare_folders(a, b)
    row = comparison.rows[1]
    assert row.difference is None
    assert re.search(obstacle, row.obstacle)
    if change != 'no dump':
        assert any(
            note.startswith('b against a: no difference given') and re.search(obstacle, note)
            for note in write_notes(comparison)
        )


@pytest.mark.parametrize(
    ('finished', 'stale'), [('2001-01-01T00:00:00+00:00', False), ('2101-01-01T00:00:00+00:00', True)]
)
def test_a_dump_from_before_the_end_of_the_training_says_so(tmp_path: Path, root: Path, finished: str, stale: bool):
    run = make_run(tmp_path / 'a', root, [5, 5, None], record=dict(finished=finished))
    assert any('a: val.parquet is older than the end' in note for note in write_notes(compare_folders(run))) == stale


# What is missing


def test_without_a_dump_the_score_is_the_log_s_last_and_starred(tmp_path: Path, root: Path):
    folder = make_run(tmp_path / 'a', root)
    write_log(folder, '20260101_000000', train(1, 10), val(1, 0.3), train(2, 20), val(2, 0.2))
    comparison = compare_folders(folder)
    row = comparison.rows[0]
    assert (row.score, row.score_50, row.source, row.error, row.scores) == (0.2, 0.4, 'log', None, None)
    table = format_table(comparison)
    assert ' 0.200* ' in table
    assert '* a: not scored from val.parquet; the last score in its log (epoch 2)' in table


def test_a_log_s_own_metric_is_named(tmp_path: Path, root: Path):
    folder = make_run(
        tmp_path / 'a', root, more="val_evaluator = dict(type='FashionIoUSweepMetric', average='image_class')"
    )
    write_log(folder, '20260101_000000', val(1, 0.3))
    assert any("own metric: average='image_class'" in note for note in write_notes(compare_folders(folder)))


def test_a_bare_run_has_empty_cells(tmp_path: Path, root: Path):
    folder = make_run(tmp_path / 'a', root, [5, 5, 5])
    cells = [cell.strip() for cell in format_markdown(compare_folders(folder)).splitlines()[2].split('|')[1:-1]]
    assert cells == ['a', '1.000', '0.000', '1.000', '', '1.000', '', '', '', '', '', '']


def test_a_record_fills_the_cells(tmp_path: Path, root: Path):
    record = dict(
        git=dict(commit='0123456789', clean=False),
        data=dict(train_images=638),
        finished=None,
        train_time_s=5430.0,
        epochs=3.0,
        images_seen=1914,
    )
    folder = make_run(tmp_path / 'a', root, record=record, more='deck_score = 0.081')
    line = format_markdown(compare_folders(folder), deck=True).splitlines()[2]
    cells = [cell.strip() for cell in line.split('|')[1:-1]]
    assert cells == [
        'a',
        '',
        '',
        '',
        '',
        '0.081',
        '3 of 4, unfinished',
        '638 / 1,914',
        '1 h 30 min',
        '0123456 modified',
        '',
    ]


def test_a_dump_without_truth_shows_what_was_kept_or_printed(tmp_path: Path, root: Path):
    kept, printed = make_run(tmp_path / 'kept', root, [5, 5, 5]), make_run(tmp_path / 'printed', root, [5, 5, 5])
    compare_folders(kept)
    (printed / 'val.json').write_text('{"fashion/score": 0.25, "fashion/score_50": 0.5}')
    (root / 'train.csv').unlink()
    comparison = compare_folders(kept, printed)
    assert [(row.score, row.source) for row in comparison.rows] == [(1.0, 'dump'), (0.25, 'val.json')]
    assert any(f'{root}/train.csv is missing' in note for note in write_notes(comparison))


# Kept scores


def test_kept_scores_are_read_until_dump_or_options_or_truth_change(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
):
    calls = []
    count = scores_module.count_predictions
    monkeypatch.setattr(scores_module, 'count_predictions', lambda *args: calls.append(1) or count(*args))
    folder = make_run(tmp_path / 'a', root, [5, 3.8, None])
    first = compare_folders(folder).rows[0].scores
    assert compare_folders(folder).rows[0].scores == first
    assert len(calls) == 1

    write_dump(folder / 'val.parquet', [5, 5, None])
    assert compare_folders(folder).rows[0].score == pytest.approx(2 / 3)
    assert len(calls) == 2

    text = (folder / 'config.py').read_text()
    (folder / 'config.py').write_text(text.replace('score_thr=0.5', 'score_thr=0.95'))
    assert compare_folders(folder).rows[0].score == 0
    assert len(calls) == 3

    os.utime(root / 'train.csv', ns=(1, 1))
    compare_folders(folder)
    assert len(calls) == 3
    text = (root / 'train.csv').read_text()
    (root / 'train.csv').write_text(text.replace(',0\n', ',1\n', 1))
    os.utime(root / 'train.csv', ns=(1, 1))
    compare_folders(folder)
    assert len(calls) == 4
    assert not list(folder.glob('.*tmp'))


def test_kept_scores_with_another_digit_are_counted_again(tmp_path: Path, root: Path):
    folder = make_run(tmp_path / 'a', root, [5, 5, 5])
    compare_folders(folder)
    kept = (folder / 'val.scores.json').read_text()
    assert kept.count('"score": 1.0') == 1
    (folder / 'val.scores.json').write_text(kept.replace('"score": 1.0', '"score": 0.5'))
    assert compare_folders(folder).rows[0].score == 1
    assert (folder / 'val.scores.json').read_text() == kept


@pytest.mark.parametrize('content', ['', '[]', '{"key": 1}'])
def test_kept_scores_that_are_broken_are_counted_again(tmp_path: Path, root: Path, content: str):
    folder = make_run(tmp_path / 'a', root, [5, 5, 5])
    (folder / 'val.scores.json').write_text(content)
    assert compare_folders(folder).rows[0].score == 1
    assert json.loads((folder / 'val.scores.json').read_text())['scores']['score'] == 1


# Logs


def test_where_a_resumed_log_overlaps_the_later_counts(tmp_path: Path):
    """Killed in epoch 3 after its validation, resumed from epoch 1: epochs 2 and 3 are trained again."""
    paths = [
        write_log(
            tmp_path,
            '20260101_000000',
            train(1, 10, 3.0),
            val(1, 0.1),
            train(2, 20, 9.0),
            val(2, 0.9),
            train(3, 30, 9.0),
            tail='{"loss": 1.0, "ep',
        ),
        write_log(tmp_path, '20260102_000000', train(2, 20, 2.0), train(3, 30, 1.0), val(3, 0.3)),
    ]
    log = read_log(paths)
    assert log.losses(10) == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert log.scores(10) == [(1, 0.1), (3, 0.3)]


def test_nothing_stays_of_a_run_that_was_started_anew():
    earlier = Log([train(1, 10), train(2, 20)], [val(1, 0.1), val(2, 0.2)])
    later = Log([train(1, 10, 5.0)], [])
    assert join(earlier, later) == later


def test_losses_stand_at_the_epochs_done():
    """Two lines an epoch of four iterations."""
    log = Log([train(1, 2), train(1, 4), train(2, 6), train(2, 8)])
    assert log.iterations_an_epoch == 4
    assert [epoch for epoch, _ in log.losses(4)] == [0.5, 1.0, 1.5, 2.0]
    assert log.epochs == 2


def test_a_run_counted_in_iterations_is_drawn_over_its_record_s_epochs(tmp_path: Path, root: Path):
    """mmengine logs its val scores at step 0: they belong to the loss above. 40 iterations are 2 epochs, so 20 are 1.

    A second run of which nothing tells the epochs is left out and named.
    """
    lines = [dict(loss=1.0, step=20), val(0, 0.1), dict(loss=0.5, step=40), val(0, 0.2)]
    known = make_run(
        tmp_path / 'known', root, record=dict(iterations=40, epochs=2.0), more='train_cfg = dict(max_iters=80)'
    )
    unknown = make_run(tmp_path / 'unknown', root)
    for folder in (known, unknown):
        write_log(folder, '20260101_000000', *lines)
    comparison = compare_folders(known, unknown)
    log = comparison.rows[0].log
    assert (log.by_epoch, log.epochs, pace(comparison.rows[0])) == (False, None, 20)
    assert log.scores(20) == [(1, 0.1), (2, 0.2)]
    assert show_epochs(comparison.rows[0]) == '2, 40 of 80 iterations'
    charts, left_out = draw_curves(comparison.rows)
    assert [chart.count('<g ') for _, chart in charts] == [1, 1]
    assert left_out == ['unknown']
    assert any('log (iteration 40)' in note for note in write_notes(comparison))
    assert draw_curves(comparison.rows[1:])[1] == []


def test_a_line_broken_in_mid_file_is_an_error(tmp_path: Path):
    path = write_log(tmp_path, '20260101_000000', train(1, 10), tail='{"loss"\n{"loss": 1.0, "step": 2}\n')
    with pytest.raises(ValueError, match=r'scalars\.json:2: broken JSON'):
        read_log([path])


# Configs


def run_of(record: dict | None = None, **config) -> Run:
    return Run(Path('x'), 'x', Config(config), record or {})


def test_how_a_run_was_started_and_logged_is_no_change():
    noise = dict(
        work_dir='x',
        resume=False,
        launcher='none',
        custom_imports=dict(imports=['a']),
        deck_score=0.1,
        train_dataloader=dict(num_workers=2),
        default_hooks=dict(logger=dict(interval=1)),
    )
    other = dict(
        work_dir='y',
        resume=False,
        launcher='slurm',
        custom_imports=dict(imports=['b']),
        deck_score=0.2,
        train_dataloader=dict(num_workers=4),
        default_hooks=dict(logger=dict(interval=9)),
    )
    assert experiment_changes(run_of(**noise), run_of(**other)) == []


def test_equal_starts_hide_load_from_and_different_ones_show():
    """Both fell back to the same weights; or the configs are silent and the records are not."""
    a, b = dict(load_from='heads/epoch_3.pth'), dict(load_from=None)
    assert experiment_changes(run_of(dict(start=None), **a), run_of(dict(start=None), **b)) == []
    assert experiment_changes(run_of(**a), run_of(**b)) == [('load_from', ['heads/epoch_3.pth', None])]
    assert experiment_changes(run_of(dict(start='w')), run_of(dict(start=None))) == [('start', ['w', None])]


def test_a_resumed_run_s_dropped_weights_are_no_change():
    fresh = dict(resume=False, model=dict(backbone=dict(init_cfg=dict(type='Pretrained'), weights='pypi', depth=50)))
    resumed = dict(resume=True, model=dict(backbone=dict(init_cfg=None, weights=None, depth=18)))
    assert experiment_changes(run_of(**fresh), run_of(**resumed)) == [('model.backbone.depth', [50, 18])]


def test_a_change_is_listed_once_where_it_takes_effect():
    """The helper `max_epochs` repeats train_cfg, the test loader repeats val's; a helper with no twin stays."""

    def config(value: int) -> dict:
        return dict(
            max_epochs=value,
            unused=value * 10,
            train_cfg=dict(max_epochs=value),
            val_dataloader=dict(batch_size=value * 2),
            test_dataloader=dict(batch_size=value * 2),
        )

    assert experiment_changes(run_of(**config(1)), run_of(**config(2))) == [
        ('train_cfg.max_epochs', [1, 2]),
        ('val_dataloader.batch_size', [2, 4]),
        ('unused', [10, 20]),
    ]


def test_changes_in_a_few_words():
    rows = [
        ('train_pipeline.Mosaic.type', [MISSING, 'Mosaic']),
        ('train_pipeline.Mosaic.prob', [MISSING, 0.5]),
        ('model.rpn_head.loss_cls.loss_weight', [1.0, 2.0]),
        ('model.bbox_head.loss_cls.loss_weight', [1.0, 6.0]),
        ('optim_wrapper.optimizer.lr', ['x' * 50, 0.1]),
    ]
    assert summarize_changes(rows, 4, value_chars=8) == [
        '+ Mosaic',
        'rpn_head.loss_cls.loss_weight 1.0 → 2.0',
        'bbox_head.loss_cls.loss_weight 1.0 → 6.0',
        "optimizer.lr 'xxxxxx… → 0.1",
    ]
    assert summarize_changes(rows, 1) == ['+ Mosaic', 'and 3 more']


def test_long_numbers_are_cut_to_four_digits_where_these_tell_them_apart():
    rows = [
        ('a.lr', [1.5912486812408102, 6.712710930858886e-05]),
        ('a.tiny', [0.100001, 0.100002]),
        ('a.inf', [float('inf'), 3]),
    ]
    assert summarize_changes(rows, 4) == ['a.lr 1.591 → 6.713e-05', 'a.tiny 0.100001 → 0.100002', 'a.inf inf → 3']


# Folders


def test_runs_are_found_at_any_depth_oldest_first_without_their_tests(tmp_path: Path, root: Path):
    """By run.json's start, else by the first log's folder, local time; days apart, whatever the time zone."""
    make_run(tmp_path / 'w' / 'late', root, record=dict(started='2026-01-20T00:00:00Z'))
    make_run(tmp_path / 'w' / 'sweep' / 'early', root, record=dict(started='2026-01-01T00:00:00+00:00'))
    write_log(make_run(tmp_path / 'w' / 'middle', root), '20260110_000000', val(1, 0.1))
    make_run(tmp_path / 'w' / 'late' / 'test', root, record={})
    (tmp_path / 'w' / 'no_run').mkdir()
    assert [path.name for path in find_runs(tmp_path / 'w')] == ['early', 'middle', 'late']


def test_runs_of_one_name_go_by_their_paths(tmp_path: Path, root: Path):
    folders = [make_run(tmp_path / part / 'run', root, record={}) for part in 'xy']
    assert [run.name for run in read_runs(folders)] == list(map(str, folders))


# Formats


@pytest.fixture(scope='module')
def evil(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Two runs, the second with markup and pipes in its name, config and commit."""
    folder = tmp_path_factory.mktemp('evil')
    root = make_truth(folder / 'data')
    a = make_run(folder / 'a', root, [5, 3.8, None])
    b = make_run(
        folder / 'b<i>|x',
        root,
        [3.8, 5, None],
        record=dict(git=dict(commit='<b>|'), start=EVIL),
        loss_weight='inf',
        more=f'optim_wrapper = dict(note={EVIL!r})',
    )
    return compare_folders(a, b)


@pytest.fixture(scope='module')
def evil_page(evil: Comparison) -> str:
    return format_html(evil, deck=True, overlays=2)


def test_every_markdown_line_has_the_same_cells(evil: Comparison):
    lines = format_markdown(evil, deck=True).split('\n\n')[0].splitlines()
    counts = {len(re.findall(r'(?<!\\)\|', line)) for line in lines}
    assert len(lines) == 4
    assert counts == {14}  # 13 cells: ten, the deck's score, one class and the others
    assert '<' not in '\n'.join(lines)


def test_json_holds_everything(evil: Comparison):
    value = json.loads(format_json(evil))
    first, second = value['runs']
    assert first['score'] == evil.rows[0].score
    assert second['difference']['mean'] == pytest.approx(0)  # 0.6, 1, 0 after 1, 0.6, 0
    assert second['changes'] == [
        dict(key='model.rpn_head.loss_bbox.loss_weight', before=1.0, after='inf'),
        dict(key='optim_wrapper.note', after=EVIL),
    ]
    assert first['classes'] == {'shirt, blouse': dict(hits=2, spurious=0, missed=1)}
    assert second['record']['start'] == EVIL


class _Page(HTMLParser):
    """Collects what a browser would fetch or run, and the pictures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.tags: list[str] = []
        self.pictures: list[dict] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [
            value or ''
            for name, value in attrs
            if name in ('src', 'href', 'srcset', 'data', 'action', 'poster', 'xlink:href')
        ]
        if tag == 'img' and dict(attrs).get('src'):
            self.pictures.append(dict(attrs))


def test_the_page_needs_nothing_else_and_runs_nothing_foreign(evil_page: str):
    text, page = evil_page, _Page(evil_page)
    assert page.references
    assert [one for one in page.references if not one.startswith(('data:image/jpeg;base64,', '#'))] == []
    assert not re.search(r'url\(|@import|https?://', text)
    assert page.tags.count('script') == 1
    assert EVIL not in text
    assert '&lt;script&gt;alert(&#34;1|2&#34;)' in text
    assert 'b<i>' not in text


def test_the_page_shows_the_worst_pictures_first_and_says_what_is_on_them(evil: Comparison, evil_page: str):
    """a: c (0), b (0.6); the second run: c (0), a (0.6)."""
    pictures = _Page(evil_page).pictures
    assert [picture['alt'][:18] for picture in pictures] == [
        'c.jpg, score 0.000',
        'b.jpg, score 0.600',
        'c.jpg, score 0.000',
        'a.jpg, score 0.600',
    ]
    assert pictures[0]['alt'].endswith('True: shirt. Predicted: nothing.')
    assert pictures[1]['alt'].endswith('True: shirt. Predicted: shirt.')
    assert _Page(format_html(evil, overlays=0)).pictures == []


def test_missing_photos_are_said(tmp_path: Path, root: Path):
    (root / 'train' / 'c.jpg').unlink()
    text = format_html(compare_folders(make_run(tmp_path / 'a', root, [5, 3.8, None])), overlays=1)
    assert f'1 of 3 photos are not in {root}/train' in text
    assert _Page(text).pictures[0]['alt'].startswith('b.jpg')


def test_ticks_are_round_and_enclose():
    assert choose_ticks(0, 0.27) == pytest.approx([0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
    assert choose_ticks(0, 3, whole=True) == [0, 1, 2, 3]
    assert choose_ticks(0, 0) == pytest.approx([0, 0.2])


def test_a_chart_leaves_out_what_is_not_finite():
    chart = draw_chart([('a', [(1.0, 0.5), (2.0, float('nan'))]), ('b', [])], 'loss', 'epoch', dots=True)
    assert chart.count('<circle') == 1
    assert 'nan' not in chart
    assert draw_chart([('a', [])], 'loss', 'epoch', dots=True) == ''


def test_long_curves_are_averaged():
    """320 points in pairs: the first pair's mean is (0.5, 1)."""
    points = thin_out([(float(index), 2.0 * index) for index in range(320)])
    assert len(points) == 160
    assert points[0] == (0.5, 1.0)


# The tool


def test_the_tool_writes_what_it_prints(
    tmp_path: Path, root: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    two_runs(tmp_path / 'work_dirs', root)
    monkeypatch.chdir(tmp_path)
    assert tool.main(['work_dirs/a', 'work_dirs/b']) == 0
    printed = capsys.readouterr().out
    assert re.search(r'^b +0\.867 +0\.133 +1\.000 +\+0\.333 \[-0\.426, \+1\.092\] ', printed, re.MULTILINE)
    assert tool.main(['work_dirs/a', 'work_dirs/b', '--out', 'table.txt']) == 0
    assert (tmp_path / 'table.txt').read_text() == printed
    assert tool.main(['--format', 'html', '--out', 'page.html', '--overlays', '0']) == 0
    assert '<title>2 runs compared</title>' in (tmp_path / 'page.html').read_text()


@pytest.mark.parametrize(('argument', 'expected'), [('0,23', ['shirt', 'shoe']), ('s.json', ['pants'])])
def test_targets_are_ids_or_a_file(
    tmp_path: Path,
    root: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    argument: str,
    expected: list[str],
):
    make_run(tmp_path / 'a', root, record={})
    (tmp_path / 's.json').write_text('{"targets": [6]}')
    monkeypatch.chdir(tmp_path)
    assert tool.main(['a', '--targets', argument]) == 0
    assert capsys.readouterr().out.splitlines()[0].split()[8 : 8 + len(expected)] == expected


@pytest.mark.parametrize(
    ('argv', 'complaint'),
    [
        (['missing'], 'missing: no such folder'),
        (['data'], 'data: no run; a run has'),
        ([], 'work_dirs: no runs in it'),
        (['record'], 'run.json: broken JSON'),
        (['list'], 'run.json: a JSON object is wanted'),
        (['log'], 'scalars.json:1: broken JSON'),
        (['good', '--targets', '46'], 'targets=[46]: must be a list of whole numbers'),
        (['good', '--targets', 'x.json'], 'x.json: no target classes'),
        (['good', '--columns', 'score,time'], '--columns time: one of score, difference, keys, deck'),
    ],
)
def test_errors_are_one_line_and_status_2(
    tmp_path: Path,
    root: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    complaint: str,
):
    (tmp_path / 'work_dirs').mkdir()
    for name, text in (('record', '{"git": '), ('list', '[]')):
        (make_run(tmp_path / name, root) / 'run.json').write_text(text)
    write_log(make_run(tmp_path / 'log', root), '20260101_000000', tail='{"loss"\n\n')
    make_run(tmp_path / 'good', root, record={})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        tool.main(argv)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith('compare_runs: ')
    assert complaint in error
    assert error.count('\n') == 1


def test_html_needs_a_file(capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as exit_:
        tool.parse_args(['--format', 'html'])
    assert exit_.value.code == 2
    assert '--format html needs --out' in capsys.readouterr().err


def test_the_other_classes_sensitivity_counts_their_objects_together():
    """Class 0: 1 of 2 found; 6: 3 of 4; 23: 0 of 4. Beside 0: 3 of 8. Beside all: nothing to find."""
    scores = RunScores(0.0, 0.0, {}, {0: (1, 9, 1), 6: (3, 0, 1), 23: (0, 5, 4)}, {}, '', '')
    assert scores.sensitivity(0) == 0.5
    assert scores.sensitivity(9) is None
    assert scores.sensitivity_beside([0]) == 3 / 8
    assert scores.sensitivity_beside([0, 6, 23]) is None


def test_tables_show_the_others_beside_the_targets(tmp_path: Path, root: Path):
    """Two of three shirts are found; shirt is no target here."""
    comparison = compare_folders(make_run(tmp_path / 'a', root, [5, 3.8, None]), targets=[23], targets_from='s.json')
    lines = format_markdown(comparison).splitlines()
    cells = dict(
        zip(*([cell.strip() for cell in line.strip('|').split('|')] for line in (lines[0], lines[2])), strict=True)
    )
    assert (cells['shoe'], cells['others']) == ('', '0.667')
    assert '>others<' in format_html(comparison)
    assert json.loads(format_json(comparison))['runs'][0]['sensitivity_of_others'] == pytest.approx(2 / 3)


def test_columns_are_chosen_by_group(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture):
    folder = make_run(tmp_path / 'a', root, [5, 3.8, None])
    assert tool.main([str(folder), '--format', 'markdown', '--columns', 'cost,score']) == 0
    assert capsys.readouterr().out.splitlines()[0] == '| run | score | ± | IoU 0.5 | epochs | images / seen | time |'


def test_notes_explain_the_columns_that_are_shown(tmp_path: Path, root: Path):
    comparison = compare_folders(*two_runs(tmp_path, root))

    def beginnings(*groups: str) -> list[str]:
        return [note.split(':')[0] for note in write_notes(comparison, groups)]

    assert beginnings('score', 'difference', 'classes') == ['±', 'Sensitivity']
    assert beginnings('difference', 'cost') == ['Difference']
    assert beginnings('classes') == ['Sensitivity']
    assert beginnings('cost') == []
    assert 'Both cover the choice of photos' in write_notes(comparison)[0]
    assert 'noise. It covers the choice of photos' in write_notes(comparison, ['difference'])[0]


# Run folders of strangers


@pytest.mark.parametrize('style', ['html', 'table', 'markdown', 'json'])
def test_runs_with_equal_scores_are_shown(tmp_path: Path, root: Path, style: str):
    """Every difference is 0, so is its interval: nothing to scale by."""
    for name in 'ab':
        write_log(make_run(tmp_path / name, root, [5, 5, 5]), '20260101_000000', train(1, 1, float('nan')), val(1, 0.5))
    out = tmp_path / 'out'
    done = run_here(tool.main, tmp_path / 'a', tmp_path / 'b', '--format', style, '--out', out)
    assert done.returncode == 0, done.stderr
    if style != 'json':
        assert '+0.000' in out.read_text()


@pytest.mark.parametrize(
    'points',
    [[(0, 0)], [(0, 5e-324)], [(3, 1e-300), (4, 2e-300)], [(1, 1e308), (2, -1e308)], [(1, -1.0)], [(1, float('nan'))]],
)
def test_a_chart_has_an_axis_whatever_the_points(points: list[tuple[float, float]]):
    chart = draw_chart([('a', points)], 'label', 'epoch', dots=True)
    assert not re.search('nan|inf', chart)


def test_the_config_of_a_run_folder_is_not_run(tmp_path: Path, root: Path):
    folder = make_run(tmp_path / 'a', root, record={}, more=f'import os\nos.mkdir({str(tmp_path / "trap")!r})')
    for main, arguments in (
        (tool.main, [folder]),
        (diff_tool.main, [folder, folder]),
        (diff_tool.main, [folder / 'config.py', folder]),
    ):
        done = run_here(main, *arguments)
        assert done.returncode == 2
        assert re.search(r'config\.py: line \d+: not plain data', done.stderr)
        assert done.stderr.count('\n') == 1
    assert not (tmp_path / 'trap').exists()


def test_a_dumped_config_is_read_as_it_was_written(tmp_path: Path):
    """Keys that are no words, infinity, NaN, nested tuples, an empty dict, text with quotes."""
    cfg = Config(
        dict(
            a=dict(b=(1, (2.5, None)), c=[]),
            d={3: 0.4, 'x y': True},
            e=[dict(type='T'), dict()],
            f=float('-inf'),
            g=float('inf'),
            h='it\'s "x"\n',
            i=-2,
        )
    )
    cfg.dump(tmp_path / 'c.py')
    assert read_dumped(tmp_path / 'c.py').to_dict() == cfg.to_dict()


@pytest.mark.parametrize(
    ('name', 'text', 'said'),
    [
        ('run.json', '{"epochs": "four"}', "run.json: epochs is no number: 'four'"),
        ('run.json', '{"git": {"clean": "yes"}}', 'run.json: git.clean is no true or false'),
        ('run.json', '{"data": {"root": 5}}', 'run.json: data.root is no text: 5'),
        ('run.json', '{"train_time_s": NaN}', 'run.json: train_time_s is no number: nan'),
        ('run.json', '{"finished": "9999-99-99"}', 'run.json: finished'),
        ('run.json', '{"started": "0001-01-01T00:00:00+14:00"}', None),
        ('run.json', '{"config": ["a"]}', 'run.json: config is no text'),
        ('val.json', '{"fashion/score": "0.5"}', "val.json: fashion/score is no number: '0.5'"),
        ('val.json', '[0.5]', 'val.json: a JSON object is wanted'),
        (
            'config.py',
            'train_cfg = dict(max_epochs="4")',
            "config.py: train_cfg.max_epochs is no whole number from 0: '4'",
        ),
        ('config.py', 'val_dataloader = 5', 'config.py: val_dataloader is no object: 5'),
        ('config.py', 'val_evaluator = [5]', 'config.py: val_evaluator is no evaluator, or list of them'),
        ('config.py', 'deck_score = "high"', 'config.py: deck_score is no number'),
        ('config.py', 'postprocess = dict(blur=1)', 'config.py: postprocess.blur: no such option'),
        ('config.py', 'a = {[]: 1}', 'config.py: line 1: not plain data'),
        ('config.py', 'a = ' + '-' * 100_000 + '1', 'config.py: '),
        ('config.py', 'a = "\0"', 'config.py: not a config'),
        ('config.py', 'filename = 3', 'config.py: '),
        ('log', '{"loss": "low", "step": 1}\n{}\n', "scalars.json:1: loss is no number: 'low'"),
        ('log', '{"loss": 1, "step": 1.5}\n{}\n', 'scalars.json:1: step is no whole number'),
        ('log', '{"loss": 1}\n', 'scalars.json:1: has no step'),
        ('log', '{"fashion/score": null, "step": 1}\n', 'scalars.json:1: has no fashion/score'),
        ('log', '{"loss": 1, "step": 1, "epoch": "x"}\n', 'scalars.json:1: epoch is no whole number'),
    ],
)
@pytest.mark.parametrize('style', ['html', 'json'])
def test_a_crafted_file_is_one_line_that_names_file_and_field(
    tmp_path: Path, root: Path, name: str, text: str, said: str | None, style: str
):
    """None: nothing to complain of."""
    folder = make_run(tmp_path / 'a', root, record={})
    if name == 'log':
        name = write_log(folder, '20260101_000000').relative_to(folder)
    if name == 'val.json' or 'blur' in text or 'finished' in text:
        write_dump(folder / 'val.parquet', [5, 5, 5])
    if name == 'val.json':
        (root / 'train.csv').unlink()  # so that the dump cannot be scored
    (folder / name).write_text(text)
    arguments = [folder, folder, '--format', style, '--deck', '--out', tmp_path / 'out']
    done = run_here(tool.main, *arguments)
    assert done.returncode == (0 if said is None else 2), done.stderr
    if said:
        assert said in done.stderr
        assert done.stderr.count('\n') == 1


def test_a_comparison_does_not_overwrite_what_it_reads(tmp_path: Path, root: Path):
    folder = make_run(tmp_path / 'a', root, [5, 5, 5], record={})
    for name in ('val.parquet', 'run.json', 'config.py'):
        done = run_here(tool.main, folder, '--out', folder / name)
        assert (done.returncode, 'is one of the files to read' in done.stderr) == (2, True)
