"""tools/predict.py on the tiny run: pictures, cut-outs, JSON, COCO, submission; broken photos; Ctrl-C."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from fashion_mmdet import load_model
from fashion_mmdet.evaluation.submission import find_problems, read_submission
from fashion_mmdet.inference.model import Model
from tests.builders import block
from tests.conftest import run_here
from tools import predict

LOOSE = ['--options', 'score_thr=0.02']  # a model of six iterations is sure of nothing


@pytest.fixture(scope='module')
def photos(sample_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a PNG, a JPEG of the same stem, a photo in a subfolder, one cut off and one that is a text."""
    folder = tmp_path_factory.mktemp('photos')
    sources = sorted((sample_root / 'train').glob('*.jpg'))
    Image.open(sources[0]).save(folder / 'a.png')
    for name, source in (('a.jpg', sources[1]), ('sub/b.jpg', sources[2])):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(source.read_bytes())
    (folder / 'cut.jpg').write_bytes(sources[3].read_bytes()[:-600])
    (folder / 'text.jpg').write_text('no photo')
    return folder


def test_a_folder_becomes_pictures_cutouts_and_one_json(photos: Path, tiny_run: Path, tmp_path: Path):
    done = run_here(predict.main, photos, '--model', tiny_run, '--out', tmp_path, '--cutouts', *LOOSE)
    assert done.returncode == 1
    assert [line.split(':')[0] for line in done.stdout.splitlines()] == ['a.jpg', 'a.png', 'b.jpg', 'pictures']
    refused = done.stderr.splitlines()
    assert [f'not read: {photos / name}' in line for name, line in zip(('cut.jpg', 'text.jpg'), refused, strict=True)]
    written = json.loads((tmp_path / 'predictions.json').read_text())
    assert set(written['failed']) == {str(photos / 'cut.jpg'), str(photos / 'text.jpg')}
    wanted = load_model(tiny_run, postprocess=dict(score_thr=0.02)).predict(photos / 'a.png')
    assert written['photos'][1] == dict(wanted.to_json(), image_id='a.png')
    assert {path.name for path in tmp_path.glob('*.jpg')} == {'a.jpg.jpg', 'a.png.jpg', 'b.jpg'}
    cutouts = sorted((tmp_path / 'cutouts' / 'a.png').iterdir())
    assert len(cutouts) == len(wanted.garments) > 0
    for index, path in enumerate(cutouts):
        np.testing.assert_array_equal(np.asarray(Image.open(path)), wanted.cutout(index))


def test_fewer_garments_leave_no_older_cutouts(photos: Path, tiny_run: Path, tmp_path: Path):
    for thr, count in (('0.02', 1), ('1', 0)):
        argv = [photos / 'a.png', '--model', tiny_run, '--out', tmp_path, '--cutouts', '--options', f'score_thr={thr}']
        done = run_here(predict.main, *argv)
        assert done.returncode == 0
        assert min(len(list((tmp_path / 'cutouts/a').glob('*'))), 1) == count
    assert done.stdout.startswith('a.png: nothing found\n')


def test_a_tuned_postprocessing_replaces_the_model_s_and_options_go_over_it(
    photos: Path, tiny_run: Path, tmp_path: Path
):
    (tmp_path / 'tuned.py').write_text('postprocess = dict(score_thr=1.0)\n')
    argv = [photos / 'a.png', '--model', tiny_run, '--out', tmp_path, '--postprocess', tmp_path / 'tuned.py']
    assert run_here(predict.main, *argv).stdout.startswith('a.png: nothing found\n')
    assert re.match(r'a\.png: \d+ \w', run_here(predict.main, *argv, *LOOSE).stdout)


def test_coco_json_loads_and_its_masks_are_the_boxes_and_areas(photos: Path, tiny_run: Path, tmp_path: Path):
    argv = [photos / 'a.png', photos / 'sub', '--model', tiny_run, '--out', tmp_path, '--format', 'coco', *LOOSE]
    assert run_here(predict.main, *argv).returncode == 0
    coco = COCO(tmp_path / 'predictions.coco.json')
    assert [image['file_name'] for image in coco.dataset['images']] == ['a.png', 'b.jpg']
    assert {one['name'] for one in coco.dataset['categories']} >= {'skirt', 'shoe'}
    annotations = coco.dataset['annotations']
    assert [one['id'] for one in annotations] == list(range(1, len(annotations) + 1))
    assert {one['image_id'] for one in annotations} == {1, 2}
    for one in annotations:
        mask = coco.annToMask(one).astype(bool)
        x, y, width, height = one['bbox']
        assert mask.sum() == one['area']
        np.testing.assert_array_equal(mask, mask & block(x, y, x + width, y + height, mask.shape))


def test_the_submission_follows_the_competition_s_rules(photos: Path, tiny_run: Path, tmp_path: Path):
    argv = [photos, '--model', tiny_run, '--out', tmp_path, '--format', 'csv', *LOOSE]
    assert run_here(predict.main, *argv).returncode == 1
    assert list(find_problems(tmp_path / 'submission.csv')) == []
    rows = list(read_submission(tmp_path / 'submission.csv'))
    assert {row.image_id for row in rows} == {'a.jpg', 'a.png', 'b.jpg', 'cut.jpg', 'text.jpg'}
    assert [row.pixels for row in rows if row.image_id == 'cut.jpg'] == ['']


def test_ctrl_c_keeps_what_was_done(photos: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The second batch of two photos is interrupted."""
    raw, calls = Model.raw, []

    def interrupt(self: Model, *args, **kwargs) -> list:
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return raw(self, *args, **kwargs)

    monkeypatch.setattr(Model, 'raw', interrupt)
    monkeypatch.setattr('fashion_mmdet.inference.folder.AT_ONCE', 2)
    argv = [photos / 'a.jpg', photos / 'a.png', photos / 'sub', '--model', tiny_run, '--out', tmp_path]
    assert run_here(predict.main, *argv).returncode == 130
    written = json.loads((tmp_path / 'predictions.json').read_text())
    assert [one['image_id'] for one in written['photos']] == ['a.jpg', 'a.png']


def test_a_full_disk_is_no_unreadable_photo(photos: Path, tiny_run: Path, tmp_path: Path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(28, 'No space left on device', 'a.jpg')

    monkeypatch.setattr('fashion_mmdet.inference.folder.save_picture', refuse)
    done = run_here(predict.main, photos / 'a.png', '--model', tiny_run, '--out', tmp_path)
    assert (done.returncode, done.stderr) == (2, 'predict: a.jpg: No space left on device\n')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('argv', 'said'),
    [
        (['nowhere.jpg'], 'nowhere.jpg: No such file or directory'),
        (['a.jpg', '--out', '.'], 'a.jpg: is one of the files to read'),
        (['a.jpg', '--options', 'score=1'], 'postprocess.score: no such option'),
        (['a.jpg', '--model', 'nowhere'], 'nowhere: no such checkpoint'),
    ],
)
def test_errors_are_one_line(photos: Path, tiny_run: Path, monkeypatch, argv: list[str], said: str):
    monkeypatch.chdir(photos)
    done = run_here(predict.main, *argv, *([] if '--model' in argv else ['--model', tiny_run]))
    assert done.returncode == 2
    assert done.stderr.startswith(f'predict: {said}')
    assert done.stderr.count('\n') == 1
