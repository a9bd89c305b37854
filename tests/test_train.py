"""Training: what it leaves behind, going on after a kill, and errors as one line."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fashion_mmdet.files
from tests.conftest import ROOT
from tools import train


def batches(folder: Path) -> list[str]:
    """Read what `record_batches` wrote: `epoch iteration rate images`, a line an iteration."""
    return (folder / 'batches.txt').read_text().splitlines()


def run_and_fail(capsys: pytest.CaptureFixture, argv: list[str]) -> str:
    """Run the tool, which must exit with status 2 and one line on stderr; return the line."""
    with pytest.raises(SystemExit) as exit_:
        train.main(argv)
    assert exit_.value.code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith('train: ')]
    assert len(lines) == 1
    return lines[0]


def test_a_run_leaves_checkpoints_config_and_curves(tiny_run: Path):
    """2 epochs of 6 images in batches of 2: 3 iterations an epoch."""
    assert (tiny_run / 'epoch_2.pth').is_file()
    assert (tiny_run / 'tiny.py').is_file()
    assert list(tiny_run.glob('*/vis_data/scalars.json'))
    assert list(tiny_run.glob('*/vis_data/events.out.tfevents.*')), 'TensorBoard is the default'
    assert [line.split()[:2] for line in batches(tiny_run)] == [
        ['0', '0'], ['0', '1'], ['0', '2'], ['1', '3'], ['1', '4'], ['1', '5']]
    assert not list(tiny_run.glob('.*.tmp'))


@pytest.mark.slow
def test_after_kill_9_in_mid_epoch_resume_goes_on_as_if_nothing_had_happened(
        tiny_config: Path, tiny_run: Path, tmp_path: Path):
    """The second epoch's images and rates are those of the run that was never killed."""
    command = [sys.executable, 'tools/train.py', str(tiny_config), '--work-dir', str(tmp_path)]
    environment = {**os.environ, 'PYTHONPATH': f'{ROOT}/tests', 'OMP_NUM_THREADS': '1'}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 240
        while not (tmp_path / 'batches.txt').is_file() or len(batches(tmp_path)) < 4:
            assert process.poll() is None, 'training ended before it could be killed'
            assert time.monotonic() < deadline, 'training did not get to its second epoch'
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert (tmp_path / 'epoch_1.pth').is_file()
    assert not (tmp_path / 'epoch_2.pth').exists()
    (tmp_path / 'batches.txt').rename(tmp_path / 'before.txt')

    assert train.main([str(tiny_config), '--work-dir', str(tmp_path), '--resume']) == 0

    assert batches(tmp_path) == batches(tiny_run)[3:]


def test_resume_without_a_checkpoint_starts_anew(tiny_config: Path, tmp_path: Path):
    options = ['--cfg-options', 'train_cfg.max_epochs=1', 'train_dataloader.dataset.num_images=2']
    assert train.main([str(tiny_config), '--work-dir', str(tmp_path), '--resume', *options]) == 0
    assert len(batches(tmp_path)) == 1


def test_resume_survives_a_cut_off_note_of_the_last_checkpoint(tiny_run: Path, tmp_path: Path):
    """A kill between truncating and writing `last_checkpoint` leaves it empty: the files on disk decide."""
    from mmengine.config import Config

    from fashion_mmdet.experiments.running import resume_latest
    for name in ('epoch_1.pth', 'epoch_2.pth'):
        (tmp_path / name).write_bytes(b'weights')
        os.utime(tmp_path / name, (int(name[6]), int(name[6])))
    (tmp_path / 'last_checkpoint').write_text('')
    assert resume_latest(Config(dict(work_dir=str(tmp_path)))) == str(tmp_path / 'epoch_2.pth')


def test_a_wrong_config_name_names_its_neighbours(capsys: pytest.CaptureFixture):
    line = run_and_fail(capsys, ['configs/fashion/maskrcnn_r50_losw.py'])
    assert 'no such config' in line
    assert 'maskrcnn_r50_lossw.py' in line


def test_an_option_without_a_value_is_refused(capsys: pytest.CaptureFixture, tiny_config: Path):
    assert 'expected key=value' in run_and_fail(capsys, [str(tiny_config), '--cfg-options', 'seed'])


@pytest.mark.parametrize(('content', 'complaint'), [
    ('', 'train.csv: the file is empty'),
    ('ImageId,Height\na.jpg,3\n', "train.csv:1: no column 'EncodedPixels'"),
    ('ImageId,EncodedPixels,Height,Width,ClassId\na.jpg,1 1,tall,3,0\n', "train.csv:2: Height 'tall'"),
])
def test_a_file_that_is_not_the_csv_stops_the_training_with_one_line(
        capsys: pytest.CaptureFixture, tiny_config: Path, tmp_path: Path, content: str, complaint: str):
    (tmp_path / 'train.csv').write_text(content)
    line = run_and_fail(capsys, [
        str(tiny_config), '--work-dir', str(tmp_path / 'run'),
        '--cfg-options', f'train_dataloader.dataset.data_root={tmp_path}'])
    assert complaint in line


def test_a_missing_data_folder_says_which_file_is_missing(
        capsys: pytest.CaptureFixture, tiny_config: Path, tmp_path: Path):
    line = run_and_fail(capsys, [str(tiny_config), '--work-dir', str(tmp_path / 'run'), '--cfg-options',
                                 f'train_dataloader.dataset.data_root={tmp_path}/nowhere'])
    assert f'{tmp_path}/nowhere/train.csv: no such file' in line


def test_a_missing_checkpoint_to_start_from_is_one_line(
        capsys: pytest.CaptureFixture, tiny_config: Path, tmp_path: Path):
    line = run_and_fail(capsys, [str(tiny_config), '--work-dir', str(tmp_path), '--cfg-options',
                                 'load_from=nothing.pth'])
    assert 'nothing.pth: no such checkpoint' in line


def test_a_full_disk_at_the_second_checkpoint_leaves_the_first_whole(
        capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, tiny_config: Path, tmp_path: Path):
    """The second fsync of the run fails as on a full disk: one line, epoch_1.pth readable, no half file."""
    import torch
    calls = []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(fashion_mmdet.files.os, 'fsync', full)
    line = run_and_fail(capsys, [str(tiny_config), '--work-dir', str(tmp_path), '--cfg-options',
                                 'train_dataloader.dataset.num_images=2'])
    assert 'No space left on device' in line
    assert 'state_dict' in torch.load(tmp_path / 'epoch_1.pth', weights_only=False)
    assert not (tmp_path / 'epoch_2.pth').exists()
    assert not list(tmp_path.glob('.*.tmp'))
