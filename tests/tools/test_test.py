"""tools/test.py on the tiny run: score, dump, submission, pictures, errors."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.evaluation.dump import DumpWriter, read_dump, read_info
from fashion_mmdet.evaluation.offline import score_submission
from fashion_mmdet.evaluation.postprocess import Postprocess
from fashion_mmdet.evaluation.predictions import empty_prediction
from fashion_mmdet.evaluation.reporting import draw_overlays, submit
from fashion_mmdet.evaluation.submission import find_problems
from tests.conftest import ROOT, run_here
from tools import score_dump, sensitivity, train_rescorer, tune_thresholds
from tools import test as tool

LOOSE = 'postprocess.score_thr=0.02'  # a model of six iterations is sure of nothing
OPTIONS = Postprocess(score_thr=0.02, nms_iou=0.3)


@pytest.fixture(scope='module')
def val_dump(tiny_config: Path, tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The raw predictions of the tiny run on val; pictures beside it."""
    folder = tmp_path_factory.mktemp('test')
    assert (
        tool.main(
            [
                str(tiny_config),
                str(tiny_run / 'epoch_2.pth'),
                '--work-dir',
                str(folder),
                '--show-dir',
                str(folder / 'pictures'),
                '--cfg-options',
                LOOSE,
            ]
        )
        == 0
    )
    return folder / 'val.parquet'


def logged_score(folder: Path) -> dict[str, float]:
    """Read the metric of the run."""
    return json.loads((folder / 'val.json').read_text())


def test_the_dump_rescored_without_the_model_gives_the_same_score(
    val_dump: Path, sample_root: Path, capsys: pytest.CaptureFixture
):
    truth = str(sample_root / 'train.csv')
    assert score_dump.main([str(val_dump), truth, '--json']) == 0
    scores, logged = json.loads(capsys.readouterr().out), logged_score(val_dump.parent)
    assert score_dump.main([str(val_dump), truth, '--json', '--options', 'score_thr=0.02']) == 0
    assert json.loads(capsys.readouterr().out) == scores
    assert sum(row['predicted'] for row in scores['classes']) > 0
    assert scores['score'] == logged['fashion/score']
    assert scores['score_50'] == logged['fashion/score_50']


def test_a_submission_of_val_scores_as_the_metric_in_the_loop(val_dump: Path, sample_root: Path, tmp_path: Path):
    """The same predictions, once through the runner, once through CSV files: equal to the last digit."""
    images = [image_id for image_id, _, _ in read_info(val_dump).images]
    masks = submit(val_dump, tmp_path / 's.csv', OPTIONS, images)
    assert masks > 0
    assert list(find_problems(tmp_path / 's.csv')) == []
    scores, _ = score_submission(tmp_path / 's.csv', sample_root / 'train.csv')
    logged = logged_score(val_dump.parent)
    assert scores.score == logged['fashion/score']
    assert scores.score_75 == logged['fashion/score_75']


def test_the_dump_names_config_and_checkpoint(val_dump: Path, tiny_run: Path):
    info = read_info(val_dump)
    assert info.checkpoint == str(tiny_run / 'epoch_2.pth')
    assert 'IMaterialistDataset' in info.config


