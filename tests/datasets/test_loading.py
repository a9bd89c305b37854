"""Loading at the wanted size against mmdet's own steps, and against decoding whole and shrinking by area."""

import io
import random
from pathlib import Path

import cv2
import mmdet.datasets.transforms  # noqa: F401  registers mmdet's steps
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.registry import TRANSFORMS
from mmengine.registry import init_default_scope
from PIL import Image

from fashion_mmdet.datasets.decoding import choose_reduction, decode_area, decode_whole
from fashion_mmdet.datasets.loading import LoadScaled
from fashion_mmdet.datasets.rle_masks import RLEMasks
from tests.builders import encode_all, random_stack


def draw_photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Shading, shapes and some texture, (H, W, 3) uint8."""
    generator = np.random.default_rng(seed)
    rough = cv2.resize(generator.uniform(40, 210, (6, 5, 3)).astype(np.float32), (width, height))
    for _ in range(12):
        center = (int(generator.integers(width)), int(generator.integers(height)))
        axes = (int(generator.integers(5, 6 + width // 3)), int(generator.integers(5, 6 + height // 3)))
        colour = generator.uniform(0, 255, 3).tolist()
        cv2.ellipse(rough, center, axes, float(generator.integers(180)), 0, 360, colour, -1)
    return np.clip(rough + generator.normal(0, 4, rough.shape), 0, 255).astype(np.uint8)


def to_file(image: np.ndarray, kind: str = 'JPEG', mode: str = 'RGB', orientation: int = 0, **options) -> bytes:
    """Pillow's encoding of a BGR image."""
    file = io.BytesIO()
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    Image.fromarray(image[..., ::-1]).convert(mode).save(file, kind, exif=exif, **options)
    return file.getvalue()


def make_results(path: Path, data: bytes, size: tuple[int, int], masks: np.ndarray | None = None) -> dict:
    path.write_bytes(data)
    masks = np.zeros((0, *size), np.uint8) if masks is None else masks
    boxes = RLEMasks.from_bitmaps(masks).get_bboxes('hbox').tensor.tolist()
    instances = [
        dict(bbox=box, bbox_label=index + 3, ignore_flag=int(index == 2), mask=mask)
        for index, (box, mask) in enumerate(zip(boxes, encode_all(masks), strict=True))
    ]
    return dict(img_path=str(path), img_id=path.name, height=size[0], width=size[1], instances=instances)


def build(*steps: dict) -> Compose:
    init_default_scope('mmdet')
    return Compose([TRANSFORMS.build(step) for step in steps])


LOAD = (dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True, with_mask=True))


def assert_same_results(ours: dict, theirs: dict) -> None:
    """Every key that mmdet's steps set, of the same value."""
    np.testing.assert_array_equal(ours['img'], theirs['img'])
    for key in ('img_shape', 'ori_shape', 'scale', 'scale_factor', 'keep_ratio', 'flip', 'flip_direction'):
        assert ours.get(key) == theirs.get(key), key
    for key in ('gt_bboxes_labels', 'gt_ignore_flags', 'homography_matrix'):
        np.testing.assert_array_equal(ours[key], theirs[key])
        assert ours[key].dtype == theirs[key].dtype
    torch.testing.assert_close(ours['gt_bboxes'].tensor, theirs['gt_bboxes'].tensor, rtol=0, atol=0)
    np.testing.assert_array_equal(ours['gt_masks'].masks, theirs['gt_masks'].masks)
    assert set(ours) == set(theirs)


@pytest.mark.parametrize(
    ('scale', 'keep_ratio'),
    [((100, 60), True), ((64, 64), True), ((400, 300), True), ((50, 91), False), ((113, 150), True)],
)
@pytest.mark.parametrize('mode', ['RGB', 'L', 'CMYK'])
def test_bilinear_is_mmdets_load_and_resize_to_the_pixel(tmp_path: Path, scale: tuple, keep_ratio: bool, mode: str):
    masks = random_stack(np.random.default_rng(1), 150, 113)
    results = make_results(tmp_path / 'a.jpg', to_file(draw_photo(150, 113), mode=mode), (150, 113), masks)
    theirs = build(*LOAD, dict(type='Resize', scale=scale, keep_ratio=keep_ratio))(dict(results))
    ours = LoadScaled(scale, keep_ratio, interpolation='bilinear')(dict(results))
    assert_same_results(ours, theirs)


