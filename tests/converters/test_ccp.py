"""CCP label maps become the competition's rows."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage
from scipy.io import savemat

from fashion_mmdet.classes import NUM_ATTRIBUTES, NUM_CATEGORIES
from fashion_mmdet.converters import ccp
from fashion_mmdet.masks.rle import kaggle_to_runs, runs_to_mask
from tests.conftest import ROOT, find_ccp, run_here
from tools import convert_ccp as tool

TOOL = ROOT / 'tools' / 'convert_ccp.py'
REAL = find_ccp()
needs_ccp = pytest.mark.skipif(not REAL.is_dir(), reason=f'no CCP folder at {REAL} (FASHION_CCP)')

NAMES = ['null', 'shoes', 'boots', 't-shirt', 'skin', 'glasses']
SHOES, BOOTS, T_SHIRT, SKIN, GLASSES = range(1, 6)


def run_tool(*arguments) -> subprocess.CompletedProcess:
    return run_here(tool.main, *arguments)


def write_labels(folder: Path, stem: str, labels: np.ndarray) -> None:
    savemat(folder / 'annotations' / 'pixel-level' / f'{stem}.mat', {'groundtruth': labels}, do_compression=True)


def columns_text(columns: range, first_row: int, length: int) -> str:
    """Kaggle runs of a block of whole columns in an image 30 high: 30 * column + row, 1-based."""
    return ' '.join(f'{30 * column + first_row + 1} {length}' for column in columns)


@pytest.fixture
def folder(tmp_path):
    """Three photos of 30 x 40 (H x W): dressed, nothing to find, unlabelled."""
    source = tmp_path / 'ccp'
    (source / 'annotations' / 'pixel-level').mkdir(parents=True)
    (source / 'photos').mkdir()
    generator = np.random.default_rng(0)
    for stem in ('0001', '0002', '0003'):
        photo = generator.integers(0, 256, (30, 40, 3), np.uint8)
        Image.fromarray(photo).save(source / 'photos' / f'{stem}.jpg')
    savemat(source / 'label_list.mat', {'label_list': np.array(NAMES, dtype=object)[None]})

    dressed = np.zeros((30, 40), np.uint8)
    dressed[0:10, 0:10] = T_SHIRT  # 100 px
    dressed[0:10, 20:25] = T_SHIRT  # 50 px: a second piece
    dressed[0, 15:18] = T_SHIRT  # 3 px: a speck
    dressed[20:25, 2:7] = SHOES  # 25 px, touches the boot at one corner: (24, 6) and (25, 7)
    dressed[25:30, 7:12] = BOOTS  # 25 px
    dressed[20:27, 20:27] = SHOES  # 49 px: too small
    dressed[20:25, 30:40] = SHOES  # 50 px: just large enough
    write_labels(source, '0001', dressed)

    undressed = np.full((30, 40), SKIN, np.uint8)
    undressed[2:9, 2:9] = GLASSES  # 49 px: too small
    write_labels(source, '0002', undressed)
    return source


def test_the_tool_writes_the_hand_derived_rows(folder, tmp_path):
    """One t-shirt of two pieces without its speck; shoe and boot make one instance across a corner, and of the other
    two shoes the one of 50 px stays. 0002 has nothing to find, so no row.
    """
    target = tmp_path / 'out'
    done = run_tool(folder, target)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(target / 'train.csv', dtype=str)
    assert list(table.columns) == ['ImageId', 'EncodedPixels', 'Height', 'Width', 'ClassId']
    shirt = f'{columns_text(range(10), 0, 10)} {columns_text(range(20, 25), 0, 10)}'
    shoe_and_boot = f'{columns_text(range(2, 7), 20, 5)} {columns_text(range(7, 12), 25, 5)}'
    assert table.values.tolist() == [
        ['0001.jpg', shirt, '30', '40', '1'],
        ['0001.jpg', shoe_and_boot, '30', '40', '23'],
        ['0001.jpg', columns_text(range(30, 40), 20, 5), '30', '40', '23'],
    ]
    assert '2 photos with 3 instances, 1 test photos' in done.stdout


def test_photos_and_the_other_files_have_the_kaggle_layout(folder, tmp_path):
    target = tmp_path / 'out'
    assert run_tool(folder, target).returncode == 0
    names = sorted(str(path.relative_to(target)) for path in target.rglob('*') if path.is_file())
    assert names == [
        'label_descriptions.json',
        'sample_submission.csv',
        'test/0003.jpg',
        'train.csv',
        'train/0001.jpg',
        'train/0002.jpg',
    ]
    assert (target / 'train' / '0001.jpg').read_bytes() == (folder / 'photos' / '0001.jpg').read_bytes()
    assert (target / 'train' / '0001.jpg').stat().st_nlink == 1
    assert (target / 'sample_submission.csv').read_text() == 'ImageId,EncodedPixels,ClassId\n0003.jpg,1 1,0\n'
    descriptions = json.loads((target / 'label_descriptions.json').read_text())
    assert [entry['id'] for entry in descriptions['categories']] == list(range(NUM_CATEGORIES))
    assert descriptions['categories'][23] == {'id': 23, 'name': 'shoe'}
    assert len(descriptions['attributes']) == NUM_ATTRIBUTES


def test_components_are_ordered_by_their_first_column():
    """The lower left one starts in column 0, before the upper right one."""
    mask = np.zeros((20, 30), bool)
    mask[0:5, 15:25] = True
    mask[10:15, 0:10] = True
    first, second = ccp.split_instances(mask, multi=True)
    assert first[10:15, 0:10].all()
    assert second[0:5, 15:25].all()
    assert first.sum() == second.sum() == 50


def test_an_empty_mask_has_no_instance():
    assert ccp.split_instances(np.zeros((5, 7), bool), multi=True) == []
    assert ccp.split_instances(np.zeros((5, 7), bool), multi=False) == []


def test_a_full_mask_is_one_instance():
    (mask,) = ccp.split_instances(np.ones((10, 7), bool), multi=True)
    assert mask.all()


def _wrong_shape(folder: Path) -> str:
    write_labels(folder, '0001', np.zeros((40, 30), np.uint8))
    return '0001.mat: label map of 40 x 30 (H x W), but 0001.jpg is 30 x 40'


def _wrong_type(folder: Path) -> str:
    write_labels(folder, '0001', np.zeros((30, 40)))
    return '0001.mat: groundtruth is float64'


def _missing_photo(folder: Path) -> str:
    (folder / 'photos' / '0002.jpg').unlink()
    return '0002.jpg: annotated photo is missing'


def _damaged_photo(folder: Path) -> str:
    (folder / 'photos' / '0002.jpg').write_bytes(b'no picture')
    return '0002.jpg: unreadable'


def _damaged_mat(folder: Path) -> str:
    path = folder / 'annotations' / 'pixel-level' / '0002.mat'
    path.write_bytes(path.read_bytes()[:-20])
    return '0002.mat: unreadable'


def _empty_mat(folder: Path) -> str:
    (folder / 'annotations' / 'pixel-level' / '0002.mat').write_bytes(b'')
    return '0002.mat: unreadable'


def _other_key(folder: Path) -> str:
    savemat(folder / 'annotations' / 'pixel-level' / '0001.mat', {'labels': np.zeros((30, 40), np.uint8)})
    return "0001.mat: holds no 'groundtruth'"


def _unlisted_label(folder: Path) -> str:
    write_labels(folder, '0001', np.full((30, 40), 6, np.uint8))
    return '0001.mat: label 6 is not in label_list.mat'


def _unknown_name(folder: Path) -> str:
    savemat(folder / 'label_list.mat', {'label_list': np.array([*NAMES, 'toga'], dtype=object)[None]})
    return 'label_list.mat: labels without a category mapping: toga'


def _no_list(folder: Path) -> str:
    (folder / 'label_list.mat').unlink()
    return 'label_list.mat: no such file'


def all_rows(folder: Path) -> list[ccp.TrainRow]:
    stems, _ = ccp.list_photos(folder)
    table = ccp.category_lookup(ccp.read_label_names(folder), str(folder / 'label_list.mat'))
    return [row for stem in stems for row in ccp.photo_rows(folder, stem, table)]


@pytest.mark.parametrize(
    'damage',
    [
        _wrong_shape,
        _wrong_type,
        _missing_photo,
        _damaged_photo,
        _damaged_mat,
        _empty_mat,
        _other_key,
        _unlisted_label,
        _unknown_name,
        _no_list,
    ],
)
def test_damage_is_a_one_line_error_that_names_the_file(folder, damage):
    expected = damage(folder)
    with pytest.raises(ValueError, match=re.escape(expected)) as caught:
        all_rows(folder)
    assert str(folder) in str(caught.value)
    assert '\n' not in str(caught.value)


def test_the_tool_reports_damage_on_stderr_and_leaves_no_tables(folder, tmp_path):
    """In a process of its own, as a shell sees it."""
    expected = _wrong_shape(folder)
    command = [sys.executable, str(TOOL), str(folder), str(tmp_path / 'out')]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert expected in done.stderr
    assert done.stderr.count('\n') == 1
    assert not list((tmp_path / 'out').glob('*.csv'))


def test_an_older_table_does_not_outlive_a_failed_conversion(folder, tmp_path):
    """train.csv of one run beside photos of another would be a mixture that nothing shows."""
    target = tmp_path / 'out'
    assert run_tool(folder, target).returncode == 0
    _wrong_shape(folder)
    assert run_tool(folder, target).returncode == 2
    assert not (target / 'train.csv').exists()


def test_a_folder_without_annotations_is_named(tmp_path):
    done = run_tool(tmp_path, tmp_path / 'out')
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr


def test_the_list_names_every_label_with_its_category_or_the_reason():
    done = run_tool('--list')
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in ccp.LABELS)
    left_out = [name for name, (category, _) in ccp.LABELS.items() if category is None]
    assert all(ccp.LABELS[name][1] for name in left_out)
    assert done.stdout.count('left out') == len(left_out)


def test_source_and_target_are_asked_for():
    done = run_tool()
    assert done.returncode == 2
    assert 'SRC and DST' in done.stderr


def test_help_imports_nothing_heavy():
    code = f"""if True:
        import runpy, sys
        sys.argv = [{str(TOOL)!r}, '--help']
        try:
            runpy.run_path(sys.argv[0], run_name='__main__')
        except SystemExit:
            pass
        assert not {{'torch', 'cv2', 'scipy', 'numpy'}} & set(sys.modules)"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 'DST' in done.stdout


