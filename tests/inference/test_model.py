"""load_model and predict: what tools/test.py predicts, from every kind of photo, alone, in lists and in threads."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from matplotlib.cbook import get_sample_data
from PIL import Image

from fashion_mmdet import load_model
from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.evaluation.dump import read_dump
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.experiments.checkpoints import load_file
from fashion_mmdet.experiments.export import export_weights
from fashion_mmdet.inference.model import Model
from fashion_mmdet.inference.photos import read_photo
from fashion_mmdet.inference.result import make_result
from fashion_mmdet.inference.sources import SHIPPED
from tests.builders import assert_same_raw
from tools import test as test_tool

LOOSE = dict(score_thr=0.02)  # a model of six iterations is sure of nothing


@pytest.fixture(scope='module')
def model(tiny_run: Path) -> Model:
    return load_model(tiny_run, postprocess=LOOSE)


@pytest.fixture(scope='module')
def photos(sample_root: Path) -> list[Path]:
    return sorted((sample_root / 'train').glob('*.jpg'))


@pytest.fixture(scope='module')
def sizes() -> list[np.ndarray]:
    """Noise in sizes that are padded alike (96x64 and 94x63 at the model's scale, say), and otherwise."""
    rng = np.random.default_rng(0)
    shapes = [(96, 64), (64, 96), (94, 63), (96, 64), (200, 31), (96, 64), (300, 200), (64, 64), (96, 64), (7, 5)]
    return [cv2.resize(rng.integers(0, 256, (9, 6, 3), np.uint8), shape[::-1]) for shape in shapes]


def assert_same_garments(got, wanted):
    assert [(one.category_id, one.mask) for one in got.garments] == [
        (one.category_id, one.mask) for one in wanted.garments
    ]


@pytest.mark.parametrize('tta', [False, True])
def test_predict_equals_what_tools_test_dumps_to_the_last_mask(
    tta: bool, tiny_config: Path, tiny_run: Path, sample_root: Path, model: Model, tmp_path: Path
):
    dump = tmp_path / 'val.parquet'
    argv = [str(tiny_config), str(tiny_run / 'epoch_2.pth'), '--work-dir', str(tmp_path), '--dump', str(dump)]
    assert test_tool.main(argv + ['--tta'] * tta) == 0
    raws = list(read_dump(dump))
    assert len(raws) > 1
    for raw in raws:
        assert_same_raw(model.raw([sample_root / 'train' / raw.image_id], tta=tta)[0], raw)
    found = model.predict(sample_root / 'train' / raw.image_id, tta=tta)
    wanted = postprocess(raw, Postprocess(**LOOSE, nms_iou=0.3))
    assert len(wanted.masks) > 0
    assert_same_garments(found, make_result(wanted))


def test_the_bytes_of_a_file_are_the_file(model: Model, photos: list[Path]):
    for one, other in zip(model.raw(photos[:2]), model.raw([path.read_bytes() for path in photos[:2]]), strict=True):
        other.image_id = one.image_id
        assert_same_raw(other, one)


def test_an_array_and_a_pil_image_are_the_same_photo_as_their_png(model: Model, photos: list[Path], tmp_path: Path):
    """A PNG is not read at a DCT scale: its pixels are resized from full size too. PIL's one is turned by EXIF."""
    rgb = cv2.imread(str(photos[0]))[..., ::-1]
    Image.fromarray(rgb).save(tmp_path / 'a.png')
    sideways = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to show
    Image.fromarray(np.rot90(rgb)).save(sideways, 'PNG', exif=exif)
    wanted, *others = model.raw([tmp_path / 'a.png', rgb, Image.open(tmp_path / 'a.png'), Image.open(sideways)])
    for other in others:
        assert (other.height, other.width) == rgb.shape[:2]
        other.image_id = wanted.image_id
        np.testing.assert_allclose(other.scores, wanted.scores, atol=1e-5)
        np.testing.assert_allclose(other.boxes, wanted.boxes, atol=0.01)


def test_a_list_equals_photo_after_photo_whatever_their_sizes(model: Model, sizes: list[np.ndarray]):
    """More than a batch, in sizes that must not be padded by each other; sums over a batch may round otherwise."""
    assert len({model._padded_sizes(model._pipeline(read_photo(one))['inputs']) for one in sizes}) > 2
    for photo, raw in zip(sizes, model.raw(sizes), strict=True):
        alone = model.raw([photo])[0]
        assert (raw.height, raw.width) == (alone.height, alone.width) == photo.shape[:2]
        np.testing.assert_allclose(np.sort(raw.scores), np.sort(alone.scores), atol=1e-5)
        got, wanted = (make_result(postprocess(one, model.postprocess)) for one in (raw, alone))
        assert_same_garments(got, wanted)


def test_threads_share_a_model(model: Model, sizes: list[np.ndarray]):
    wanted = [model.predict(photo) for photo in sizes[:5]]
    with ThreadPoolExecutor(4) as pool:
        for got, expected in zip(pool.map(model.predict, sizes[:5] * 2), wanted * 2, strict=True):
            assert_same_garments(got, expected)


def test_no_photos_no_results(model: Model):
    assert model.predict([]) == []


@pytest.mark.parametrize(
    ('photo', 'error', 'said'),
    [
        ('nowhere.jpg', FileNotFoundError, 'nowhere.jpg'),
        (b'no photo', ValueError, 'no JPEG, PNG, WebP, BMP or TIFF'),
        (np.zeros((4, 4), np.uint8), ValueError, r'\(H, W, 3\) uint8, RGB'),
        (np.zeros((4, 4, 3)), ValueError, r'float64 and shape \(4, 4, 3\)'),
        (np.zeros((0, 4, 3), np.uint8), ValueError, 'a photo of 0x4'),
        (Image.new('I', (4, 4)), ValueError, 'mode I: convert it to 8 bits'),
        (7, TypeError, 'type int: give a path'),
    ],
)
def test_what_is_no_photo_is_refused_in_one_line(model: Model, photo, error: type, said: str):
    with pytest.raises(error, match=said):
        model.predict(photo)


def test_options_go_over_the_config_s_own_for_the_model_or_one_call(tiny_run: Path, model: Model, photos: list[Path]):
    """The tiny config's own are score_thr 0.5 and nms_iou 0.3."""
    assert (load_model(tiny_run).postprocess.score_thr, model.postprocess.score_thr) == (0.5, 0.02)
    assert model.postprocess.nms_iou == 0.3
    assert model.predict(photos[0]).garments
    assert model.predict(photos[0], postprocess=dict(score_thr=1)).garments == []
    assert model.predict(photos[0], postprocess=Postprocess(score_thr=1)).garments == []
    with pytest.raises(ValueError, match=r'postprocess\.score: no such option'):
        model.predict(photos[0], postprocess=dict(score=1))


def test_a_model_tells_what_it_is(model: Model, tiny_run: Path, tiny_config: Path):
    assert model.name == tiny_run.name
    assert model.categories == dict(enumerate(CATEGORIES))
    assert model.attributes == ()
    other = load_model(tiny_config, tiny_run / 'epoch_1.pth')
    assert load_model(tiny_run, tiny_run / 'epoch_2.pth').fingerprint == model.fingerprint != other.fingerprint


def test_a_file_of_weights_is_all_that_is_needed_and_halving_only_rounds(
    tiny_run: Path, model: Model, photos: list[Path], tmp_path: Path
):
    """Whole weights give the same to the bit. Halved ones give what the same weights rounded to float16 give.

    Rounding is by 2 ** -12 of a weight at most, at random; after some 50 layers features are off by about
    sqrt(50) * 2 ** -12 = 0.2 %, and certainly below 1 %.
    """
    source = tiny_run / 'epoch_2.pth'
    for half in (False, True):
        export_weights(source, tmp_path / f'{half}.safetensors', half, dict(score_thr=0.07), {'fashion/score': 0.25})
    whole, halved = (load_model(tmp_path / f'{half}.safetensors') for half in (False, True))
    assert (whole.name, whole.scores, whole.postprocess.score_thr) == ('False', {'fashion/score': 0.25}, 0.07)
    wanted = model.raw(photos[:2])
    for one, other in zip(whole.raw(photos[:2]), wanted, strict=True):
        assert_same_raw(one, other)
    pixels = torch.rand(1, 3, 96, 64)
    with torch.inference_mode():
        for one, other in zip(halved._network.extract_feat(pixels), model._network.extract_feat(pixels), strict=True):
            assert 0 < (one - other).norm() / other.norm() < 0.01
    content = load_file(source)
    content['state_dict'] = {
        name: tensor.half().float() if tensor.is_floating_point() else tensor
        for name, tensor in content['state_dict'].items()
    }
    torch.save(content, tmp_path / 'rounded.pth')
    for one, other in zip(halved.raw(photos[:2]), load_model(tmp_path / 'rounded.pth').raw(photos[:2]), strict=True):
        assert_same_raw(one, other)


def test_exported_weights_name_no_folder_of_the_machine(tiny_run: Path, sample_root: Path, tmp_path: Path):
    config = export_weights(tiny_run / 'epoch_2.pth', tmp_path / 'w.safetensors')['config']
    assert str(tiny_run) not in config
    assert str(sample_root) not in config
    assert "data_root='data/imaterialist'" in config


@pytest.mark.skipif(not SHIPPED.is_file(), reason='the weights are not in this checkout')
def test_the_shipped_weights_are_small_say_what_they_are_and_find_something():
    assert SHIPPED.stat().st_size <= 20_000_000
    model = load_model()
    assert (model.name, len(model.categories)) == (SHIPPED.stem, 46)
    assert 0 < model.scores['fashion/score'] < 1
    with get_sample_data('grace_hopper.jpg') as file:
        result = model.predict(file.read(), postprocess=dict(score_thr=0.1))
    assert (result.height, result.width) == (600, 512)
    assert result.garments
