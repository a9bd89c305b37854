"""Photos' sizes are remembered for as long as the files stay the same."""

import contextlib
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from fashion_mmdet.datasets import headers
from fashion_mmdet.datasets.headers import HeaderCache
from fashion_mmdet.utils.files import read_sealed, write_sealed

OLD_NS = 1_500_000_000_000_000_000


def write_photo(path: Path, height: int, width: int, mtime_ns: int = OLD_NS) -> Path:
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), np.zeros((height, width, 3), np.uint8))
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


@pytest.fixture(autouse=True)
def _at_once(monkeypatch) -> None:
    """Remember files that were written this moment: the tests do not write within a tick of the clock."""
    monkeypatch.setattr(headers, 'SETTLED_NS', -1_000_000_000)


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """The names of the files whose headers are read."""
    names, plain = [], headers.read_size
    monkeypatch.setattr(headers, 'read_size', lambda path: (names.append(path.name), plain(path))[1])
    return names


def sizes(folder: Path, *names: str) -> list[tuple[int, int]]:
    with HeaderCache(folder) as cache:
        return [cache.read_size(folder / name) for name in names]


def test_a_header_is_read_once(tmp_path, read):
    folder = tmp_path / 'train'
    write_photo(folder / 'a.jpg', 5, 9)
    write_photo(folder / 'b.jpg', 7, 3)
    assert sizes(folder, 'a.jpg') == [(5, 9)]
    assert sizes(folder, 'a.jpg', 'b.jpg') == [(5, 9), (7, 3)]
    assert sizes(folder, 'b.jpg', 'a.jpg') == [(7, 3), (5, 9)]
    assert read == ['a.jpg', 'b.jpg']
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ['train.headers.arrow']


def test_a_changed_photo_is_read_again(tmp_path, read):
    """Another size in bytes; the same at another time; the same at the same time, as `cp -p` and `touch -d` make it."""
    photo = write_photo(tmp_path / 'train' / 'a.jpg', 5, 9)
    sizes(tmp_path / 'train', 'a.jpg')
    write_photo(photo, 500, 900)
    assert sizes(tmp_path / 'train', 'a.jpg') == [(500, 900)]
    write_photo(photo, 900, 500, OLD_NS + 1)
    assert sizes(tmp_path / 'train', 'a.jpg') == [(900, 500)]
    write_photo(photo, 500, 900, OLD_NS + 1)
    assert sizes(tmp_path / 'train', 'a.jpg') == [(500, 900)]
    assert read == ['a.jpg'] * 4


def test_a_photo_with_a_problem_is_looked_at_each_time(tmp_path, read):
    photo = write_photo(tmp_path / 'train' / 'a.jpg', 5, 9)
    photo.write_bytes(photo.read_bytes()[:-2])
    for _ in range(2):
        with pytest.raises(EOFError, match='cut off'):
            sizes(tmp_path / 'train', 'a.jpg')
        with pytest.raises(FileNotFoundError):
            sizes(tmp_path / 'train', 'b.jpg')
    assert read == ['a.jpg'] * 2
    assert not list(tmp_path.glob('*.arrow'))


def test_a_photo_written_this_moment_is_not_remembered(tmp_path, read, monkeypatch):
    """It could change once more within the tick of the clock: it is remembered only when more than 2 s old."""
    monkeypatch.setattr(headers, 'SETTLED_NS', 2_000_000_000)
    photo = write_photo(tmp_path / 'train' / 'a.jpg', 5, 9)
    changed_ns = max(photo.stat().st_mtime_ns, photo.stat().st_ctime_ns)
    for age_s in (0, 2, 3, 4):
        monkeypatch.setattr(headers.time, 'time_ns', lambda age_s=age_s: changed_ns + age_s * 1_000_000_000)
        sizes(tmp_path / 'train', 'a.jpg')
    assert read == ['a.jpg'] * 3


def test_photos_of_one_name_in_two_folders_are_two(tmp_path):
    for part, height in (('x', 5), ('y', 6)):
        (tmp_path / 'train').mkdir(exist_ok=True)
        write_photo(tmp_path / 'train' / part / 'a.bmp', height, 9)
    for _ in range(2):
        assert sizes(tmp_path / 'train', 'x/a.bmp', 'y/a.bmp') == [(5, 9), (6, 9)]


def test_what_was_read_before_a_stop_is_kept(tmp_path, read):
    write_photo(tmp_path / 'train' / 'a.jpg', 5, 9)
    with contextlib.suppress(KeyboardInterrupt), HeaderCache(tmp_path / 'train') as cache:
        cache.read_size(tmp_path / 'train' / 'a.jpg')
        raise KeyboardInterrupt
    sizes(tmp_path / 'train', 'a.jpg')
    assert read == ['a.jpg']


@pytest.mark.parametrize('content', [b'', b'no cache', b'half'])
def test_a_file_that_is_not_whole_is_read_anew(tmp_path, read, caplog, content):
    write_photo(tmp_path / 'train' / 'a.jpg', 5, 9)
    sizes(tmp_path / 'train', 'a.jpg')
    path = tmp_path / 'train.headers.arrow'
    path.write_bytes(path.read_bytes()[:-40] if content == b'half' else content)
    for _ in range(2):
        assert sizes(tmp_path / 'train', 'a.jpg') == [(5, 9)]
    assert read == ['a.jpg'] * 2
    assert [record.getMessage() for record in caplog.records] == [
        f'train.headers.arrow: read anew: {path}: damaged, or not of this version'
    ]


def test_a_single_flipped_bit_is_noticed(tmp_path, caplog):
    """Of offsets it would lead Arrow out of the file (a segmentation fault), of a size to another one."""
    write_photo(tmp_path / 'train' / 'a.jpg', 5, 9)
    sizes(tmp_path / 'train', 'a.jpg')
    path = tmp_path / 'train.headers.arrow'
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
        assert sizes(tmp_path / 'train', 'a.jpg') == [(5, 9)]
    assert len(caplog.records) == len(range(0, len(content), 7))


def test_a_sealed_file_whose_names_lead_out_of_it_is_read_anew(tmp_path, caplog):
    """Whoever can write the file can seal it. Two names of 5 bytes: the first is made to end after 10 ** 12."""
    for name in ('a.jpg', 'b.jpg'):
        write_photo(tmp_path / 'train' / name, 5, 9)
    sizes(tmp_path / 'train', 'a.jpg', 'b.jpg')
    path = tmp_path / 'train.headers.arrow'
    content, ends = bytes(read_sealed(path)), np.array([0, 5, 10]).tobytes()
    assert content.count(ends) == 1
    with write_sealed(path) as file:
        file.write(content.replace(ends, np.array([0, 10**12, 10]).tobytes()))
    assert sizes(tmp_path / 'train', 'a.jpg') == [(5, 9)]
    assert 'train.headers.arrow: read anew' in caplog.text


def test_a_full_disk_costs_the_memory_only(tmp_path, monkeypatch, caplog):
    write_photo(tmp_path / 'train' / 'a.jpg', 5, 9)

    def fail(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(headers, 'write_sealed', fail)
    assert sizes(tmp_path / 'train', 'a.jpg') == [(5, 9)]
    assert "the photos' sizes are not kept: No space left on device" in caplog.text