@needs_ccp
def test_the_mapping_names_exactly_the_real_labels():
    names = ccp.read_label_names(REAL)
    assert len(names) == 59
    assert sorted(names) == sorted(ccp.LABELS)


@needs_ccp
@pytest.mark.parametrize('stem', ['0001', '0142'])
def test_the_rows_of_a_real_photo_give_back_its_label_map(stem):
    """A category's rows together are its mask, but for components under 50 px; scipy finds those, not OpenCV."""
    names, labels = ccp.read_label_names(REAL), ccp.read_label_map(REAL, stem)
    categories = ccp.category_lookup(names)[labels]
    drawn = np.full(labels.shape, -1, np.int16)
    for row in ccp.photo_rows(REAL, stem, ccp.category_lookup(names)):
        mask = runs_to_mask(kaggle_to_runs(row.encoded_pixels), row.height, row.width)
        assert (drawn[mask] == -1).all()
        drawn[mask] = int(row.class_id)
    expected = np.full(labels.shape, -1, np.int16)
    for category in np.unique(categories[categories >= 0]):
        components, _ = ndimage.label(categories == category, structure=np.ones((3, 3)))
        large = np.bincount(components.ravel()) >= ccp.MIN_AREA_PX
        large[0] = False
        expected[large[components]] = category
    np.testing.assert_array_equal(drawn, expected)
    assert (drawn >= 0).any()
