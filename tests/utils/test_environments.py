"""Read-only data, users without a home, folders without locks: fall back and say so, or say what to set."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fashion_mmdet.converters.downscale import Options, downscale
from fashion_mmdet.datasets.index_store import open_index
from fashion_mmdet.utils import caches, locks
from tests.conftest import ROOT

# Reads everything, writes nothing that is not its own.
STRANGER = (
    'setpriv',
    '--reuid',
    '54321',
    '--regid',
    '54321',
    '--clear-groups',
    *(f'--{kind}=-all,+dac_read_search' for kind in ('inh-caps', 'ambient-caps', 'bounding-set')),
)
USE_ALL = """
import os, sys
from pathlib import Path
import fashion_mmdet
from fashion_mmdet.datasets.headers import HeaderCache
from fashion_mmdet.datasets.index_store import open_index
data = Path(sys.argv[1])
index = open_index(data / 'train.csv')
with HeaderCache(data / 'train') as headers:
    headers.read_size(data / 'train' / index.image_id(0))
import matplotlib, torch.hub
print(index.path, headers.path, torch.hub.get_dir(), matplotlib.get_cachedir(), os.listdir(), sep='\\n')
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach and write, as those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.skipif(os.name != 'posix' or os.geteuid() != 0 or not shutil.which('setpriv'), reason='needs root')
def test_a_user_without_name_home_and_right_to_write_gets_caches_among_the_temporary_files(
    sample_root: Path, tmp_path: Path, open_folder: Path
):
    """As in a container that is run under a number: nobody's uid, HOME unset, data and code read-only.

    A path of `~` taken as a name would make a folder of that name in the current one.
    """
    shutil.copytree(sample_root, tmp_path / 'data', ignore=shutil.ignore_patterns('*.arrow', '.*'))
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ('HOME', 'XDG_CACHE_HOME', 'MPLCONFIGDIR', 'TORCH_HOME')
    }
    environment.update(PYTHONPATH=str(ROOT), TMPDIR=str(open_folder))
    done = subprocess.run(
        [*STRANGER, sys.executable, '-c', USE_ALL, str(tmp_path / 'data')],
        cwd=open_folder,
        capture_output=True,
        check=False,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    *folders, current = done.stdout.splitlines()[-5:]
    cache = open_folder / 'fashion_mmdet_54321'
    assert all(Path(folder).is_relative_to(cache) for folder in folders)
    assert current == str([cache.name])
    assert [line for line in done.stderr.splitlines() if 'cannot be written' in line] == [
        f'~/.cache cannot be written; caches go to {cache}, unless XDG_CACHE_HOME names another folder',
        f'{tmp_path}/data: cannot be written; the index goes to {folders[0]}',
    ]
    assert sorted(path.name for path in (tmp_path / 'data').glob('*.arrow')) == []


@pytest.fixture
def no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that is a file."""
    (tmp_path / 'file').touch()
    monkeypatch.setenv('HOME', str(tmp_path / 'file'))
    for name in ('XDG_CACHE_HOME', 'MPLCONFIGDIR'):
        monkeypatch.setenv(name, '')  # so that it is as before after the test
        monkeypatch.delenv(name)
    monkeypatch.setattr(caches.tempfile, 'gettempdir', lambda: str(tmp_path / 'temporary'))
    return tmp_path


def test_a_home_that_can_be_written_stays_and_is_not_made_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog):
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    monkeypatch.setenv('HOME', str(tmp_path / 'new'))
    caches.provide_cache()
    assert 'XDG_CACHE_HOME' not in os.environ
    assert not list(tmp_path.iterdir())
    assert not caplog.records


def test_without_home_and_temporary_files_the_line_says_what_to_set(no_home: Path, monkeypatch, caplog):
    caches.provide_cache()
    assert 'XDG_CACHE_HOME' not in os.environ
    assert [record.getMessage() for record in caplog.records] == [
        f'no folder for caches: {no_home}/file/.cache cannot be written, nor {no_home}/temporary/fashion_mmdet_'
        f'{os.getuid()} (No such file or directory); set XDG_CACHE_HOME'
    ]
    monkeypatch.setattr(os, 'access', lambda *_: False)
    with pytest.raises(OSError, match=r'/data: cannot be written, nor can .*; set XDG_CACHE_HOME to a folder that can'):
        caches.writable_place(Path('/data/train.csv.index.arrow'))


def test_a_folder_that_somebody_else_has_put_there_is_not_used(no_home: Path, monkeypatch, caplog):
    (no_home / 'temporary').mkdir()
    monkeypatch.setattr(os, 'getuid', lambda: 12345)
    (no_home / 'temporary' / 'fashion_mmdet_12345').mkdir()
    caches.provide_cache()
    assert 'XDG_CACHE_HOME' not in os.environ
    assert 'somebody else made it' in caplog.text


@pytest.mark.parametrize('number', [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_folder_without_locks_is_used_without_and_the_log_says_so(
    sample_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog, number: int
):
    """Network shares without a lock service; both who lock: index and prepare."""
    source = shutil.copytree(sample_root, tmp_path / 'data', ignore=shutil.ignore_patterns('*.arrow', '.*'))

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(locks.fcntl, 'flock', refuse)
    assert len(open_index(source / 'train.csv')) == 12
    assert downscale(source, tmp_path / 'small', Options(40), workers=1)['train_photos'] == 12
    assert [record.getMessage() for record in caplog.records] == [
        f'{folder}: locks do not work here ({os.strerror(number)}); see to it that no second process does the same at '
        'the same time'
        for folder in (source, tmp_path / 'small' / '.prepare')
    ]
