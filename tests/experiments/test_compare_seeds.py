"""Runs that differ in the seed only: one row, with intervals for other seeds.

A shirt in columns 0 to 4; a predicted box of width w has an IoU of w / 5: 5 scores 1, 3.8 scores 0.6, none 0.
"""

import json
import re
from pathlib import Path

import pytest

from fashion_mmdet.experiments.compare.comparison import Comparison, compare
from fashion_mmdet.experiments.compare.notes import write_notes
from fashion_mmdet.experiments.compare.page import format_html
from fashion_mmdet.experiments.compare.report import format_json, format_table
from fashion_mmdet.experiments.runs import read_runs
from tests.builders import write_shirt_dump, write_shirts
from tests.conftest import run_here
from tools import compare_runs as tool

CONFIG = """
optim_wrapper = dict(optimizer=dict(type='SGD', lr={lr}))
randomness = dict(seed={seed})
load_from = {start!r}
val_dataloader = dict(dataset=dict(data_root={root!r}, ann_file='train.csv', data_prefix=dict(img_path='train')))
"""
WIDTHS = {'poor': [5, 3.8, None], 'good': [5, 5, 3.8], 'fair': [5, 3.8, 3.8]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_shirts(tmp_path / 'data')


def make_run(
    folder: Path, root: Path, quality: str, seed: int | None, lr: float = 0.1, start: str = '', **record
) -> Path:
    folder.mkdir(parents=True)
    (folder / 'config.py').write_text(CONFIG.format(lr=lr, seed=seed, start=start, root=str(root)))
    (folder / 'run.json').write_text(json.dumps(dict(seed=seed, start=start, iterations=100) | record))
    write_shirt_dump(folder / 'val.parquet', WIDTHS[quality])
    return folder


def make_seeds(folder: Path, root: Path) -> list[Path]:
    """Two configs, the first with the seeds 0 and 1, the second with 0 alone."""
    return [
        make_run(folder / 'slow_seed0', root, 'poor', 0),
        make_run(folder / 'fast', root, 'good', 0, lr=0.2),
        make_run(folder / 'slow_seed1', root, 'fair', 1),
    ]


def compare_folders(*folders: Path, **options) -> Comparison:
    return compare(read_runs(folders), **options)


def test_seeds_are_one_row_with_mean_spread_and_interval(tmp_path: Path, root: Path):
    """Scores of slow 1.6 / 3 and 2.2 / 3: mean 1.9 / 3, standard deviation 0.2 / sqrt(2). By photo 1, 0.6, 0.3.

    fast has 1, 1, 0.6: differences 0, 0.4, 0.3, mean 0.7 / 3, squares of the deviations (4.9 + 2.5 + 0.4) / 90 =
    0.086667 / 2 / 3 photos = 0.0144444. Seeds less their photo's mean: (0, 0, -0.3), (0, 0, 0.3), means -0.1 and 0.1:
    0.02 over 1 degree of freedom, times 1/2 + 1: 0.03. Residuals (0.1, 0.1, -0.2) twice: 0.12 / 2 / 3 = 0.02, times
    1.5: 0.03. So 0.0144444 + 0.03 - 0.03 is below 0.03, which stands, with 1 degree of freedom: t(0.975, 1) = 12.7062.
    """
    slow, fast = compare_folders(*make_seeds(tmp_path, root)).rows
    assert (slow.name, [run.name for run in slow.runs]) == ('slow', ['slow_seed0', 'slow_seed1'])
    assert slow.score == pytest.approx(1.9 / 3)
    assert slow.seed_deviation == pytest.approx(0.2 / 2**0.5)
    assert slow.scores.by_image == pytest.approx({'a.jpg': 1, 'b.jpg': 0.6, 'c.jpg': 0.3})
    assert slow.scores.sensitivity(0) == pytest.approx(5 / 6), 'two of three and three of three shirts'
    assert fast.difference.mean == pytest.approx(0.7 / 3)
    assert fast.difference.seed_degrees == 1
    assert (fast.difference.high - fast.difference.mean) / 0.03**0.5 == pytest.approx(12.7062, rel=1e-5)


def test_the_table_says_what_the_numbers_mean(tmp_path: Path, root: Path):
    comparison = compare_folders(*make_seeds(tmp_path, root))
    table = format_table(comparison)
    assert '2, sd 0.1414' in table
    assert len(table.split('\n\n')[0].splitlines()) == 3, 'header and two rows'
    assert any('hold for other photos and other seeds' in note for note in write_notes(comparison))
    assert not any('photos only' in note for note in write_notes(comparison))
    rows = json.loads(format_json(comparison))['runs']
    assert [(one['seed'], round(one['score'], 3)) for one in rows[0]['seeds']] == [(0, 0.533), (1, 0.733)]


@pytest.mark.parametrize(
    'change',
    [dict(seed=0), dict(seed=None), dict(lr=0.3), dict(iterations=50), dict(start='work_dirs/heads/epoch_2.pth')],
)
def test_what_differs_in_more_than_the_seed_stays_a_row_of_its_own(tmp_path: Path, root: Path, change: dict):
    make_run(tmp_path / 'a', root, 'poor', 0)
    make_run(tmp_path / 'b', root, 'fair', **(dict(seed=1) | change))
    assert len(compare_folders(tmp_path / 'a', tmp_path / 'b').rows) == 2


def test_runs_may_begin_from_the_same_run_with_their_own_seed(tmp_path: Path, root: Path):
    for seed in (0, 1):
        make_run(tmp_path / f'a_seed{seed}', root, 'poor', seed, start=f'work_dirs/heads_seed{seed}/epoch_2.pth')
    assert len(compare_folders(tmp_path / 'a_seed0', tmp_path / 'a_seed1').rows) == 1


def test_a_seed_without_a_dump_stays_a_row_of_its_own(tmp_path: Path, root: Path):
    folders = make_seeds(tmp_path, root)
    (folders[2] / 'val.parquet').unlink()
    comparison = compare_folders(*folders)
    assert [row.name for row in comparison.rows] == ['slow_seed0', 'fast', 'slow_seed1']
    assert 'seeds' not in format_table(comparison).splitlines()[0]


def test_all_rows_are_compared_with_the_baseline(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture):
    folders = make_seeds(tmp_path, root)
    comparison = compare_folders(*folders, baseline=folders[1])
    slow, fast = comparison.rows
    assert (fast.difference, fast.changes, fast.against) == (None, None, None)
    assert slow.difference.mean == pytest.approx(-0.7 / 3)
    assert [key for key, _ in slow.changes] == ['optim_wrapper.optimizer.lr']
    assert 'against the baseline fast' in ' '.join(write_notes(comparison))
    assert 'changed against fast' in format_table(comparison)
    assert tool.main([str(folders[0]), '--baseline', str(folders[1]), '--columns', 'difference']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ['fast', 'slow_seed0'], 'a baseline from elsewhere comes first'


def test_config_keys_are_columns(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture):
    folders = list(map(str, make_seeds(tmp_path, root)))
    assert tool.main([*folders, '--keys', 'optim_wrapper.optimizer.lr', 'randomness.seed', '--columns', 'keys']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:3]] == [
        ['run', 'optim_wrapper.optimizer.lr', 'randomness.seed'],
        ['slow', '0.1', '0'],
        ['fast', '0.2', '0'],
    ]
    done = run_here(tool.main, *folders, '--keys', 'optim_wrapper.optimizer.lx')
    assert (done.returncode, done.stderr) == (
        2,
        'compare_runs: --keys optim_wrapper.optimizer.lx: no config has it; near it: optim_wrapper.optimizer.lr, '
        'optim_wrapper.optimizer.type\n',
    )


def test_the_page_sorts_by_numbers_that_are_in_it(tmp_path: Path, root: Path):
    folders = make_seeds(tmp_path, root)
    page = format_html(compare_folders(*folders, baseline=folders[0], keys=['optim_wrapper.optimizer.lr']), overlays=0)
    head, body = page.split('<tbody>', 1)
    headings, groups = (
        len(re.findall('data-sorter', head)),
        re.search(r'<tr class="groups">(.*?)</tr>', head, re.DOTALL)[1],
    )
    rows = [re.findall(r'<t[dh][ >][^>]*>', row) for row in body.split('</tbody>')[0].split('<tr>')[1:]]
    assert [len(row) for row in rows] == [headings, headings]
    spans = [int(span) for span in re.findall(r'colspan="(\d+)"', groups)]
    assert sum(spans) == headings
    assert 'data-label="Score" data-sort="0.6333' in body
    assert 'data-label="optim_wrapper.optimizer.lr" data-sort="0.2"' in body
    assert '<b>slow</b>' not in page, 'the baseline is compared with nothing'
