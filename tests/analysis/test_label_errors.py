"""Label errors: labels made wrong, found again, and the files for correcting them. Masks are boxes in 40x60 frames."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fashion_mmdet.analysis.label_errors.corrupt import (
    CORRUPTIONS,
    MISSING_OBJECT,
    SHIFTED_MASK,
    WRONG_CLASS,
    Corruption,
    corrupt,
    shift_mask,
)
from fashion_mmdet.analysis.label_errors.pairs import pair_up
from fashion_mmdet.analysis.label_errors.ranking import Finding, doubt, rank
from fashion_mmdet.analysis.label_errors.recovery import format_recovery, recover
from fashion_mmdet.analysis.label_errors.report import by_photo, caption, describe, format_csv
from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.evaluation.matching import mask_ious
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from tests.builders import block, encode, make_prediction, make_truth, write_shirt_dump, write_shirts
from tests.conftest import run_here
from tools import find_label_errors as tool

SIZE = (40, 60)
SHIRT, SKIRT, COAT, BELT = 0, 8, 9, CATEGORIES.index('belt')
UPPER, LOWER = (10, 0, 30, 15), (10, 20, 30, 40)


def people(count: int) -> list[Truth]:
    """Label a shirt and a skirt in each of some images."""
    return [make_truth(f'{number}.jpg', (SHIRT, UPPER), (SKIRT, LOWER), size=SIZE) for number in range(count)]


def predict(truth: Truth) -> Prediction:
    """Predict the labels as they are, with scores of 0.9 and 0.5."""
    return make_prediction(truth.image_id, *zip(truth.categories, truth.masks, strict=True), size=SIZE)


# Labels made wrong


def test_a_third_of_the_corruptions_is_of_each_kind_and_all_others_stay():
    truths = people(60)
    changed, done = corrupt(truths, 0.25, seed=3)
    assert len(done) == 30
    assert [sum(one.kind == kind for one in done) for kind in CORRUPTIONS] == [10, 10, 10]
    assert sum(len(truth.masks) for truth in changed) == 120 - 10
    assert [len(truth.masks) for truth in truths] == [2] * 60, 'the labels given are not changed'
    assert all(set(truth.categories.tolist()) <= {SHIRT, SKIRT} for truth in truths + changed)
    before, after = ({truth.image_id: truth for truth in one} for one in (truths, changed))
    touched = {one.image_id for one in done}
    assert all(before[image] is after[image] for image in before.keys() - touched)
    for one in done:
        if one.index is None:
            assert len(after[one.image_id].masks) < 2
            continue
        label = (int(after[one.image_id].categories[one.index]), after[one.image_id].masks[one.index])
        was = SHIRT if one.mask == before[one.image_id].masks[0] else SKIRT
        assert (label[0] != was) == (one.kind == WRONG_CLASS)
        assert (label[1] != one.mask) == (one.kind == SHIFTED_MASK)
    assert corrupt(truths, 0.25, seed=3)[1] == done
    assert corrupt(truths, 0.25, seed=4)[1] != done


@pytest.mark.parametrize('box', [UPPER, LOWER, (0, 0, 60, 40), (59, 39, 60, 40), (0, 10, 2, 11)])
def test_a_shifted_mask_overlaps_little_and_stays_in_the_frame(box: tuple[int, int, int, int]):
    """0.2 of both sides leave 0.8 * 0.8 = 0.64 of 2 - 0.64, an IoU of 0.47; 0.4 leave 0.22; a side of 1 moves by 1."""
    mask, generator = encode(block(*box, SIZE)), np.random.default_rng(0)
    for _ in range(20):
        shifted = shift_mask(mask, generator)
        overlap = mask_ious([shifted], [mask])[0, 0]
        whole = box == (0, 0, 60, 40)  # what is driven out of the frame is cut off: 0.64 or 0.36 of all
        assert (0.35 if whole else 0.0) <= overlap <= (0.66 if whole else 0.5)


def test_what_a_shift_would_drive_out_of_the_frame_is_deleted():
    """The only pixel of a 1x1 frame: of three such labels one gets another class, two go."""
    truths = [Truth(f'{n}.jpg', (1, 1), np.array([n]), [encode(np.ones((1, 1), bool))], [()]) for n in range(3)]
    changed, done = corrupt(truths, 0.99, seed=0)
    assert sorted(one.kind for one in done) == [MISSING_OBJECT, MISSING_OBJECT, WRONG_CLASS]
    assert sum(len(truth.masks) for truth in changed) == 1


@pytest.mark.parametrize(('share', 'count'), [(0.0, 1), (1.0, 1), (0.5, 0)])
def test_a_share_out_of_range_and_no_labels_are_refused(share: float, count: int):
    with pytest.raises(ValueError, match=r'share|no labels'):
        corrupt(people(count), share, seed=0)


# Ranking


def test_doubt_is_bayes_rule():
    """5 of 100 labels are wrong. If a tenth of the 95 right ones looks so too, 5 of 14.5 such labels are wrong."""
    assert doubt(0.1) == pytest.approx(5 / 14.5)
    assert doubt(0.0) == 1
    assert doubt(1.0) == pytest.approx(0.05)


def test_each_kind_of_error_is_found_and_named_and_right_labels_come_last():
    """Of 40 images four have one error each; all predictions are as sure as always.

    The skirt's label is moved by 6 to the right and down and cut off by the frame: 14 * 14 of 20 * 20 + 20 * 14 - 196.
    """
    truths = people(40)
    predictions = [predict(truth) for truth in truths]
    truths[7].categories[0] = COAT
    truths[11].masks[1] = encode(block(16, 26, 36, 40, SIZE))
    truths[23] = make_truth('23.jpg', (SKIRT, LOWER), size=SIZE)
    truths[31] = make_truth('31.jpg', (SHIRT, UPPER), (SKIRT, LOWER), (BELT, (40, 16, 50, 18)), size=SIZE)
    findings = rank([pair_up(*pair) for pair in zip(truths, predictions, strict=True)])
    assert {(one.image_id, one.kind, one.index) for one in findings[:4]} == {
        ('7.jpg', 'wrong class', 0),
        ('11.jpg', 'wrong mask', 1),
        ('23.jpg', 'missing', None),
        ('31.jpg', 'not found', 2),
    }
    assert findings[3].suspicion > 2 * findings[4].suspicion
    assert list(by_photo(findings))[:4] == [one.image_id for one in findings[:4]]
    assert {describe(one) for one in findings[:4]} == {
        'coat: shirt 0.90 in its place',
        'skirt: skirt 0.50 with another outline, IoU 0.40',
        'no label: shirt 0.90',
        'belt: not found',
    }
    assert len(findings) == sum(len(truth.masks) for truth in truths) + 1


def test_a_class_that_is_hardly_ever_found_is_no_surprise():
    """Neither belt nor the skirt of image 0 is found; all other skirts are, no belt is."""
    truths = [make_truth(f'{n}.jpg', (SKIRT, LOWER), (BELT, (40, 16, 50, 18)), size=SIZE) for n in range(30)]
    predictions = [make_prediction(f'{n}.jpg', *[(SKIRT, LOWER)] * (n > 0), size=SIZE) for n in range(30)]
    findings = rank([pair_up(*pair) for pair in zip(truths, predictions, strict=True)])
    assert (findings[0].image_id, findings[0].category) == ('0.jpg', SKIRT)
    assert findings[0].suspicion > 2 * max(one.suspicion for one in findings if one.category == BELT)


def test_an_unsure_prediction_without_a_label_is_no_surprise():
    """Shirts predicted with 0.9 are right 20 times of 21; with 0.5 never of 20, skirts with 0.5 always.

    Of all classes together 20 of 40 with 0.5 are right; this counts like 10 of the 41 shirts: 20 * 10 / 41 * 0.5 of
    20 + 20 * 10 / 41, 5 of 51. With 0.9 the other classes change nothing.
    """
    truths, predictions = people(20), [predict(truth) for truth in people(20)]
    low, high = make_truth('low.jpg', size=SIZE), make_truth('high.jpg', size=SIZE)
    truths += [low, high] + [make_truth(f'x{n}.jpg', size=SIZE) for n in range(19)]
    alone = make_prediction('high.jpg', (SHIRT, UPPER), size=SIZE)
    unsure = replace(alone, scores=np.array([0.5], np.float32))
    predictions += [replace(unsure, image_id='low.jpg'), alone]
    predictions += [replace(unsure, image_id=f'x{n}.jpg') for n in range(19)]
    by_image = {one.image_id: one for one in rank([pair_up(*pair) for pair in zip(truths, predictions, strict=True)])}
    assert by_image['high.jpg'].suspicion == pytest.approx(doubt(1 / 21))
    assert by_image['low.jpg'].suspicion == pytest.approx(doubt(46 / 51))


def test_without_labels_or_predictions_there_is_nothing_to_find():
    empty = make_truth('a.jpg', size=SIZE)
    assert rank([]) == rank([pair_up(empty, make_prediction('a.jpg', size=SIZE))]) == []
    only = rank([pair_up(people(1)[0], make_prediction('0.jpg', size=SIZE))])
    assert [one.kind for one in only] == ['not found', 'not found']


# What the ranking is worth


def finding(image: str, index: int | None = None, box: tuple[int, int, int, int] = UPPER) -> Finding:
    kind = 'missing' if index is None else 'wrong class'
    return Finding(image, kind, 0.5, index, SHIRT, SKIRT, 0.75, None, encode(block(*box, SIZE)))


def test_precision_and_what_was_found_by_hand():
    """Of 4 findings the first points at a's label 1, the third at what b lacks: 1 of the first 2, 2 of the first 3."""
    upper = encode(block(*UPPER, SIZE))
    done = [Corruption('a', WRONG_CLASS, 1, upper), Corruption('b', MISSING_OBJECT, None, upper)]
    findings = [finding('a', 1), finding('a', 0), finding('b'), finding('b', box=LOWER)]
    recovery = recover(findings, ['a', 'c', 'b'], done, labels=40)
    assert recovery.found.tolist() == [0, -1, 1, -1]
    assert recovery.photos.tolist() == [True, False, True]
    lines = [line.split() for line in format_recovery(recovery, 2).splitlines()]
    assert ['labels', '1', '0.500', '0.050'] in lines
    assert ['photos', '1', '0.500', '0.667'] in lines
    assert ['missing', '1', '0.500', '-'] in lines
    assert ['wrong', 'class', '1', '1', '1.000'] in lines
    assert ['missing', 'object', '1', '0', '0.000'] in lines, 'the third finding is not among the first two'