@pytest.mark.parametrize(
    'resize',
    [
        dict(type='RandomResize', scale=(100, 70), ratio_range=(0.5, 1.5)),
        dict(type='RandomChoiceResize', scales=[(90, 90), (60, 40), (30, 30)]),
    ],
    ids=lambda step: step['type'],
)
def test_scales_are_drawn_as_mmdet_draws_them(tmp_path: Path, resize: dict):
    """Twenty photos of one seed: the same scales, hence the same pixels."""
    results = make_results(tmp_path / 'a.jpg', to_file(draw_photo(80, 120)), (80, 120))
    theirs = build(*LOAD, dict(resize, keep_ratio=True))
    ours = LoadScaled(
        resize.get('scale') or resize['scales'], ratio_range=resize.get('ratio_range'), interpolation='bilinear'
    )
    shapes = set()
    np.random.seed(0)
    expected = [theirs(dict(results)) for _ in range(20)]
    np.random.seed(0)
    for wanted in expected:
        found = ours(dict(results))
        assert found['scale'] == wanted['scale']
        np.testing.assert_array_equal(found['img'], wanted['img'])
        shapes.add(found['img_shape'])
    assert len(shapes) >= 3


PIPELINE = (
    dict(type='Rotate', prob=0.5, max_mag=10.0),
    dict(
        type='RandomCrop',
        crop_type='relative_range',
        crop_size=(0.7, 0.7),
        recompute_bbox=True,
        allow_negative_crop=False,
    ),
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1), min_gt_mask_area=4, by_mask=True),
    dict(type='RandomFlip', prob=0.6, direction=['horizontal', 'vertical', 'diagonal']),
    dict(type='PhotoMetricDistortion'),
    dict(type='Pad', size_divisor=32),
    dict(type='PackDetInputs'),
)


def test_a_whole_training_pipeline_gives_what_it_gave_with_bitmaps(tmp_path: Path):
    """Thirty draws of every step, among them rotated and unrotated photos, some left with no object."""
    masks = np.concatenate([random_stack(np.random.default_rng(seed), 120, 90) for seed in range(3)])
    results = make_results(tmp_path / 'a.jpg', to_file(draw_photo(120, 90)), (120, 90), masks)
    scales = dict(scale=(100, 60), ratio_range=(0.8, 1.25), keep_ratio=True)
    theirs = build(*LOAD, dict(type='RandomResize', **scales), *PIPELINE)
    ours = build(dict(type='LoadScaled', interpolation='bilinear', **scales), *PIPELINE)
    kept_runs = 0
    for seed in range(30):
        np.random.seed(seed)
        expected = theirs(dict(results))
        np.random.seed(seed)
        found = ours(dict(results))
        if expected is None:
            assert found is None
            continue
        torch.testing.assert_close(found['inputs'], expected['inputs'], rtol=0, atol=0)
        for part in ('gt_instances', 'ignored_instances'):
            one, other = getattr(found['data_samples'], part), getattr(expected['data_samples'], part)
            kept_runs += isinstance(one.masks, RLEMasks)
            torch.testing.assert_close(one.bboxes.tensor, other.bboxes.tensor, rtol=0, atol=0)
            torch.testing.assert_close(one.labels, other.labels, rtol=0, atol=0)
            np.testing.assert_array_equal(one.masks.masks, other.masks.masks)
    assert 10 < kept_runs < 50


def test_mosaic_takes_runs(tmp_path: Path):
    """Mosaic moves, scales, crops and joins the masks of four photos."""
    results = make_results(tmp_path / 'a.jpg', to_file(draw_photo(60, 80)), (60, 80), np.ones((2, 60, 80), np.uint8))
    mosaic = TRANSFORMS.build(dict(type='Mosaic', img_scale=(64, 64), prob=1.0))
    stacks = []
    for load in (build(dict(type='LoadScaled', scale=(80, 60))), build(*LOAD)):
        np.random.seed(3)
        random.seed(3)
        one = load(dict(results))
        one['mix_results'] = [load(dict(results)) for _ in range(3)]
        stacks.append(mosaic(one)['gt_masks'].masks)
    np.testing.assert_array_equal(*stacks)
    assert stacks[0].any()


