"""Photos with known garments, from the three layouts."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fashion_mmdet.catalogue.known import read_categories, read_inshop, read_pairs
from fashion_mmdet.masks.rle import area, bounding_box, coco_to_runs
from fashion_mmdet.synthetic import make_sample


def write_inshop(root: Path, boxes: str = 'Anno', partition: str = 'Eval') -> None:
    """Write three photos of 12x8, one of each role; the last box goes beyond the photo."""
    rows = [('a/1.jpg', 'id_1', 'train'), ('a/2.jpg', 'id_1', 'query'), ('b/3.jpg', 'id_1', 'gallery')]
    for name, _, _ in rows:
        path = root / 'img' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((12, 8, 3), np.uint8))
    lines = [f'img/{name}   {item}   {status}' for name, item, status in rows]
    (root / partition).mkdir(exist_ok=True)
    (root / boxes).mkdir(exist_ok=True)
    header = '3\nimage_name item_id evaluation_status\n'
    (root / partition / 'list_eval_partition.txt').write_text(header + '\n'.join(lines) + '\n')
    header = '3\nimage_name clothes_type pose_type x_1 y_1 x_2 y_2\n'
    lines = [
        f'img/{name} 1 2 {box}' for (name, _, _), box in zip(rows, ('0 0 1 1', '2 3 5 7', '4 0 99 12'), strict=True)
    ]
    (root / boxes / 'list_bbox_inshop.txt').write_text(header + '\n'.join(lines) + '\n')


@pytest.mark.parametrize(('boxes', 'partition'), [('Anno', 'Eval'), ('.', '.')])
def test_in_shop_gives_queries_and_gallery_with_their_boxes(tmp_path: Path, boxes: str, partition: str):
    write_inshop(tmp_path, boxes, partition)
    query, gallery = read_inshop(tmp_path)
    assert (query.role, query.labels, query.path) == ('query', ['id_1'], tmp_path / 'img/a/2.jpg')
    assert bounding_box(coco_to_runs(query.masks[0]), 12) == (2, 3, 5, 7)
    assert gallery.role == 'gallery'
    assert bounding_box(coco_to_runs(gallery.masks[0]), 12) == (4, 0, 8, 12)


def test_an_in_shop_list_that_is_cut_off_or_broken_is_named(tmp_path: Path):
    write_inshop(tmp_path)
    path = tmp_path / 'Eval/list_eval_partition.txt'
    text = path.read_text()
    path.write_text(text.replace('3\n', '4\n', 1))
    with pytest.raises(ValueError, match=r'partition\.txt: 3 lines, its first line says .4.'):
        list(read_inshop(tmp_path))
    path.write_text(text.replace('query', 'query much'))
    with pytest.raises(ValueError, match=r'line 4: .* has not the 3 words'):
        list(read_inshop(tmp_path))
    path.write_text(text.replace('img/a/2.jpg', 'img/a/9.jpg'))
    with pytest.raises(ValueError, match=r'no box of img/a/9\.jpg'):
        list(read_inshop(tmp_path))


def test_pairs_ask_with_the_first_photo_of_an_outfit_and_leave_parts_out(tmp_path: Path):
    make_sample(tmp_path, 4, height=96, width=64, workers=1, views=2)
    photos = read_pairs(tmp_path)
    assert [photo.role for photo in photos] == ['query', 'gallery'] * 2
    assert {label[:13] for label in photos[2].labels + photos[3].labels} == {'outfit_000001'}
    assert all(len(photo.masks) == len(photo.labels) > 0 for photo in photos)
    every = sum(line.startswith('sample') for line in (tmp_path / 'train.csv').read_text().splitlines())
    assert sum(len(photo.masks) for photo in photos) < every  # sleeves, collars, necklines


def test_categories_are_labels_and_held_out_photos_those_of_the_configs(tmp_path: Path):
    make_sample(tmp_path, 10, height=96, width=64, workers=1)
    photos = read_categories(tmp_path)
    assert len(photos) == 10
    assert {photo.role for photo in photos} == {'both'}
    assert all(area(coco_to_runs(mask)) for photo in photos for mask in photo.masks)
    held_out = {photo.path for photo in read_categories(tmp_path, 0.2)}
    assert set() < held_out < {photo.path for photo in photos}
