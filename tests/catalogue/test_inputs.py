"""Photos to annotate: in one order, named once, with their columns; bytes read when asked for."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fashion_mmdet.catalogue.inputs import open_photos, read_content


def write(path: Path, /, row_group: int = 2, **columns) -> str:
    pq.write_table(pa.table(columns), path, row_group_size=row_group)
    return str(path)


def test_files_of_a_folder_are_named_by_their_paths(tmp_path: Path):
    for name in ('b.jpg', 'a.jpg', 'note.txt'):
        (tmp_path / name).touch()
    photos = open_photos([str(tmp_path)])
    assert photos.chunk(range(2)).to_pydict() == {'image': [str(tmp_path / 'a.jpg'), str(tmp_path / 'b.jpg')]}
    assert photos.extra.names == []
    assert read_content('a.jpg') == 'a.jpg'


def test_a_column_of_paths_becomes_the_image_and_the_others_come_along(tmp_path: Path):
    files = [write(tmp_path / f'{n}.parquet', path=[f'{n}1', f'{n}2'], price=[1.5, None]) for n in 'ab']
    photos = open_photos([str(tmp_path / '*.parquet')])
    assert photos.chunk(range(1, 4)).to_pydict() == {'image': ['a2', 'b1', 'b2'], 'price': [None, 1.5, None]}
    assert photos.extra.names == ['price']
    assert photos.digest == open_photos(files).digest != open_photos(files[::-1]).digest


@pytest.mark.parametrize('rows', [range(0, 5), range(1, 4), range(2, 4), range(4, 5), range(0, 0)])
def test_bytes_come_from_the_row_groups_that_hold_them(tmp_path: Path, rows: range):
    """5 rows in groups of 2, of two files: 3 + 2."""
    files = [
        write(tmp_path / 'a.parquet', bytes=[b'0', b'1', b'2'], name=['x', 'y', 'z']),
        write(tmp_path / 'b.parquet', bytes=[b'3', b'4'], name=['u', 'v']),
    ]
    chunk = open_photos(files).chunk(rows)
    assert chunk['content'].to_pylist() == [str(row).encode() for row in rows]
    assert chunk['image'].to_pylist() == [list('xyzuv')[row] for row in rows]


def test_structs_of_bytes_and_path_and_bytes_without_a_name(tmp_path: Path):
    path = write(tmp_path / 'a.parquet', image=[dict(bytes=b'0', path='x.jpg'), dict(bytes=b'1', path=None)])
    assert open_photos([path]).chunk(range(2)).to_pydict() == {
        'image': ['x.jpg', f'{path}#1'],
        'content': [b'0', b'1'],
    }
    path = write(tmp_path / 'b.parquet', jpeg=[b'0'], day=['mon'])
    chunk = open_photos([path], 'jpeg').chunk(range(1))
    assert chunk.to_pydict() == {'image': [f'{path}#0'], 'day': ['mon'], 'content': [b'0']}


@pytest.mark.parametrize(
    ('columns', 'column', 'said'),
    [
        (dict(day=['a']), None, 'which column has the photos'),
        (dict(day=['a']), 'path', "no column 'path'; there are day"),
        (dict(path=['a', None]), None, '1 rows have no path'),
    ],
)
def test_a_parquet_without_photos_says_so(tmp_path: Path, columns: dict, column: str | None, said: str):
    path = write(tmp_path / 'a.parquet', **columns)
    with pytest.raises(ValueError, match=re.escape(said)):
        open_photos([path], column)


def test_parquet_and_photos_do_not_mix(tmp_path: Path):
    with pytest.raises(ValueError, match='in one call'):
        open_photos(['a.parquet', 'b.jpg'])
    with pytest.raises(ValueError, match='is for Parquet'):
        open_photos(['b.jpg'], 'path')


def test_urls_are_listed_and_read():
    fsspec = pytest.importorskip('fsspec')
    memory = fsspec.filesystem('memory')
    for name in ('shop/b.jpg', 'shop/deep/a.PNG', 'shop/note.txt'):
        memory.pipe(f'/{name}', name.encode())
    photos = open_photos(['memory://shop'])
    images = photos.chunk(range(2))['image'].to_pylist()
    assert [read_content(image) for image in images] == [b'shop/b.jpg', b'shop/deep/a.PNG']
    assert open_photos(['memory://shop/*.jpg']).table['image'].to_pylist() == images[:1]
    with pytest.raises(ValueError, match='no photos there'):
        open_photos(['memory://shop/*.gif'])
    with pytest.raises(OSError, match='gone'):
        read_content('memory://shop/gone.jpg')
