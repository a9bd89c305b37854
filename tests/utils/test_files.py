"""Files are whole or as they were, whatever happens while they are written."""

import errno
import fcntl
import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fashion_mmdet.utils.files import (
    atomic_path,
    check_outputs,
    fast_hash,
    picture_name,
    read_sealed,
    remove_abandoned,
    sibling,
    write_bytes,
    write_sealed,
    write_text,
)
from tests.conftest import ROOT

FULL_DEVICE = Path('/dev/full')


@pytest.fixture
def target(tmp_path) -> Path:
    """A file with content, alone in its folder."""
    path = tmp_path / 'folder' / 'table.csv'
    path.parent.mkdir()
    path.write_bytes(b'old')
    return path


def assert_untouched(target: Path) -> None:
    """The old content, and no temporary beside it."""
    assert target.read_bytes() == b'old'
    assert list(target.parent.iterdir()) == [target]


def write_half_and_fail(target: Path, error: type[BaseException]) -> None:
    with atomic_path(target) as temporary:
        temporary.write_bytes(b'half of the')
        raise error('broken')


def run_python(code: str, *arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, '-c', code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_content_is_complete(target):
    content = bytes(range(256)) * 10_000
    write_bytes(target, content)
    assert target.read_bytes() == content
    assert list(target.parent.iterdir()) == [target]


def test_text_is_utf8_and_its_line_ends_stay(target):
    write_text(target, 'Kragen, Ärmel\r\n裾\n')
    assert target.read_bytes() == b'Kragen, \xc3\x84rmel\r\n\xe8\xa3\xbe\n'


def test_a_missing_folder_is_made(tmp_path):
    write_text(str(tmp_path / 'a' / 'b' / 'c.txt'), 'new')
    assert (tmp_path / 'a' / 'b' / 'c.txt').read_text() == 'new'


def test_the_old_file_is_there_until_the_block_ends(target):
    with atomic_path(target) as temporary:
        temporary.write_bytes(b'half of the')
        assert target.read_bytes() == b'old'
        assert temporary.parent == target.parent  # the same file system, or the rename were a copy
    assert target.read_bytes() == b'half of the'


@pytest.mark.parametrize('error', [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_in_the_block_leaves_the_old_file_and_no_temporary(target, error):
    with pytest.raises(error, match='broken'):
        write_half_and_fail(target, error)
    assert_untouched(target)


def test_a_failure_leaves_nothing_where_nothing_was(tmp_path):
    with pytest.raises(ValueError, match='broken'):
        write_half_and_fail(tmp_path / 'new.csv', ValueError)
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_removes_its_temporary_leaves_the_old_file(target):
    with pytest.raises(FileNotFoundError), atomic_path(target) as temporary:
        temporary.unlink()
    assert_untouched(target)


def test_a_failed_rename_leaves_no_temporary(tmp_path):
    """A folder stands where the file should go."""
    (tmp_path / 'table.csv').mkdir()
    with pytest.raises(OSError, match=r'table\.csv'):
        write_bytes(tmp_path / 'table.csv', b'new')
    assert [path.name for path in tmp_path.iterdir()] == ['table.csv']
    assert (tmp_path / 'table.csv').is_dir()


def test_a_full_disk_found_out_by_fsync_leaves_the_old_file(target, monkeypatch):
    def fsync(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'fsync', fsync)
    with pytest.raises(OSError, match='No space left') as caught:
        write_bytes(target, b'new')
    assert caught.value.errno == errno.ENOSPC
    assert_untouched(target)


@pytest.mark.skipif(not FULL_DEVICE.exists(), reason='no /dev/full')
def test_a_full_device_in_the_block_leaves_the_old_file(target):
    with pytest.raises(OSError, match='No space left') as caught, atomic_path(target), open(FULL_DEVICE, 'wb') as file:
        file.write(b'new')
    assert caught.value.errno == errno.ENOSPC
    assert_untouched(target)


@pytest.mark.skipif(sys.platform == 'win32', reason='no limits on file sizes')
def test_a_write_cut_off_by_the_system_leaves_the_old_file(target):
    """The system lets files grow to 4,096 bytes and refuses the rest of 10,000; Python ignores the signal."""
    code = (
        'import resource, sys\n'
        'from fashion_mmdet.utils.files import write_bytes\n'
        'resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n'
        'try:\n'
        '    write_bytes(sys.argv[1], b"x" * 10_000)\n'
        'except OSError as error:\n'
        '    sys.exit(f"errno {error.errno}")\n'
    )
    done = run_python(code, target)
    assert done.stderr.strip() == f'errno {errno.EFBIG}'
    assert_untouched(target)


def test_a_process_that_dies_in_the_block_leaves_the_old_file(target):
    """Nothing can clean up then; what lies about is hidden, no one's table, and gone after the folder's next write."""
    code = (
        'import os, sys\n'
        'from fashion_mmdet.utils.files import atomic_path\n'
        'with atomic_path(sys.argv[1]) as temporary:\n'
        '    temporary.write_bytes(b"half of the")\n'
        '    os._exit(9)\n'
    )
    assert run_python(code, target).returncode == 9
    assert target.read_bytes() == b'old'
    assert [path.name for path in target.parent.glob('*.csv')] == ['table.csv']
    assert len(list(target.parent.iterdir())) == 2
    write_bytes(target.with_name('other.csv'), b'new')
    assert sorted(path.name for path in target.parent.iterdir()) == ['other.csv', 'table.csv']


def test_temporary_files_of_a_killed_process_go_with_the_next_that_makes_some(tmp_path, monkeypatch):
    """`tempfile` works in a folder of its own within the block; the process dies in it with a file in a folder."""
    code = (
        'import os, tempfile\n'
        'from fashion_mmdet.utils.files import own_tempdir\n'
        'with own_tempdir():\n'
        '    open(os.path.join(tempfile.mkdtemp(), "a"), "w").close()\n'
        '    os._exit(9)\n'
    )
    monkeypatch.setenv('TMPDIR', str(tmp_path))
    assert run_python(code).returncode == 9
    (folder,) = tmp_path.glob('*.d')
    assert len(list(folder.glob('*/a'))) == 1
    assert run_python(code.replace('    os._exit(9)\n', '')).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_what_a_living_process_writes_is_left_alone(target):
    """It waits within the block for a line; the folder is swept meanwhile."""
    code = (
        'import sys\n'
        'from fashion_mmdet.utils.files import atomic_path\n'
        'with atomic_path(sys.argv[1]) as temporary:\n'
        '    temporary.write_bytes(b"new")\n'
        '    print(flush=True)\n'
        '    sys.stdin.readline()\n'
    )
    with subprocess.Popen(
        [sys.executable, '-c', code, str(target)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        remove_abandoned(target.parent)
        process.communicate(b'\n')
    assert process.returncode == 0
    assert target.read_bytes() == b'new'
    assert list(target.parent.iterdir()) == [target]


def test_a_temporary_that_was_taken_for_abandoned_before_its_lock_is_made_again(target, monkeypatch):
    """Another process may look into the folder between the file's creation and its lock."""
    lock, removed = fcntl.flock, []

    def remove_first(handle, operation):
        if not removed:
            removed.extend(target.parent.glob('.*'))
            removed[0].unlink()
        lock(handle, operation)

    monkeypatch.setattr(fcntl, 'flock', remove_first)
    write_bytes(target, b'new')
    assert len(removed) == 1
    assert target.read_bytes() == b'new'
    assert list(target.parent.iterdir()) == [target]


def test_where_nothing_can_be_locked_files_are_written_all_the_same(target, monkeypatch):
    """As on some network file systems; then nothing is taken for abandoned either."""
    left = target.with_name('.a.csv.12345678.fashion.tmp')
    left.touch()

    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, 'flock', refuse)
    write_bytes(target, b'new')
    assert target.read_bytes() == b'new'
    assert left.exists()


def test_a_sealed_file_gives_back_what_was_written(tmp_path):
    """64 bytes stand before it, so that it lies as Arrow wants it."""
    for content in (b'', b'abc', bytes(range(256)) * 4096):
        with write_sealed(tmp_path / 'cache') as file:
            file.write(content)
        assert read_sealed(tmp_path / 'cache') == content
        assert (tmp_path / 'cache').stat().st_size == 64 + len(content)


def test_every_flipped_bit_and_every_cut_of_a_sealed_file_is_noticed(tmp_path):
    """67 bytes: 536 bits, 67 shorter files, and one that is longer."""
    path = tmp_path / 'cache'
    with write_sealed(path) as file:
        file.write(b'abc')
    content = path.read_bytes()
    flipped = [
        content[: bit // 8] + bytes([content[bit // 8] ^ 1 << bit % 8]) + content[bit // 8 + 1 :]
        for bit in range(8 * len(content))
    ]
    for harmed in [*flipped, *(content[:size] for size in range(len(content))), content + b'd']:
        path.write_bytes(harmed)
        with pytest.raises(ValueError, match=f'^{path}: damaged, or not of this version$'):
            read_sealed(path)


def test_the_fast_hash_is_xxh3(tmp_path):
    """The published values of XXH3-128 for no input and for 'a'; a file of more than one block has its own."""
    for content, wanted in ((b'', '99aa06d3014798d86001c324468d497f'), (b'a', 'a96faf705af16834e6c632b61e964e1f')):
        (tmp_path / 'a').write_bytes(content)
        assert fast_hash(tmp_path / 'a') == wanted
    (tmp_path / 'a').write_bytes(bytes(1 << 19))
    (tmp_path / 'b').write_bytes(bytes((1 << 19) - 1) + b'x')
    assert fast_hash(tmp_path / 'a') != fast_hash(tmp_path / 'b')


@pytest.mark.skipif(sys.platform == 'win32', reason='no permission bits')
@pytest.mark.parametrize('umask', [0o022, 0o077])
def test_others_may_read_the_file_as_any_other(target, umask):
    """0o666 less the umask, as open() makes files, not a temporary's 0o600; and the umask stays."""
    before = os.umask(umask)
    try:
        write_bytes(target, b'new')
        assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~umask
    finally:
        assert os.umask(before) == umask


def test_of_writers_at_the_same_time_one_wins_whole(target):
    contents = [bytes([65 + index]) * 100_000 for index in range(4)]

    def write(content: bytes) -> None:
        for _ in range(5):
            write_bytes(target, content)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() in contents
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ('image_id', 'expected'),
    [
        ('a.jpg', 'a.png'),
        ('IMG_1.2-3.jpg', 'IMG_1.2-3.png'),
        ('a.png', 'a.png-*.png'),
        ('x/1.jpg', 'x_1.jpg-*.png'),
        ('../../etc/a', '_.._etc_a-*.png'),
        ('.jpg', 'jpg-*.png'),
        ('é?.jpg', '__.jpg-*.png'),
    ],
)
def test_a_picture_is_named_safely(image_id: str, expected: str):
    """Only names that are plain keep theirs; `*` stands for 16 digits of the hash."""
    name = picture_name(image_id, '.png')
    assert re.sub('-[0-9a-f]{16}', '-*', name) == expected


def test_no_two_images_share_a_picture():
    """Stems alone, or with slashes as underscores, would give a, 1, x_1 and a twice; the last is named like a hash."""
    ids = ['a.jpg', 'a.png', 'a.jpg.jpg', 'x/1.jpg', 'y/1.jpg', 'x_1.jpg', 'x 1.jpg', 'b' * 300, 'b' * 301]
    ids.append(picture_name('a.png', '') + '.jpg')
    names = {picture_name(image_id, '.jpg') for image_id in ids}
    assert len(names) == len(ids)
    assert max(map(len, names)) < 255


def test_an_output_is_never_an_input_nor_another_output(tmp_path: Path):
    (tmp_path / 'link').symlink_to(tmp_path / 'in.csv')
    with pytest.raises(ValueError, match='link: is one of the files to read'):
        check_outputs([tmp_path / 'link'], [tmp_path / 'in.csv', None])
    with pytest.raises(ValueError, match='two outputs would be written there'):
        check_outputs([tmp_path / 'a', None, tmp_path / 'b' / '..' / 'a'])
    assert sibling(tmp_path / 'a.py', '.png', [tmp_path / 'b.png'], [tmp_path / 'in.csv']) == tmp_path / 'a.png'
    for path in ('x.json', 'in.parquet', 'other.parquet'):  # itself, an input, another output
        with pytest.raises(ValueError, match=r'\.json: '):
            sibling(tmp_path / path, '.json', [tmp_path / 'other.json'], [tmp_path / 'in.json'])