def test_tta_writes_a_dump_of_its_own_that_scores_the_same_without_the_model(
    tiny_config: Path, tiny_run: Path, val_dump: Path, sample_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    """One scale, plain and flipped: the same images in the same order, other boxes; val.parquet would stay."""
    assert (
        tool.main(
            [
                str(tiny_config),
                str(tiny_run / 'epoch_2.pth'),
                '--work-dir',
                str(tmp_path),
                '--tta',
                '--cfg-options',
                LOOSE,
                'tta_pipeline.load=[{}]',
            ]
        )
        == 0
    )
    assert sorted(path.name for path in tmp_path.glob('val*')) == ['val_tta.json', 'val_tta.parquet']
    info = read_info(tmp_path / 'val_tta.parquet')
    assert info.images == read_info(val_dump).images
    assert info.config.startswith('# tested with tta_model and tta_pipeline\n')
    one, other = (next(read_dump(path)) for path in (val_dump, tmp_path / 'val_tta.parquet'))
    assert len(other.scores) > 0
    assert not np.array_equal(one.boxes, other.boxes)
    capsys.readouterr()
    truth = str(sample_root / 'train.csv')
    assert score_dump.main([str(tmp_path / 'val_tta.parquet'), truth, '--json', '--options', 'score_thr=0.02']) == 0
    logged = json.loads((tmp_path / 'val_tta.json').read_text())
    assert json.loads(capsys.readouterr().out)['score'] == logged['fashion/score']


def test_pictures_are_there_one_an_image_with_the_score_in_the_name(val_dump: Path):
    pictures = sorted((val_dump.parent / 'pictures').glob('*.png'))
    assert len(pictures) == len(read_info(val_dump).images)
    assert all(0 <= float(path.name.split('_')[0]) <= 1 for path in pictures)
    assert np.asarray(Image.open(pictures[0])).std() > 10


def test_test_photos_become_a_valid_submission(tiny_config: Path, tiny_run: Path, sample_root: Path, tmp_path: Path):
    path = tmp_path / 'submission.csv'
    assert (
        tool.main(
            [
                str(tiny_config),
                str(tiny_run / 'epoch_2.pth'),
                '--work-dir',
                str(tmp_path),
                '--submission',
                str(path),
                '--cfg-options',
                LOOSE,
            ]
        )
        == 0
    )
    assert list(find_problems(path, sample_root / 'sample_submission.csv')) == []
    assert score_submission(path, sample_root / 'test_truth.csv')[0].images == 4


@pytest.mark.parametrize(('content', 'complaint'), [(None, 'no such checkpoint'), (b'junk', 'not a checkpoint')])
def test_a_bad_checkpoint_is_one_line_and_status_2(
    tiny_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture, content: bytes | None, complaint: str
):
    if content is not None:
        (tmp_path / 'c.pth').write_bytes(content)
    with pytest.raises(SystemExit) as exit_:
        tool.main([str(tiny_config), str(tmp_path / 'c.pth')])
    assert exit_.value.code == 2
    err = capsys.readouterr().err
    assert f'c.pth: {complaint}' in err
    assert err.count('\n') == 1


def test_a_submission_of_val_photos_is_refused(capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as exit_:
        tool.main(['config.py', 'c.pth', '--submission', 's.csv', '--split', 'val'])
    assert exit_.value.code == 2
    assert '--submission predicts the test photos' in capsys.readouterr().err


def test_testing_leaves_the_training_s_config_alone(tiny_config: Path, tiny_run: Path, val_dump: Path):
    """The test run writes into a folder of its own; the dumped training config still tests the test photos."""
    from fashion_mmdet.config import load_config

    assert (val_dump.parent / 'test' / 'tiny.py').is_file()
    assert not (val_dump.parent / 'tiny.py').exists()
    assert load_config(str(tiny_run / 'tiny.py')).test_dataloader.dataset.split == 'test'


def test_a_checkpoint_of_another_model_is_one_line(
    tiny_config: Path, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    with pytest.raises(SystemExit) as exit_:
        tool.main(
            [
                str(tiny_config),
                str(tiny_run / 'epoch_2.pth'),
                '--work-dir',
                str(tmp_path),
                '--cfg-options',
                'model.roi_head.bbox_head.fc_out_channels=100',
            ]
        )
    assert exit_.value.code == 2
    assert 'weights of another model' in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_give_the_score_and_the_dump_of_one(
    tiny_config: Path, tiny_run: Path, val_dump: Path, tmp_path: Path
):
    """torchrun, two ranks over gloo, a number of val images that does not divide evenly or does: the same figures."""
    command = [
        sys.executable,
        '-m',
        'torch.distributed.run',
        '--nproc_per_node=2',
        '--standalone',  # a port of its own
        'tools/test.py',
        str(tiny_config),
        str(tiny_run / 'epoch_2.pth'),
        '--launcher',
        'pytorch',
        '--work-dir',
        str(tmp_path),
        '--cfg-options',
        LOOSE,
    ]
    environment = {**os.environ, 'PYTHONPATH': f'{ROOT}{os.pathsep}{ROOT}/tests', 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    single, double = logged_score(val_dump.parent), logged_score(tmp_path)
    for name in ('fashion/score', 'fashion/score_50', 'fashion/score_75'):
        assert single[name] == double[name]
    one, two = list(read_dump(val_dump)), list(read_dump(tmp_path / 'val.parquet'))
    assert [raw.image_id for raw in one] == [raw.image_id for raw in two]
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.categories, b.categories)
        np.testing.assert_array_equal(a.mask_probs, b.mask_probs)


def test_photos_of_one_stem_get_a_picture_each_and_are_counted(sample_root: Path, tmp_path: Path):
    """a.jpg, a.png, x/a.jpg: three images, three pictures, the same three when they are drawn again."""
    photo = np.full((20, 30, 3), 90, np.uint8)
    names = ['a.jpg', 'a.png', 'x/a.jpg']
    writer, images = DumpWriter(tmp_path / 'd.parquet'), []
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(photo).save(tmp_path / name)
        writer.write(empty_prediction(name, 20, 30))
        images.append(dict(img_id=name, img_path=str(tmp_path / name), height=20, width=30, instances=[]))
    writer.close()
    for _ in range(2):
        count = draw_overlays(tmp_path / 'd.parquet', tmp_path / 'out', OPTIONS, images, dict(classes=CATEGORIES), True)
        assert count == len(list((tmp_path / 'out').iterdir())) == 3


@pytest.mark.parametrize(
    ('main', 'arguments'),
    [
        (tool.main, ['{config}', '{folder}/c.pth', '--dump', '{folder}/x.json']),
        (tool.main, ['{config}', '{folder}/c.pth', '--dump', '{folder}/c.pth']),
        (tool.main, ['{config}', '{folder}/c.pth', '--dump', '{folder}/x.csv', '--submission', '{folder}/x.csv']),
        (tune_thresholds.main, ['{folder}/d.parquet', '--truth', '{folder}/t.csv', '--out', '{folder}/x.png']),
        (train_rescorer.main, ['{folder}/d.parquet', '--truth', '{folder}/t.csv', '--out', '{folder}/x.png']),
        (
            train_rescorer.main,
            [
                '{folder}/d.parquet',
                '--truth',
                '{folder}/t.csv',
                '--out',
                '{folder}/x',
                '--out-of-fold',
                '{folder}/d.parquet',
            ],
        ),
        (sensitivity.main, ['{folder}/d.parquet', '--truth', '{folder}/t.csv', '--out', '{folder}/t.csv']),
    ],
    ids=lambda value: value.__module__ if callable(value) else ' '.join(value),
)
def test_no_output_overwrites_an_input_or_another_output(
    tiny_config: Path, tmp_path: Path, main: Callable, arguments: list[str]
):
    for name in ('c.pth', 'd.parquet', 't.csv'):
        (tmp_path / name).write_text('old')
    done = run_here(main, *(one.format(config=tiny_config, folder=tmp_path) for one in arguments))
    assert done.returncode == 2
    assert re.search('is one of the files to read|two outputs would be written there', done.stderr), done.stderr
    assert done.stderr.count('\n') == 1
    assert {path.name for path in tmp_path.iterdir()} == {'c.pth', 'd.parquet', 't.csv'}
    assert {path.read_text() for path in tmp_path.iterdir()} == {'old'}
