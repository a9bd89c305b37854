"""Training: what it leaves behind, going on after a kill, and errors as one line."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import MagicMock

import pytest
import torch
from mmengine.runner import ValLoop

import fashion_mmdet.utils.files
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


def copy_checkpoints(source: Path, target: Path) -> None:
    """Copy a run's two checkpoints, the first the newer by its file time, as an unpacked archive may have them."""
    for epoch in (1, 2):
        shutil.copy(source / f'epoch_{epoch}.pth', target)
        os.utime(target / f'epoch_{epoch}.pth', (9 - epoch, 9 - epoch))


def test_a_run_leaves_checkpoints_config_and_curves(tiny_run: Path):
    """2 epochs of 6 images in batches of 2: 3 iterations an epoch."""
    assert (tiny_run / 'epoch_2.pth').is_file()
    assert (tiny_run / 'tiny.py').is_file()
    assert list(tiny_run.glob('*/vis_data/scalars.json'))
    assert list(tiny_run.glob('*/vis_data/events.out.tfevents.*')), 'TensorBoard is the default'
    assert [line.split()[:2] for line in batches(tiny_run)] == [
        ['0', '0'],
        ['0', '1'],
        ['0', '2'],
        ['1', '3'],
        ['1', '4'],
        ['1', '5'],
    ]
    assert not list(tiny_run.glob('.*.tmp'))


