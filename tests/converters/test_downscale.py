"""A smaller copy of a data set: equal to cv2's on the decoded masks, whole whatever happens on the way."""

import csv
import errno
import json
import shutil
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from processes import children_of, is_running, wait_until
from pycocotools import mask as coco

from fashion_mmdet.converters.downscale import Options, check_copy, copy, downscale
from fashion_mmdet.converters.downscale.check import add_up
from fashion_mmdet.converters.downscale.photos import fit_size
from fashion_mmdet.converters.downscale.rows import downscale_rows
from fashion_mmdet.datasets.imaterialist import IMaterialistDataset
from fashion_mmdet.masks.rle import mask_to_runs, runs_to_kaggle
from fashion_mmdet.utils.parallel import WorkerPool
from tests.conftest import ROOT
from tools import prepare_data as tool

HEADER = ('ImageId', 'EncodedPixels', 'Height', 'Width', 'ClassId')


def write_csv(path: Path, rows: list[tuple], header: tuple = HEADER) -> None:
    with open(path, 'w', newline='') as file:
        csv.writer(file, lineterminator='\n').writerows([header, *rows])


def read_csv(path: Path) -> list[dict]:
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def files_of(root: Path) -> dict[Path, bytes]:
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob('*')) if path.is_file()}


def smooth_photo(height: int, width: int) -> np.ndarray:
    """A photo without fine detail: (H, W, 3) BGR."""
    noise = np.random.default_rng(0).integers(0, 256, (max(2, height // 25), max(2, width // 25), 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def row(name: str, mask: np.ndarray, class_id: str = '0') -> tuple:
    return name, runs_to_kaggle(mask_to_runs(mask)), *mask.shape, class_id


def left_half(height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[:, : width // 2] = True
    return mask


def make_source(root: Path, rows: list[tuple], **images) -> Path:
    """A data set of the given rows and photos: arrays (BGR), bytes, or PIL images with an EXIF orientation."""
    (root / 'train').mkdir(parents=True)
    write_csv(root / 'train.csv', rows)
    for stem, image in images.items():
        path = root / 'train' / f'{stem}.jpg'
        if isinstance(image, bytes):
            path.write_bytes(image)
        elif isinstance(image, np.ndarray):
            cv2.imwrite(str(path), image)
        else:
            image.save(path, quality=95, exif=image.getexif())
    return root


def run(source: Path, target: Path, max_side: int = 40, **options) -> dict:
    return downscale(source, target, Options(max_side, **options), workers=1)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """a.jpg 100x60 with two objects, b.jpg 30x20 with one."""
    return make_source(
        tmp_path / 'two',
        [
            row('a.jpg', left_half(100, 60), '10_3_20'),
            row('a.jpg', ~left_half(100, 60), '31'),
            row('b.jpg', left_half(30, 20), '23'),
        ],
        a=smooth_photo(100, 60),
        b=smooth_photo(30, 20),
    )


@pytest.mark.parametrize(
    ('size', 'new_size'),
    [
        ((3000, 2000), (1024, 683)),  # 2000 * 1024 / 3000 = 682.7
        ((6824, 10717), (652, 1024)),  # 6824 * 1024 / 10717 = 652.04
        ((2048, 3), (1024, 2)),  # 1.5, a half rounds up
        ((5000, 1), (1024, 1)),  # 0.2, but no side is lost
        ((1024, 1024), (1024, 1024)),
        ((10, 20), (10, 20)),
    ],
)
def test_the_longer_side_fits_and_nothing_is_enlarged(size, new_size):
    assert fit_size(size, 1024) == new_size


def test_masks_equal_cv2_on_the_decoded_masks_in_the_data_set(sample_root: Path, tmp_path: Path):
    """12 drawn people of 96x64 at 40 px; the oracle is pycocotools' bitmap through cv2.resize."""
    counts = run(sample_root, tmp_path / 'small')
    before, after = (
        IMaterialistDataset(data_root=str(root), ann_file='train.csv', data_prefix=dict(img_path='train'))
        for root in (sample_root, tmp_path / 'small')
    )
    assert len(after) == len(before) == 12
    assert not after.audit.counts
    objects = 0
    for old, new in zip(map(before.get_data_info, range(12)), map(after.get_data_info, range(12)), strict=True):
        assert (new['img_id'], new['height'], new['width']) == (old['img_id'], 40, 27)  # 64 * 40 / 96 = 26.7
        assert cv2.imread(new['img_path']).shape == (40, 27, 3)
        masks = [
            (one, cv2.resize(coco.decode(one['mask']), (27, 40), interpolation=cv2.INTER_NEAREST))
            for one in old['instances']
        ]
        expected = [(one['bbox_label'], one['attributes'], mask.tobytes()) for one, mask in masks if mask.any()]
        found = [
            (one['bbox_label'], one['attributes'], coco.decode(one['mask']).tobytes(order='C'))
            for one in new['instances']
        ]
        assert sorted(found) == sorted(set(expected))
        objects += len(found)
    assert objects == counts['rows_written'] > 50
    assert counts['test_photos'] == 4
    assert cv2.imread(str(next((tmp_path / 'small' / 'test').iterdir()))).shape == (40, 27, 3)
    for name in ('sample_submission.csv', 'label_descriptions.json'):
        assert (tmp_path / 'small' / name).read_bytes() == (sample_root / name).read_bytes()
    assert counts['files_left_out'] == ['test_truth.csv']


@pytest.mark.slow
def test_two_processes_write_the_same_bytes_as_one(two: Path, tmp_path: Path):
    run(two, tmp_path / 'one')
    downscale(two, tmp_path / 'pool', Options(40), workers=2)
    assert files_of(tmp_path / 'pool') == files_of(tmp_path / 'one')


def test_class_ids_stay_and_a_small_photo_is_copied_byte_for_byte(two: Path, tmp_path: Path):
    run(two, tmp_path / 'small')
    rows = read_csv(tmp_path / 'small' / 'train.csv')
    assert [(r['ImageId'], r['Height'], r['Width'], r['ClassId']) for r in rows] == [
        ('a.jpg', '40', '24', '10_3_20'),
        ('a.jpg', '40', '24', '31'),
        ('b.jpg', '30', '20', '23'),
    ]
    assert rows[0]['EncodedPixels'] == '1 480'  # the left 12 of 24 columns, 40 high
    assert (tmp_path / 'small/train/b.jpg').read_bytes() == (two / 'train/b.jpg').read_bytes()


@pytest.mark.parametrize(
    ('size', 'max_side'),
    [((800, 600), 100), ((800, 600), 399), ((800, 600), 401), ((803, 601), 101), ((803, 601), 401), ((161, 997), 125)],
)
def test_a_photo_looks_like_a_full_decode_shrunk_by_area(tmp_path: Path, size, max_side):
    """From a JPEG decoded at 1/8, 1/2, whole; on average within 1.5 grey levels, the new JPEG's loss included."""
    source = make_source(tmp_path / 'source', [row('x.jpg', left_half(*size))], x=smooth_photo(*size))
    run(source, tmp_path / 'small', max_side, quality=100)
    full = cv2.imread(str(source / 'train' / 'x.jpg'))
    expected = cv2.resize(full, fit_size(size, max_side)[::-1], interpolation=cv2.INTER_AREA)
    found = cv2.imread(str(tmp_path / 'small' / 'train' / 'x.jpg'))
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 1.5


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('max_side', [40, 200])
def test_an_exif_orientation_is_applied_and_not_carried_on(tmp_path: Path, orientation: int, max_side: int):
    """Stored 60 high and 100 wide; OpenCV shows orientations 5 to 8 as 100x60, and so does the CSV."""
    image = Image.fromarray(smooth_photo(60, 100)[..., ::-1])
    image.getexif()[0x0112] = orientation
    shown = (100, 60) if orientation >= 5 else (60, 100)
    source = make_source(tmp_path / 'source', [row('x.jpg', left_half(*shown))], x=image)
    run(source, tmp_path / 'small', max_side)
    path = tmp_path / 'small' / 'train' / 'x.jpg'
    upright = cv2.imread(str(source / 'train' / 'x.jpg'))
    new_size = fit_size(shown, max_side)
    expected = cv2.resize(upright, new_size[::-1], interpolation=cv2.INTER_AREA)
    as_stored = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert as_stored.shape[:2] == new_size
    assert np.abs(as_stored.astype(int) - expected).mean() < 3
    with Image.open(path) as copied:
        assert copied.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize('mode', ['L', 'CMYK'])
@pytest.mark.parametrize('max_side', [40, 200])
def test_greyscale_and_cmyk_photos_are_shrunk_as_opencv_shows_them(tmp_path: Path, mode: str, max_side: int):
    image = Image.fromarray(smooth_photo(100, 60)).convert(mode)
    source = make_source(tmp_path / 'source', [row('x.jpg', left_half(100, 60))], x=image)
    run(source, tmp_path / 'small', max_side)
    shown = cv2.imread(str(source / 'train' / 'x.jpg'))
    expected = cv2.resize(shown, fit_size((100, 60), max_side)[::-1], interpolation=cv2.INTER_AREA)
    found = cv2.imread(str(tmp_path / 'small' / 'train' / 'x.jpg'))
    assert np.abs(found.astype(int) - expected).mean() < 3


def test_a_png_stays_one(tmp_path: Path):
    source = make_source(tmp_path / 'source', [row('x.png', left_half(100, 60))])
    cv2.imwrite(str(source / 'train' / 'x.png'), smooth_photo(100, 60))
    run(source, tmp_path / 'small')
    with Image.open(tmp_path / 'small' / 'train' / 'x.png') as image:
        assert (image.format, image.size) == ('PNG', (24, 40))


def test_broken_rows_and_photos_are_left_out_and_every_row_is_accounted_for(tmp_path: Path):
    """Seven photos, nine rows: of unknown category, malformed, missing, cut off, another size, no image."""
    half = left_half(100, 60)
    whole = cv2.imencode('.jpg', smooth_photo(100, 60))[1].tobytes()
    source = make_source(
        tmp_path / 'source',
        [
            row('good.jpg', half, '3'),
            row('good.jpg', half, '46'),
            ('good.jpg', '1 x', 100, 60, '3'),
            row('lost.jpg', half),
            row('cut.jpg', half),
            row('cut.jpg', ~half),
            row('other.jpg', left_half(60, 100)),
            row('text.jpg', half),
            row('bad.jpg', half, '99'),
        ],
        good=whole,
        cut=whole[:-200],
        other=whole,
        text=b'no image',
        bad=whole,
        spare=whole,
    )
    counts = run(source, tmp_path / 'small')
    assert counts['audit'] == {
        'unknown_category': 2,
        'runs_malformed': 1,
        'image_without_rows': 1,
        'missing_file': 1,
        'truncated_file': 1,
        'size_mismatch': 1,
        'unreadable_file': 1,
    }
    assert (
        counts['rows'],
        counts['rows_dropped_by_audit'],
        counts['rows_of_unusable_photos'],
        counts['rows_written'],
    ) == (9, 3, 5, 1)
    assert counts['train_photos_without_rows'] == 2  # bad and spare
    assert [r['ImageId'] for r in read_csv(tmp_path / 'small' / 'train.csv')] == ['good.jpg']
    assert [path.name for path in (tmp_path / 'small' / 'train').iterdir()] == ['good.jpg']
    assert 'lost.jpg' in counts['audit_report']


def test_an_object_that_vanishes_or_becomes_anothers_equal_is_counted(tmp_path: Path):
    """100 to 10 px: row 0, 10, 20... and the same columns are sampled, so (5, 5) is not; (0, 0) and the block over
    rows and columns 0 to 4 both become the pixel (0, 0).
    """
    point, corner, block = (np.zeros((100, 100), bool) for _ in range(3))
    point[5, 5] = corner[0, 0] = True
    block[:5, :5] = True
    source = make_source(
        tmp_path / 'source',
        [row('x.jpg', point, '13'), row('x.jpg', corner, '1'), row('x.jpg', block, '1'), row('x.jpg', block, '2')],
        x=smooth_photo(100, 100),
    )
    counts = run(source, tmp_path / 'small', 10)
    assert (counts['rows'], counts['rows_vanished'], counts['rows_merged'], counts['rows_written']) == (4, 1, 1, 2)
    assert counts['vanished_by_category'] == {'13': 1}
    assert [(r['EncodedPixels'], r['ClassId']) for r in read_csv(tmp_path / 'small/train.csv')] == [
        ('1 1', '1'),
        ('1 1', '2'),
    ]


def test_a_garbled_height_costs_its_row_and_no_memory(tmp_path: Path):
    """A count for each of 999,999,999 rows would take 8 GB."""
    write_csv(tmp_path / 'train.csv', [('a.jpg', '1 2', 999999999, 4, '0'), ('b.jpg', '1 2', 5, 4, '0')])
    tracemalloc.start()
    scaled = downscale_rows(tmp_path / 'train.csv', tmp_path / 'rows.csv', 4)
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()
    assert (scaled.rows, scaled.dropped, scaled.kept, scaled.sizes) == (2, 1, 1, {'b.jpg': (5, 4)})
    assert scaled.audit.counts == {'size_too_large': 1, 'image_without_rows': 1}


def test_when_nothing_is_left_no_table_is_written(tmp_path: Path):
    point = np.zeros((100, 100), bool)
    point[5, 5] = True
    source = make_source(tmp_path / 'source', [row('x.jpg', point)], x=smooth_photo(100, 100))
    with pytest.raises(ValueError, match=r'train\.csv: no object is left of 1 at 10 px: 1 too small; none dropped'):
        run(source, tmp_path / 'small', 10)
    assert not (tmp_path / 'small' / 'train.csv').exists()


def test_a_missing_test_photo_is_reported_and_the_sample_submission_stays_whole(two: Path, tmp_path: Path):
    (two / 'test').mkdir()
    for name in ('t.jpg', 'unlisted.jpg'):
        cv2.imwrite(str(two / 'test' / name), smooth_photo(50, 90))
    write_csv(
        two / 'sample_submission.csv',
        [('t.jpg', '1 1', 0), ('lost.jpg', '1 1', 0)],
        ('ImageId', 'EncodedPixels', 'ClassId'),
    )
    counts = run(two, tmp_path / 'small')
    assert (counts['test_photos'], counts['test_photos_not_in_sample'], counts['audit']) == (1, 1, {'missing_file': 1})
    assert cv2.imread(str(tmp_path / 'small/test/t.jpg')).shape == (22, 40, 3)
    assert len(read_csv(tmp_path / 'small' / 'sample_submission.csv')) == 2


@pytest.mark.slow
def test_after_kill_9_the_same_command_goes_on_and_keeps_what_is_whole(sample_root: Path, tmp_path: Path):
    source, target = tmp_path / 'source', tmp_path / 'small'
    shutil.copytree(sample_root, source)
    lines = (source / 'train.csv').read_text().splitlines(keepends=True)
    for number in range(30):  # 360 photos more, so that the kill meets the work
        lines += [f'{number}_{line}' for line in lines[1:] if line.startswith('sample')]
        for path in sorted((source / 'train').glob('sample*')):
            shutil.copyfile(path, path.with_name(f'{number}_{path.name}'))
    (source / 'train.csv').write_text(''.join(lines))
    command = [sys.executable, 'tools/prepare_data.py', source, target, '--max-side', '40', '--workers', '2']
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: len(list((target / 'train').glob('*.jpg'))) >= 20, 'twenty photos')
    workers = children_of(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not any(map(is_running, workers)), 'the end of all workers')
    kept = {path: path.stat().st_mtime_ns for path in (target / 'train').glob('*.jpg') if path.name[0] != '.'}
    assert 20 <= len(kept) < 372
    assert not (target / 'train.csv').exists()
    (target / 'train' / '.sample_000001.jpg.abcd_123.fashion.tmp').write_bytes(b'half')
    run(source, target)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    run(source, tmp_path / 'straight')
    assert files_of(target) == files_of(tmp_path / 'straight')


def test_a_run_that_is_stopped_anywhere_goes_on_to_the_same_copy(two: Path, tmp_path: Path, monkeypatch):
    """Ctrl-C after the 1st, 2nd... step: each leaves no temporary, and no train.csv before the copy is checked."""
    run(two, tmp_path / 'straight')
    for step in ('downscale_rows', '_downscale_photos', '_copy_tables', 'select_rows', 'check_copy'):
        target = tmp_path / step

        def interrupt(*args, **options):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(copy, step, interrupt)
            with pytest.raises(KeyboardInterrupt):
                run(two, target)
        assert not (target / 'train.csv').exists()
        assert not list(target.rglob('*.tmp'))
        run(two, target)
        assert files_of(target) == files_of(tmp_path / 'straight')


def test_ctrl_c_is_one_line_that_says_how_to_go_on(two: Path, tmp_path: Path, monkeypatch, capsys):
    def interrupt(job, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(copy, 'downscale_photo', interrupt)
    assert tool.main([str(two), str(tmp_path / 'small'), '--max-side', '40', '--workers', '1']) == 130
    assert capsys.readouterr().err == 'prepare_data: interrupted; the same command goes on\n'


def test_a_full_disk_is_one_line_and_status_2(two: Path, tmp_path: Path, monkeypatch, capsys):
    def fail(path, content):
        with open(path, 'wb') as file:
            file.write(content[:10])
        raise OSError(errno.ENOSPC, 'No space left on device', str(path))

    arguments = [str(two), str(tmp_path / 'small'), '--max-side', '40', '--workers', '1']
    with monkeypatch.context() as patch:
        patch.setattr(Path, 'write_bytes', fail)
        with pytest.raises(SystemExit) as exit_:
            tool.main(arguments)
    assert exit_.value.code == 2
    assert capsys.readouterr().err.count('\n') == 1
    assert not (tmp_path / 'small' / 'train.csv').exists()
    assert not list((tmp_path / 'small').rglob('*.tmp'))
    assert tool.main(arguments) == 0
    assert 'checked, as it should be' in capsys.readouterr().out


def test_other_options_or_another_source_are_refused_in_one_line_that_says_what_to_do(two: Path, tmp_path: Path):
    target = tmp_path / 'small'
    run(two, target)
    before = files_of(target)
    with pytest.raises(ValueError, match=r'small: made with max_side 40, not 50; delete it or choose another folder'):
        run(two, target, 50)
    with pytest.raises(ValueError, match=r'made with quality 95, not 90'):
        run(two, target, quality=90)
    cv2.imwrite(str(two / 'train' / 'c.jpg'), smooth_photo(20, 20))
    with pytest.raises(ValueError, match=r'made from .*two with another train/; delete it'):
        run(two, target)
    (two / 'train' / 'c.jpg').unlink()
    write_csv(two / 'train.csv', [row('b.jpg', left_half(30, 20), '23')])
    with pytest.raises(ValueError, match=r'with another train\.csv'):
        run(two, target)
    assert files_of(target) == before


def test_a_moved_source_is_the_same_source(two: Path, tmp_path: Path):
    run(two, tmp_path / 'small')
    before = files_of(tmp_path / 'small')
    shutil.move(two, tmp_path / 'moved')
    run(tmp_path / 'moved', tmp_path / 'small')
    assert files_of(tmp_path / 'small') == before


def test_folders_that_would_lose_data_are_refused(two: Path, tmp_path: Path):
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full' / 'thesis.txt').write_text('mine')
    for target, message in (
        (tmp_path / 'full', 'not empty'),
        (two, 'lies in'),
        (two / 'train', 'lies in'),
        (tmp_path, 'or holds it'),
    ):
        with pytest.raises(ValueError, match=message):
            run(two, target)
    with pytest.raises(ValueError, match=r'no train\.csv; SRC is a folder'):
        run(tmp_path / 'full', tmp_path / 'small')


@pytest.mark.parametrize('image_id', ['../x.jpg', '/etc/x.jpg', ''])
def test_an_image_id_that_leads_out_of_the_folder_is_refused(tmp_path: Path, image_id: str):
    source = make_source(tmp_path / 'source', [row(image_id, left_half(10, 10))])
    with pytest.raises(ValueError, match=r'no object is left of 1 at .*: 0 too small; unsafe_image_id 1 \(row dropped'):
        run(source, tmp_path / 'small')


def test_a_test_image_id_that_leads_out_of_the_folder_is_refused(two: Path, tmp_path: Path):
    (two / 'test').mkdir()
    shutil.copy(two / 'train' / 'a.jpg', two / 'stolen.jpg')
    write_csv(two / 'sample_submission.csv', [('../stolen.jpg', '1 1', 0)], ('ImageId', 'EncodedPixels', 'ClassId'))
    with pytest.raises(ValueError, match=r"ImageId '\.\./stolen\.jpg' does not name a photo inside .*/test"):
        run(two, tmp_path / 'small')
    assert not (tmp_path / 'small' / 'stolen.jpg').exists()


def test_image_ids_without_a_suffix_name_jpegs(two: Path, tmp_path: Path):
    """As in 2020's layout; the copy keeps ids and file names."""
    text = (two / 'train.csv').read_text().replace('.jpg,', ',')
    (two / 'train.csv').write_text(text)
    counts = run(two, tmp_path / 'small')
    assert (counts['train_photos'], counts['train_photos_without_rows'], counts['audit']) == (2, 0, {})
    assert sorted(path.name for path in (tmp_path / 'small' / 'train').iterdir()) == ['a.jpg', 'b.jpg']
    _, *rows = (tmp_path / 'small' / 'train.csv').read_text().splitlines()
    assert {line.split(',')[0] for line in rows} == {'a', 'b'}


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (lambda root: (root / 'train/a.jpg').unlink(), 'missing_file'),
        (lambda root: (root / 'train/a.jpg').write_bytes((root / 'train/a.jpg').read_bytes()[:-9]), 'truncated_file'),
        (lambda root: (root / 'train/a.jpg').write_bytes((root / 'train/b.jpg').read_bytes()), 'size_mismatch'),
        (lambda root: write_csv(root / 'train.csv', [('a.jpg', '950 20', 40, 24, '1')]), 'runs_outside_image'),
        (lambda root: write_csv(root / 'train.csv', [('a.jpg', '1 2', 40, 24, '1')]), 'rows written 1, 3 expected'),
        (lambda root: (root / 'train.csv').unlink(), 'not complete'),
    ],
)
def test_the_check_finds_damage_and_the_same_command_mends_it(two: Path, tmp_path: Path, damage, message, capsys):
    target = tmp_path / 'small'
    run(two, target)
    before = files_of(target)
    damage(target)
    with pytest.raises(SystemExit) as exit_:
        tool.main(['--check', str(target), '--workers', '1'])
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1
    if 'delete train.csv' in error:
        (target / 'train.csv').unlink()
    run(two, target)
    assert files_of(target) == before


def test_a_photo_whose_header_alone_is_right_is_found(two: Path, tmp_path: Path):
    """Pillow reads PCX, the loader does not: in the source it is left out, even where it would be copied; in the copy
    the check finds it.
    """
    run(two, tmp_path / 'small')
    image = Image.fromarray(smooth_photo(30, 20))
    image.save(tmp_path / 'small' / 'train' / 'b.jpg', format='PCX')
    with pytest.raises(ValueError, match=r'b\.jpg: cannot be decoded: no JPEG, .*; delete the photos named'):
        check_copy(tmp_path / 'small', WorkerPool(1))
    image.save(two / 'train' / 'b.jpg', format='PCX')
    assert run(two, tmp_path / 'other')['audit'] == {'unreadable_file': 1}


def test_counts_that_do_not_add_up_are_named():
    """9 rows: 3 dropped, 1 vanished, 5 written is right; one fewer written, or one dropped unseen, is not."""
    counts = dict(
        rows=9,
        rows_dropped_by_audit=3,
        rows_vanished=1,
        rows_merged=0,
        rows_of_unusable_photos=0,
        rows_written=5,
        audit={'empty_mask': 3, 'missing_file': 2},
    )
    assert add_up(counts) == []
    assert add_up({**counts, 'rows_written': 4}) == ['4 rows left out and 4 written do not make 9']
    assert add_up({**counts, 'audit': {'empty_mask': 2}}) == ['3 rows dropped, 2 of them by the audit']


def test_damage_in_what_a_stopped_run_left_does_not_reach_the_copy(two: Path, tmp_path: Path, monkeypatch):
    """A digit of a size, where a run was stopped after scaling the rows."""
    run(two, tmp_path / 'straight')

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(copy, '_downscale_photos', interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(two, tmp_path / 'small')
    path = tmp_path / 'small' / '.prepare' / 'rows.csv'
    content = path.read_bytes()
    damaged = content.replace(b',40,24,31', b',41,24,31')
    assert damaged != content
    path.write_bytes(damaged)
    run(two, tmp_path / 'small')
    assert files_of(tmp_path / 'small') == files_of(tmp_path / 'straight')


def test_two_runs_at_once_on_one_copy_are_refused(two: Path, tmp_path: Path, monkeypatch):
    def run_again(*args):
        run(two, tmp_path / 'small')

    monkeypatch.setattr(copy, 'downscale_rows', run_again)
    with pytest.raises(ValueError, match='another run is at work on it'):
        run(two, tmp_path / 'small')


@pytest.mark.parametrize(
    'content', [['x'], {}, dict(source='x', options=5, fingerprint={}), dict(source='x', options={}, fingerprint={})]
)
def test_a_damaged_manifest_is_named(two: Path, tmp_path: Path, content: object):
    run(two, tmp_path / 'small')
    (tmp_path / 'small' / 'prepared.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r'prepared\.json: .*: damaged; delete the copy'):
        run(two, tmp_path / 'small')


@pytest.mark.parametrize(
    'arguments', [['a'], ['a', 'b'], ['--check', 'a', 'b'], ['a', 'b', '--max-side', '9', '--workers', '0']]
)
def test_a_wrong_command_line_is_status_2(arguments: list[str], capsys):
    with pytest.raises(SystemExit) as exit_:
        tool.main(arguments)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith('prepare_data: ')
    assert error.count('\n') == 1


@pytest.mark.parametrize(('values', 'message'), [((0,), 'max side 0'), ((9, 0), 'quality 0'), ((9, 101), 'quality 10')])
def test_options_out_of_range_are_refused(values: tuple, message: str):
    with pytest.raises(ValueError, match=message):
        Options(*values)