def test_the_reduction_is_the_largest_that_is_no_smaller_than_wanted():
    """3000 x 2000 to 512 x 341: 4 gives 750 x 500, 8 only 375 x 250. To 375 x 250: 8. To 376 x 250: 4."""
    sizes = [(512, 341), (375, 250), (376, 250), (1500, 1000), (1501, 1000), (3000, 2000), (6000, 4000), (1, 1)]
    assert [choose_reduction((3000, 2000), size) for size in sizes] == [4, 8, 4, 2, 1, 1, 1, 8]


@pytest.mark.parametrize('size', [(1200, 900), (1201, 903), (1207, 905)])
@pytest.mark.parametrize('new_side', [1100, 500, 200, 101, 40])
def test_area_is_decoding_whole_and_shrinking_by_area_within_a_grey_level_or_two(size: tuple, new_side: int):
    """On average 1.5 of 255 levels, 12 for one pixel in a hundred; also along the last row and column, where the JPEG's
    blocks reach beyond the photo."""
    data = to_file(draw_photo(*size), quality=92)
    new_size = (new_side, new_side * size[1] // size[0])
    whole = cv2.resize(decode_whole(data, 'a.jpg'), new_size[::-1], interpolation=cv2.INTER_AREA).astype(int)
    found = decode_area(data, 'a.jpg', size, new_size)
    assert found.shape == whole.shape
    assert found.flags.c_contiguous
    difference = np.abs(found - whole)
    assert difference.mean() < 1.5
    assert np.percentile(difference, 99) <= 12
    assert difference[-1].mean() < 4
    assert difference[:, -1].mean() < 4


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('new_size', [(250, 200), (91, 70)])
def test_exif_orientation_is_applied_at_every_scale(tmp_path: Path, orientation: int, new_size: tuple):
    """Bilinear leaves it to OpenCV; by area the small image is turned. An asymmetrical photo, an odd size."""
    data = to_file(draw_photo(403, 305), orientation=orientation, quality=95)
    upright = decode_whole(data, 'a.jpg')
    size = upright.shape[:2]
    assert size == ((305, 403) if orientation > 4 else (403, 305))
    new_size = new_size[::-1] if orientation > 4 else new_size
    expected = cv2.resize(upright, new_size[::-1], interpolation=cv2.INTER_AREA).astype(int)
    found = LoadScaled(new_size[::-1], keep_ratio=False)(make_results(tmp_path / 'a.jpg', data, size))['img']
    assert np.abs(found - expected).mean() < 1.5


@pytest.mark.parametrize(
    ('kind', 'mode', 'options'),
    [
        ('JPEG', 'L', {}),
        ('JPEG', 'CMYK', {}),
        ('JPEG', 'RGB', dict(progressive=True)),
        ('JPEG', 'RGB', dict(subsampling=0)),
        ('PNG', 'RGB', {}),
        ('PNG', 'RGBA', {}),
        ('PNG', 'P', {}),
        ('PNG', 'L', {}),
        ('PNG', '1', {}),
        ('PNG', 'LA', {}),
        ('PNG', 'I;16', {}),
        ('TIFF', 'RGB', {}),
        ('BMP', 'RGB', {}),
        ('WEBP', 'RGB', {}),
    ],
)
def test_any_kind_of_file_comes_as_opencv_decodes_it(tmp_path: Path, kind: str, mode: str, options: dict):
    """Reduced decoding of other formats than JPEG would skip pixels: 1 level on average would not hold for noise."""
    noise = np.random.default_rng(0).integers(0, 256, (400, 300, 3), np.uint8)
    photo = draw_photo(400, 300) if kind == 'JPEG' else noise
    if mode == 'I;16':
        file = io.BytesIO()
        Image.fromarray(photo[..., 0].astype(np.uint16) * 257).save(file, kind)
        data = file.getvalue()
    else:
        data = to_file(photo, kind, mode, **options)
    whole = decode_whole(data, 'a')
    assert whole.shape == (400, 300, 3)
    expected = cv2.resize(whole, (75, 100), interpolation=cv2.INTER_AREA).astype(int)
    found = LoadScaled((100, 100))(make_results(tmp_path / 'a', data, (400, 300)))['img']
    assert found.shape == (100, 75, 3)
    assert np.abs(found - expected).mean() < (1.5 if kind == 'JPEG' else 0.01)


@pytest.mark.parametrize('interpolation', ['area', 'bilinear'])
@pytest.mark.parametrize('scale', [(300, 300), (40, 40)])
@pytest.mark.parametrize('broken', ['cut', 'head', 'empty', 'text'])
def test_a_file_that_cannot_be_decoded_is_named(tmp_path: Path, interpolation: str, scale: tuple, broken: str):
    data = to_file(draw_photo(400, 300))
    data = dict(cut=data[: len(data) // 2], head=data[:60], empty=b'', text=b'no photo')[broken]
    results = make_results(tmp_path / 'gone.jpg', data, (400, 300))
    with pytest.raises(ValueError, match=r'gone\.jpg: cannot be decoded'):
        LoadScaled(scale, interpolation=interpolation)(results)


@pytest.mark.parametrize('interpolation', ['area', 'bilinear'])
@pytest.mark.parametrize('scale', [(300, 300), (40, 40)])
def test_a_photo_of_another_size_is_named_with_both(tmp_path: Path, interpolation: str, scale: tuple):
    """401 x 300: decoded at an eighth both 400 and 401 rows give 50 or 51, so the header decides."""
    results = make_results(tmp_path / 'a.jpg', to_file(draw_photo(401, 300)), (400, 300))
    with pytest.raises(ValueError, match=r'a\.jpg: the photo is 401x300, its annotation is for 400x300'):
        LoadScaled(scale, interpolation=interpolation)(results)


def test_a_mask_of_another_size_is_named_with_the_file(tmp_path: Path):
    results = make_results(tmp_path / 'a.jpg', to_file(draw_photo(40, 30)), (40, 30), np.ones((1, 40, 30), np.uint8))
    results['instances'][0]['mask'] = encode_all(np.ones((1, 30, 40), np.uint8))[0]
    with pytest.raises(ValueError, match=r'a\.jpg: a mask of 30x40 for a photo of 40x30'):
        LoadScaled((20, 20))(results)


def test_a_missing_photo_is_a_missing_file(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r'none\.jpg'):
        LoadScaled((20, 20))(dict(img_path=str(tmp_path / 'none.jpg'), height=4, width=4, instances=[]))


def test_what_grows_grows_bilinearly(tmp_path: Path):
    results = make_results(tmp_path / 'a.jpg', to_file(draw_photo(40, 30)), (40, 30))
    area, bilinear = (LoadScaled((80, 80), interpolation=how)(dict(results))['img'] for how in ('area', 'bilinear'))
    np.testing.assert_array_equal(area, bilinear)


def test_at_its_own_size_a_photo_is_as_decoded(tmp_path: Path):
    data = to_file(draw_photo(41, 30))
    found = LoadScaled((41, 30))(make_results(tmp_path / 'a.jpg', data, (41, 30)))['img']
    np.testing.assert_array_equal(found, decode_whole(data, 'a.jpg'))


def test_without_a_size_given_the_file_says_it(tmp_path: Path):
    results = make_results(tmp_path / 'a.jpg', to_file(draw_photo(90, 60), orientation=6), (60, 90))
    del results['height'], results['width']
    found = LoadScaled((45, 45))(results)
    assert (found['img'].shape, found['ori_shape']) == ((30, 45, 3), (60, 90))


def test_without_annotations_only_the_photo_is_loaded(tmp_path: Path):
    results = make_results(tmp_path / 'a.jpg', to_file(draw_photo(90, 60)), (90, 60), np.ones((1, 90, 60), np.uint8))
    found = LoadScaled((45, 45), with_annotations=False)(results)
    assert not [key for key in found if key.startswith('gt_')]
    assert found['img'].shape == (45, 30, 3)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(scale=(0, 3)), 'scale='),
        (dict(scale=[]), 'scale='),
        (dict(scale=[(1, 2), (3,)]), 'scale='),
        (dict(scale=(0.5, 3)), 'scale='),
        (dict(scale=(3, 3), interpolation='cubic'), "interpolation='cubic': one of area"),
        (dict(scale=(3, 3), mask_interpolation='bilinear'), "mask_interpolation='bilinear': one of nearest, area"),
        (dict(scale=(3, 3), ratio_range=(1.2, 0.8)), 'ratio_range='),
        (dict(scale=(3, 3), ratio_range=(0, 1)), 'ratio_range='),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str):
    with pytest.raises(ValueError, match=f'LoadScaled {message}'):
        LoadScaled(**options)


def test_a_scale_that_leaves_no_pixel_is_refused(tmp_path: Path):
    results = make_results(tmp_path / 'a.jpg', to_file(draw_photo(300, 17)), (300, 17))
    with pytest.raises(ValueError, match='a photo of 300x17 would have no pixel at scale'):
        LoadScaled((3, 3))(results)