@pytest.mark.slow
def test_after_kill_9_in_mid_epoch_resume_goes_on_as_if_nothing_had_happened(
    tiny_config: Path, tiny_run: Path, tmp_path: Path
):
    """Killed after 4 of 6 iterations; the second epoch's images and rates are those of the run never killed."""
    command = [
        sys.executable,
        'tools/train.py',
        str(tiny_config),
        '--work-dir',
        str(tmp_path),
        '--cfg-options',
        'custom_hooks.0.kill_after=4',
    ]
    environment = {**os.environ, 'PYTHONPATH': f'{ROOT}{os.pathsep}{ROOT}/tests', 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(batches(tmp_path)) == 4
    assert (tmp_path / 'epoch_1.pth').is_file()
    assert not (tmp_path / 'epoch_2.pth').exists()
    (tmp_path / 'batches.txt').rename(tmp_path / 'before.txt')

    assert train.main([str(tiny_config), '--work-dir', str(tmp_path), '--resume']) == 0

    assert batches(tmp_path) == batches(tiny_run)[3:]


def test_a_validation_that_a_kill_prevented_is_made_up_for_once(
    tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Killed between the checkpoint of epoch 2 of 2 and its validation: one resume scores it, the next need not."""
    command = [str(tiny_config), '--work-dir', str(tmp_path)]
    with monkeypatch.context() as patch:
        patch.setattr(ValLoop, 'run', MagicMock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train.main(command)
    assert (tmp_path / 'epoch_2.pth').exists()
    for _ in range(2):
        assert train.main([*command, '--resume']) == 0
        assert [path.name for path in tmp_path.glob('best_*')] == ['best_fashion_score_epoch_2.pth']
        logs = tmp_path.glob('*/vis_data/scalars.json')
        assert sum('fashion/score' in line for log in logs for line in log.read_text().splitlines()) == 1


def test_resume_without_a_checkpoint_starts_anew(tiny_config: Path, tmp_path: Path):
    options = ['--cfg-options', 'train_cfg.max_epochs=1', 'train_dataloader.dataset.num_images=2']
    assert train.main([str(tiny_config), '--work-dir', str(tmp_path), '--resume', *options]) == 0
    assert len(batches(tmp_path)) == 1


def test_resume_survives_a_cut_off_note_of_the_last_checkpoint(tiny_run: Path, tmp_path: Path):
    """A kill between truncating and writing `last_checkpoint` leaves it empty: the files on disk decide."""
    from mmengine.config import Config

    from fashion_mmdet.experiments.resume import resume_latest

    copy_checkpoints(tiny_run, tmp_path)
    (tmp_path / 'last_checkpoint').write_text('')
    assert resume_latest(Config(dict(work_dir=str(tmp_path), model={}))) == str(tmp_path / 'epoch_2.pth')


def test_a_copied_work_dir_resumes_from_itself_and_not_from_the_one_it_was_copied_from(tiny_run: Path, tmp_path: Path):
    from mmengine.config import Config

    from fashion_mmdet.experiments.resume import resume_latest

    copy_checkpoints(tiny_run, tmp_path)
    shutil.copy(tiny_run / 'last_checkpoint', tmp_path)
    assert resume_latest(Config(dict(work_dir=str(tmp_path), model={}))) == str(tmp_path / 'epoch_2.pth')
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_2.pth')


def test_resume_passes_over_a_cut_off_checkpoint_and_clears_a_killed_runs_half_files(tiny_run: Path, tmp_path: Path):
    from mmengine.config import Config

    from fashion_mmdet.experiments.resume import resume_latest

    copy_checkpoints(tiny_run, tmp_path)
    whole = (tmp_path / 'epoch_2.pth').read_bytes()
    (tmp_path / 'epoch_2.pth').write_bytes(whole[: len(whole) // 2])
    (tmp_path / '.epoch_3.pth.abc.fashion.tmp').write_bytes(b'half')
    assert resume_latest(Config(dict(work_dir=str(tmp_path), model={}))) == str(tmp_path / 'epoch_1.pth')
    assert not list(tmp_path.glob('.*.tmp'))


def test_resume_goes_by_what_a_checkpoint_records_and_not_by_its_name(tiny_run: Path, tmp_path: Path):
    from mmengine.config import Config

    from fashion_mmdet.experiments.resume import resume_latest

    shutil.copy(tiny_run / 'epoch_1.pth', tmp_path / 'epoch_20.pth')
    shutil.copy(tiny_run / 'epoch_2.pth', tmp_path / 'epoch_3.pth')
    (tmp_path / 'epoch_99.pth').write_bytes(b'')
    weights_alone = {'state_dict': {'w': torch.zeros(1)}}
    torch.save(weights_alone, tmp_path / 'epoch_50.pth')
    assert resume_latest(Config(dict(work_dir=str(tmp_path), model={}))) == str(tmp_path / 'epoch_3.pth')


def test_a_run_without_a_seed_of_its_own_is_resumed_with_the_one_it_drew(tiny_run: Path, tmp_path: Path):
    """The tiny run has seed 0."""
    from mmengine.config import Config

    from fashion_mmdet.experiments.resume import resume_latest

    copy_checkpoints(tiny_run, tmp_path)
    cfg = Config(dict(work_dir=str(tmp_path), model={}, randomness=dict(seed=None, deterministic=True)))
    resume_latest(cfg)
    assert cfg.randomness == dict(seed=0, deterministic=True)


def test_a_wrong_config_name_names_its_neighbours(capsys: pytest.CaptureFixture):
    line = run_and_fail(capsys, ['configs/fashion/maskrcnn_r50_losw.py'])
    assert 'no such config' in line
    assert 'maskrcnn_r50_lossw.py' in line


def test_an_option_without_a_value_is_refused(capsys: pytest.CaptureFixture, tiny_config: Path):
    assert 'expected key=value' in run_and_fail(capsys, [str(tiny_config), '--cfg-options', 'seed'])


@pytest.mark.parametrize(
    ('content', 'complaint'),
    [
        ('', 'train.csv: the file is empty'),
        ('ImageId,Height\na.jpg,3\n', "train.csv:1: no column 'EncodedPixels'"),
        ('ImageId,EncodedPixels,Height,Width,ClassId\na.jpg,1 1,tall,3,0\n', "train.csv:2: Height 'tall'"),
    ],
)
def test_a_file_that_is_not_the_csv_stops_the_training_with_one_line(
    capsys: pytest.CaptureFixture, tiny_config: Path, tmp_path: Path, content: str, complaint: str
):
    (tmp_path / 'train.csv').write_text(content)
    line = run_and_fail(
        capsys,
        [
            str(tiny_config),
            '--work-dir',
            str(tmp_path / 'run'),
            '--cfg-options',
            f'train_dataloader.dataset.data_root={tmp_path}',
        ],
    )
    assert complaint in line


def test_a_missing_data_folder_says_which_file_is_missing(
    capsys: pytest.CaptureFixture, tiny_config: Path, tmp_path: Path
):
    line = run_and_fail(
        capsys,
        [
            str(tiny_config),
            '--work-dir',
            str(tmp_path / 'run'),
            '--cfg-options',
            f'train_dataloader.dataset.data_root={tmp_path}/nowhere',
        ],
    )
    assert f'{tmp_path}/nowhere/train.csv: no such file' in line


def test_a_missing_checkpoint_to_start_from_is_one_line(
    capsys: pytest.CaptureFixture, tiny_config: Path, tmp_path: Path
):
    line = run_and_fail(
        capsys, [str(tiny_config), '--work-dir', str(tmp_path), '--cfg-options', 'load_from=nothing.pth']
    )
    assert 'nothing.pth: no such checkpoint' in line


def test_a_diverging_training_is_one_line_and_keeps_its_last_good_checkpoint(
    capsys: pytest.CaptureFixture, tiny_config: Path, tmp_path: Path
):
    """A rate of 1e38 from the second iteration on: the weights of the first, at 1 % of it, are beyond every loss."""
    line = run_and_fail(
        capsys, [str(tiny_config), '--work-dir', str(tmp_path), '--cfg-options', 'optim_wrapper.optimizer.lr=1e38']
    )
    assert 'stopped' in line
    assert 'optim_wrapper.optimizer.lr' in line
    assert not list(tmp_path.glob('*.pth'))


def test_a_full_disk_at_the_second_checkpoint_leaves_the_first_whole(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, tiny_config: Path, tmp_path: Path
):
    """The third fsync, after run.json's and epoch_1.pth's, fails as on a full disk: one line, no half file."""
    calls = []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(fashion_mmdet.utils.files.os, 'fsync', full)
    line = run_and_fail(
        capsys,
        [str(tiny_config), '--work-dir', str(tmp_path), '--cfg-options', 'train_dataloader.dataset.num_images=2'],
    )
    assert 'No space left on device' in line
    assert 'state_dict' in torch.load(tmp_path / 'epoch_1.pth', weights_only=False)
    assert not (tmp_path / 'epoch_2.pth').exists()
    assert not list(tmp_path.glob('.*.tmp'))


def test_a_junk_checkpoint_to_start_from_is_one_line(capsys: pytest.CaptureFixture, tiny_config: Path, tmp_path: Path):
    (tmp_path / 'junk.pth').write_bytes(b'junk')
    line = run_and_fail(
        capsys,
        [str(tiny_config), '--work-dir', str(tmp_path / 'run'), '--cfg-options', f'load_from={tmp_path}/junk.pth'],
    )
    assert 'junk.pth: not a checkpoint' in line


def test_an_unknown_postprocess_option_is_one_line(capsys: pytest.CaptureFixture, tiny_config: Path, tmp_path: Path):
    line = run_and_fail(
        capsys, [str(tiny_config), '--work-dir', str(tmp_path), '--cfg-options', 'postprocess.score_treshold=0.3']
    )
    assert 'postprocess.score_treshold: no such option; there are score_thr' in line


def test_the_traceback_of_a_one_line_error_is_in_the_runs_log(
    capsys: pytest.CaptureFixture, tiny_config: Path, tmp_path: Path
):
    run_and_fail(
        capsys,
        [
            str(tiny_config),
            '--work-dir',
            str(tmp_path),
            '--cfg-options',
            f'train_dataloader.dataset.data_root={tmp_path}/nowhere',
        ],
    )
    (log,) = tmp_path.glob('*/*.log')
    assert 'Traceback (most recent call last)' in log.read_text()


def test_the_old_best_checkpoint_stays_when_the_new_one_cannot_be_written(tmp_path: Path):
    """mmengine removes the old best first; a full disk would then leave none."""
    hook, runner = best_hook(tmp_path)
    hook._save_best_checkpoint(runner(epoch=1), {'fashion/score': 0.1})
    assert [path.name for path in tmp_path.glob('best_*')] == ['best_fashion_score_epoch_1.pth']
    hook._save_best_checkpoint(runner(epoch=2), {'fashion/score': 0.2})
    assert [path.name for path in tmp_path.glob('best_*')] == ['best_fashion_score_epoch_2.pth']
    with pytest.raises(OSError, match='No space'):
        hook._save_best_checkpoint(runner(epoch=3, full=True), {'fashion/score': 0.3})
    assert [path.name for path in tmp_path.glob('best_*')] == ['best_fashion_score_epoch_2.pth']


def test_a_copied_run_leaves_the_best_checkpoint_of_the_one_it_was_copied_from(tmp_path: Path):
    """`cp -r a b`, resumed in b: the paths that b's checkpoint brings are a's."""
    first, second = tmp_path / 'a', tmp_path / 'b'
    first.mkdir()
    info: dict = {}
    hook, runner = best_hook(first, info)
    hook._save_best_checkpoint(runner(epoch=1), {'fashion/score': 0.1})
    shutil.copytree(first, second)
    hook, runner = best_hook(second, dict(info))
    hook._save_best_checkpoint(runner(epoch=2), {'fashion/score': 0.2})
    assert [path.name for path in first.glob('best_*')] == ['best_fashion_score_epoch_1.pth']
    assert [path.name for path in second.glob('best_*')] == ['best_fashion_score_epoch_2.pth']


def best_hook(folder: Path, info: dict | None = None):
    """The shipped hook on a runner that only writes files; `runner(epoch, full)` makes the runner.

    `info` is what the message hub holds.
    """
    from unittest.mock import MagicMock

    from fashion_mmdet.experiments.checkpoint_hook import SafeCheckpointHook

    info = {} if info is None else info

    def make(epoch: int, full: bool = False) -> MagicMock:
        def save(out_dir: str, filename: str, *args, **kwargs) -> None:
            if full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            (Path(out_dir) / filename).write_bytes(b'weights')

        runner = MagicMock(epoch=epoch, iter=epoch, work_dir=str(folder), save_checkpoint=save)
        runner.message_hub.runtime_info = info
        runner.message_hub.update_info = info.__setitem__
        runner.message_hub.get_info = info.get
        return runner

    hook = SafeCheckpointHook(interval=1, save_best='fashion/score', rule='greater', out_dir=str(folder.parent))
    hook.before_train(make(0))
    hook.out_dir = str(folder)
    hook.last_ckpt = None
    return hook, make


def test_a_config_line_resamples_the_training(tiny_config: Path, tmp_path: Path):
    """Six images of the repeat-factor rule at a threshold that repeats none: an epoch is each image once."""
    config = tmp_path / 'resampled.py'
    config.write_text(f"""
_base_ = '{tiny_config}'
train_dataloader = dict(sampler=dict(_delete_=True, type='ClassBalancedSampler', threshold=0.0001))
train_cfg = dict(max_epochs=1)
""")
    assert train.main([str(config), '--work-dir', str(tmp_path / 'run')]) == 0
    images = [image for line in batches(tmp_path / 'run') for image in line.split()[3].split(',')]
    assert len(images) == len(set(images)) == 6
