"""What a run writes to be repeated."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from fashion_mmdet.experiments.provenance import describe_code, write_patch
from fashion_mmdet.experiments.record import read_record
from fashion_mmdet.utils.files import sha256
from tools import train


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ['git', '-C', str(folder), '-c', 'user.name=x', '-c', 'user.email=x@x', *words],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def test_a_run_says_how_to_repeat_it(tiny_run: Path, sample_root: Path):
    """2 epochs of 6 images in batches of 2: 6 iterations, 12 images."""
    run = read_record(tiny_run)
    assert run['command'].startswith('python tools/train.py ')
    assert '--work-dir' in run['command']
    assert Path(run['config']).name == 'tiny.py'
    assert (run['iterations'], run['images_seen'], run['epochs'], run['world_size']) == (6, 12, 2.0, 1)
    assert (run['seed'], run['start'], run['random_start']) == (0, None, False)
    assert run['data'] == dict(
        root=str(sample_root), train_images=6, val_images=5, train_csv_sha256=sha256(sample_root / 'train.csv')
    )
    assert run['started'] <= run['finished']
    assert 0 < run['train_time_s'] < 600
    assert run['packages']['torch'].split('+')[0].count('.') == 2
    assert {'numpy', 'pytest', 'onedl-mmdetection'} <= run['packages'].keys()
    assert run['git'] is None or (tiny_run / 'code.patch').is_file() != run['git']['clean']
    assert (tiny_run / 'tiny.py').is_file(), 'the resolved config'


def test_a_resumed_run_adds_to_what_it_was(tiny_run: Path, tiny_config: Path, tmp_path: Path):
    """One epoch more on a copy: 6 + 3 iterations, 12 + 6 images; how it began stays."""
    folder = tmp_path / 'tiny'
    shutil.copytree(tiny_run, folder)
    before = read_record(folder)
    # The record may be behind or ahead of the checkpoint, as a kill leaves it; the checkpoint's own count holds.
    before.update(started='2001-02-03T04:05:06+00:00', images_seen=999)
    (folder / 'run.json').write_text(json.dumps(before))
    assert (
        train.main([str(tiny_config), '--work-dir', str(folder), '--resume', '--cfg-options', 'train_cfg.max_epochs=3'])
        == 0
    )
    after = read_record(folder)
    assert (after['iterations'], after['images_seen'], after['epochs']) == (9, 18, 3.0)
    assert after['started'] == '2001-02-03T04:05:06+00:00'
    assert after['train_time_s'] > before['train_time_s']
    assert '--resume' in after['command']


def test_resuming_a_finished_run_leaves_its_record_as_it_was(tiny_run: Path, tiny_config: Path, tmp_path: Path):
    folder = tmp_path / 'tiny'
    shutil.copytree(tiny_run, folder)
    before = read_record(folder)
    assert train.main([str(tiny_config), '--work-dir', str(folder), '--resume']) == 0
    assert read_record(folder) == before


def test_code_is_named_by_commit_and_whether_it_is_as_committed(tmp_path: Path):
    git(tmp_path, 'init', '-q')
    (tmp_path / 'a.py').write_text('1')
    git(tmp_path, 'add', 'a.py')
    git(tmp_path, 'commit', '-qm', 'one')
    commit = git(tmp_path, 'rev-parse', 'HEAD')
    assert describe_code(tmp_path) == dict(commit=commit, clean=True)
    (tmp_path / 'new.txt').write_text('not part of the code yet')
    assert describe_code(tmp_path) == dict(commit=commit, clean=True)
    (tmp_path / 'a.py').write_text('2')
    assert describe_code(tmp_path) == dict(commit=commit, clean=False)


def test_a_patch_takes_the_commit_to_what_was_run(tmp_path: Path):
    """Bytes and text, from a folder below the top; applied to a clean checkout it gives the same files."""
    git(tmp_path, 'init', '-q')
    below = tmp_path / 'below'
    below.mkdir()
    for name in ('a.py', 'b.bin'):
        (tmp_path / name).write_bytes(b'1\n')
        git(tmp_path, 'add', name)
    git(tmp_path, 'commit', '-qm', 'one')
    (tmp_path / 'a.py').write_text('é\n', encoding='latin-1')
    (tmp_path / 'b.bin').write_bytes(b'\0\xff')
    patch = tmp_path / 'code.patch'
    write_patch(below, patch)
    git(tmp_path, 'checkout', '-q', '.')
    git(tmp_path, 'apply', patch.name)
    assert (tmp_path / 'a.py').read_bytes() == b'\xe9\n'
    assert (tmp_path / 'b.bin').read_bytes() == b'\0\xff'


def test_outside_of_git_there_is_no_commit(tmp_path: Path):
    assert describe_code(tmp_path) is None


def test_a_folder_without_run_json_is_an_older_run(tmp_path: Path):
    assert read_record(tmp_path) == {}


@pytest.mark.parametrize('text', ['{"seed": 0', '[1, 2]', ''])
def test_a_broken_run_json_names_itself(text: str, tmp_path: Path):
    (tmp_path / 'run.json').write_text(text)
    with pytest.raises(ValueError, match=r'run\.json: (broken JSON|a JSON object)'):
        read_record(tmp_path)


@pytest.mark.parametrize(
    ('text', 'complaint'),
    [
        ('{"git": "abc"}', "git is no object: 'abc'"),
        ('{"data": 3}', 'data is no object: 3'),
        ('{"train_time_s": "long"}', "train_time_s is no number: 'long'"),
    ],
)
def test_a_run_json_with_a_wrong_value_names_it(text: str, complaint: str, tmp_path: Path):
    (tmp_path / 'run.json').write_text(text)
    with pytest.raises(ValueError, match=rf'run\.json: {complaint}'):
        read_record(tmp_path)


def test_a_files_hash_is_the_one_that_sha256sum_prints(tmp_path: Path):
    """The SHA-256 of 'abc' is in FIPS 180-4's examples."""
    (tmp_path / 'abc').write_bytes(b'abc')
    assert sha256(tmp_path / 'abc') == 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