# Files


def test_the_list_has_boxes_in_pixels_of_the_photo():
    """A mask of 40x60 of a photo of 80x180: twice as high, three times as wide."""
    text = format_csv([finding('a,1.jpg', 1), finding('b')], {'a,1.jpg': (80, 180), 'b': SIZE})
    rows = list(csv.DictReader(text.splitlines()))
    assert [rows[0][name] for name in ('Rank', 'ImageId', 'Object', 'X1', 'Y1', 'X2', 'Y2')] == [
        *('1', 'a,1.jpg', '1'),
        *('30', '0', '90', '30'),
    ]
    assert (rows[1]['Object'], rows[1]['Kind'], rows[1]['X2']) == ('', 'missing', '30')


def test_a_caption_leaves_out_what_is_hardly_suspicious():
    assert caption([finding('a', 0), replace(finding('a'), suspicion=0.2)]) == describe(finding('a', 0))
    assert caption([finding('a', 0)] * 5).count(';') == 2


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three images with a shirt each, of which the third is not found."""
    write_shirt_dump(tmp_path / 'val.parquet', [5, 5, None])
    return write_shirts(tmp_path / 'data')


def test_the_tool_writes_list_rows_and_gallery(root: Path):
    out = root.parent / 'out'
    done = run_here(tool.main, root.parent / 'val.parquet', '--truth', root / 'train.csv', '--out', out, '--first', '1')
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((out / 'suspects.csv').read_text().splitlines()))
    assert (rows[0]['ImageId'], rows[0]['Kind']) == ('c.jpg', 'not found')
    assert len(rows) == 1, 'the others are no more suspicious than any label'
    assert (out / 'rows.csv').read_text() == 'ImageId,EncodedPixels,Height,Width,ClassId\nc.jpg,1 50,10,10,0\n'
    page = (out / 'index.html').read_text()
    assert page.count('data-name=') == 1
    assert '<option value="listed" selected>' in page
    assert 'shirt: not found' in page


def test_the_tool_measures_itself(root: Path):
    argv = [root.parent / 'val.parquet', '--truth', root / 'train.csv', '--corrupt', '0.4', '--seed', '1']
    done = run_here(tool.main, *argv)
    assert done.returncode == 0, done.stderr
    assert '1 of 3 labels made wrong' in done.stdout
    assert done.stdout == run_here(tool.main, *argv).stdout


@pytest.mark.parametrize('argv', [[], ['--corrupt', '0.1', '--out', 'x'], ['--corrupt', '1']])
def test_what_to_do_must_be_said(root: Path, argv: list[str]):
    done = run_here(tool.main, root.parent / 'val.parquet', *argv)
    assert (done.returncode, done.stderr.count('\n')) == (2, 1)


def test_a_missing_folder_of_photos_is_said_before_the_work_begins(root: Path):
    done = run_here(
        tool.main,
        *(root.parent / 'none.parquet', '--truth', root / 'train.csv', '--out', root.parent / 'out', '--images', 'x'),
    )
    assert (done.returncode, done.stderr) == (
        2,
        'find_label_errors: x: no such folder of photos; --images names it\n',
    )
