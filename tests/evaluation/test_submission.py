"""The submission: written, checked by the competition's rules, scored as the metric scores."""

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import plain_evaluation as plain
import pytest

from fashion_mmdet.benchmarks.scenes import make_scenes
from fashion_mmdet.evaluation.offline import score_submission
from fashion_mmdet.evaluation.predictions import Prediction
from fashion_mmdet.evaluation.submission import find_problems, read_predictions, write_submission
from fashion_mmdet.evaluation.truths import truth_from_record
from fashion_mmdet.masks import rle
from tools import score_submission as tool

HEADER = 'ImageId,EncodedPixels,ClassId\n'


def make_prediction(image_id: str, objects: list[tuple[int, list[tuple[int, int]]]]) -> Prediction:
    """Objects as (category, runs of (start, end) in a 512x512 mask), by descending score."""
    runs = [tuple(np.array(pairs, np.int64).reshape(-1, 2).T) for _, pairs in objects]
    return Prediction(
        image_id,
        (512, 512),
        np.array([category for category, _ in objects], np.int64),
        np.linspace(1, 0.5, len(objects)),
        [rle.runs_to_coco(run, 512, 512) for run in runs],
    )


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_rows_are_runs_by_descending_score_and_every_image_is_there(tmp_path: Path):
    """Runs [0, 3) and [512, 514) are pixels 1-3 and 513-514; an image without masks is a row of ClassId 23."""
    predictions = [make_prediction('b.jpg', [(6, [(0, 3), (512, 514)]), (23, [(9, 10)])]), make_prediction('c.jpg', [])]
    assert write_submission(tmp_path / 's.csv', predictions, ['a.jpg', 'b.jpg', 'c.jpg']) == 2
    assert (tmp_path / 's.csv').read_text() == f'{HEADER}b.jpg,1 3 513 2,6\nb.jpg,10 1,23\na.jpg,,23\nc.jpg,,23\n'


def test_a_prediction_for_an_unknown_image_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r'x\.jpg: not an image of the sample'):
        write_submission(tmp_path / 's.csv', [make_prediction('x.jpg', [(0, [(0, 1)])])], ['a.jpg'])


def test_a_full_disk_leaves_the_older_submission_and_no_half_file(tmp_path: Path):
    write(tmp_path / 's.csv', 'old')

    def until_the_disk_is_full() -> Iterator[Prediction]:
        yield make_prediction('a.jpg', [(0, [(0, 1)])])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match='No space left'):
        write_submission(tmp_path / 's.csv', until_the_disk_is_full(), ['a.jpg'])
    assert (tmp_path / 's.csv').read_text() == 'old'
    assert [path.name for path in tmp_path.iterdir()] == ['s.csv']


@pytest.mark.parametrize(
    ('row', 'complaint'),
    [
        ('a.jpg,1 1,46', "ClassId '46': categories are 0 to 45"),
        ('a.jpg,1 1,x', "ClassId 'x'"),
        ('a.jpg,1 1,0_92', "ClassId '0_92': attributes are 0 to 91"),
        ('a.jpg,1 1,6_20_3', "ClassId '6_20_3': written '6_3_20'"),
        ('a.jpg,1 1,06', "ClassId '06': written '6'"),
        (',1 1,6', 'no ImageId'),
        ('../a.jpg,1 1,6', '../a.jpg: an ImageId that names no photo'),
        ('a\x85b.jpg,1 1,6', 'a b.jpg: an ImageId that names no photo'),
        ('a.jpg,1_0 1,0', 'no whole number'),
        ('a.jpg,+5 1,0', 'no whole number'),
        ('a.jpg,9223372036854775807 5,0', 'lies outside'),
        ('a.jpg,1 1 3,0', '3 numbers'),
        ('a.jpg,1 b,0', 'no whole number'),
        ('a.jpg,0 1,0', 'pixel 0 lies outside'),
        ('a.jpg,262144 2,0', 'pixel 262145 lies outside'),
        ('a.jpg,1 0,0', 'a run of length 0'),
        ('a.jpg,5 1 1 1,0', 'not sorted'),
        ('a.jpg,1 3 3 1,0', 'not sorted, or overlap'),
        ('z.jpg,1 1,0', 'z.jpg: not an image of'),
        ('a.jpg,2 3,6', 'overlaps an earlier mask of ClassId 6'),
    ],
)
def test_each_broken_rule_is_named_with_its_line(tmp_path: Path, row: str, complaint: str):
    """Line 2 is a good row, pixels 1-2 of class 6; the broken one is line 3."""
    sample = write(tmp_path / 'sample.csv', f'{HEADER}a.jpg,1 1,0\n')
    path = write(tmp_path / 's.csv', f'{HEADER}a.jpg,1 2,6\n{row}\n')
    (problem,) = find_problems(path, sample)
    assert problem.startswith(f'{path}:3: ')
    assert complaint in problem


def test_a_missing_image_is_a_problem(tmp_path: Path):
    sample = write(tmp_path / 'sample.csv', f'{HEADER}a.jpg,1 1,0\nb.jpg,1 1,0\n')
    (problem,) = find_problems(write(tmp_path / 's.csv', f'{HEADER}a.jpg,1 1,0\n'), sample)
    assert '1 image(s)' in problem
    assert 'b.jpg' in problem


def test_what_the_rules_allow_is_valid(tmp_path: Path):
    """Overlap between classes, the last pixel, attributes, an image without masks, runs that touch."""
    sample = write(tmp_path / 'sample.csv', f'{HEADER}a.jpg,1 1,0\nb.jpg,1 1,0\n')
    path = write(tmp_path / 's.csv', f'{HEADER}a.jpg,1 2 3 1,6\na.jpg,1 2,7\na.jpg,262144 1,0_5_91\nb.jpg,,23\n')
    assert list(find_problems(path, sample)) == []


@pytest.mark.parametrize(
    ('text', 'complaint'),
    [
        ('', 'the file is empty'),
        ('a,b\n1,2\n', "no column 'ImageId'"),
        ('ImageId,EncodedPixels,ClassId,Extra\na,1 1,0,0\n', 'columns ImageId,EncodedPixels,ClassId,Extra'),
    ],
)
def test_a_file_that_is_no_submission_is_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture, text: str, complaint: str
):
    with pytest.raises(SystemExit) as exit_:
        tool.main([write(tmp_path / 's.csv', text), '--validate-only'])
    assert exit_.value.code == 2
    err = capsys.readouterr().err
    assert complaint in err
    assert err.count('\n') == 1


def test_an_invalid_submission_is_not_scored(tmp_path: Path, capsys: pytest.CaptureFixture):
    truth = write(tmp_path / 't.csv', 'ImageId,EncodedPixels,Height,Width,ClassId\na.jpg,1 2,4,4,6\n')
    with pytest.raises(SystemExit) as exit_:
        tool.main([write(tmp_path / 's.csv', f'{HEADER}a.jpg,1 1,46\n'), truth])
    assert exit_.value.code == 2
    assert "s.csv:2: a.jpg: ClassId '46'" in capsys.readouterr().err


def test_score_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture):
    """Masks of 4x4, so nothing is scaled.

    Image a: class 6 true on pixels 1-4, predicted on 1-3: IoU 3/4, a hit above 0.50 to 0.70 (5 of 10; 0.75 is not
    above 0.75). Class 23 predicted, not true: spurious. So 1/2 at five thresholds; at the other five TP 0: the image
    scores 5/10 * 1/2 = 0.25. Image b: its one object found exactly: 1. Score (0.25 + 1) / 2 = 0.625; at IoU 0.5
    (0.5 + 1) / 2 = 0.75; at 0.75 (0 + 1) / 2 = 0.5. Image c is not in the submission: it does not count.
    By image and class: (a, 6) 0.5, (a, 23) 0, (b, 0) 1: 0.5.
    """
    truth = write(
        tmp_path / 't.csv',
        'ImageId,EncodedPixels,Height,Width,ClassId\na.jpg,1 4,4,4,6\nb.jpg,5 8,4,4,0\nc.jpg,1 1,4,4,0\n',
    )
    path = write(tmp_path / 's.csv', f'{HEADER}a.jpg,1 3,6\na.jpg,9 1,23\nb.jpg,5 8,0\n')
    assert tool.main([path, truth, '--size', '4', '--json']) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result['score'], result['score_50'], result['score_75']) == (0.625, 0.75, 0.5)
    assert [(row['category'], row['objects'], row['sensitivity']) for row in result['classes']] == [
        (0, 1, 1.0),
        (6, 1, 1.0),
        (23, 0, None),
    ]
    assert score_submission(path, truth, (4, 4), average='image_class')[0].score == pytest.approx(0.5)


def test_a_list_of_images_may_begin_with_a_byte_order_mark(tmp_path: Path, capsys):
    """As Windows' editors write it; a is found exactly, b is not listed."""
    truth = write(tmp_path / 't.csv', 'ImageId,EncodedPixels,Height,Width,ClassId\na.jpg,1 4,4,4,6\nb.jpg,5 8,4,4,0\n')
    path = write(tmp_path / 's.csv', f'{HEADER}a.jpg,1 4,6\n')
    (tmp_path / 'list.txt').write_text('a.jpg\n\n', encoding='utf-8-sig')
    assert tool.main([str(path), str(truth), '--size', '4', '--images', str(tmp_path / 'list.txt'), '--json']) == 0
    assert json.loads(capsys.readouterr().out)['score'] == 1


def test_images_restricts_and_a_listed_image_without_rows_scores_nothing(tmp_path: Path):
    """b found exactly, c without any prediction: (1 + 0) / 2."""
    truth = write(
        tmp_path / 't.csv',
        'ImageId,EncodedPixels,Height,Width,ClassId\na.jpg,1 4,4,4,6\nb.jpg,5 8,4,4,0\nc.jpg,1 1,4,4,0\n',
    )
    path = write(tmp_path / 's.csv', f'{HEADER}a.jpg,1 3,6\nb.jpg,5 8,0\n')
    assert score_submission(path, truth, (4, 4), images=['b.jpg', 'c.jpg'])[0].score == 0.5
    with pytest.raises(ValueError, match=r"no image 'x\.jpg'"):
        score_submission(path, truth, (4, 4), images=['x.jpg'])


def test_attributes_count_when_the_whole_class_id_must_match(tmp_path: Path):
    truth = write(tmp_path / 't.csv', 'ImageId,EncodedPixels,Height,Width,ClassId\na.jpg,1 4,4,4,6_3\n')
    path = write(tmp_path / 's.csv', f'{HEADER}a.jpg,1 4,6\n')
    assert score_submission(path, truth, (4, 4))[0].score == 1
    assert score_submission(path, truth, (4, 4), match='class_id')[0].score == 0
    assert (
        score_submission(write(tmp_path / 's2.csv', f'{HEADER}a.jpg,1 4,6_3\n'), truth, (4, 4), match='class_id')[
            0
        ].score
        == 1
    )


def test_true_masks_are_scaled_as_opencv_scales_nearest(tmp_path: Path):
    """A 7x5 photo scored at 3x3: the submission that holds cv2's own scaling scores 1."""
    import cv2

    rng = np.random.default_rng(0)
    mask = rng.random((7, 5)) > 0.4
    truth = write(
        tmp_path / 't.csv',
        f'ImageId,EncodedPixels,Height,Width,ClassId\na.jpg,{rle.runs_to_kaggle(rle.mask_to_runs(mask))},7,5,0\n',
    )
    small = cv2.resize(mask.astype(np.uint8), (3, 3), interpolation=cv2.INTER_NEAREST)
    path = write(tmp_path / 's.csv', f'{HEADER}a.jpg,{rle.runs_to_kaggle(rle.mask_to_runs(small))},0\n')
    assert score_submission(path, truth, (3, 3))[0].score == 1


def test_reading_back_gives_what_was_written(tmp_path: Path):
    wanted = make_prediction('a.jpg', [(6, [(0, 3), (512, 514)]), (23, [(9, 10)])])
    write_submission(tmp_path / 's.csv', [wanted], ['a.jpg', 'b.jpg'])
    got = read_predictions(tmp_path / 's.csv')
    assert got['a.jpg'].masks == wanted.masks
    assert got['a.jpg'].categories.tolist() == [6, 23]
    assert (np.diff(got['a.jpg'].scores) < 0).all()
    assert got['b.jpg'].masks == []


def test_truth_of_a_record_keeps_attributes():
    from fashion_mmdet.datasets.records import Instance, Record

    mask = rle.runs_to_coco(rle.mask_to_runs(np.eye(4)), 4, 4)
    truth = truth_from_record(Record('a.jpg', 4, 4, [Instance(3, (1, 2), mask, (0, 0, 4, 4))]), (2, 2))
    assert (truth.size, truth.attributes, truth.masks[0]['size']) == ((2, 2), [(1, 2)], [2, 2])


def test_settled_overlap_is_written_as_row_by_row(tmp_path: Path):
    """70 images, more than are written at once, byte for byte; the file is valid."""
    _, predictions = make_scenes(70, true=3, predicted=6)
    names = [*(prediction.image_id for prediction in predictions), 'more.jpg']
    plain.write_submission(tmp_path / 'plain.csv', predictions, names)
    masks = write_submission(tmp_path / 's.csv', predictions, names, resolve_overlaps=True)
    text = (tmp_path / 's.csv').read_bytes()
    assert text == (tmp_path / 'plain.csv').read_bytes()
    assert text.count(b'\n') == masks + 2
    sample = write(tmp_path / 'sample.csv', HEADER + ''.join(f'{name},1 1,0\n' for name in names))
    assert list(find_problems(tmp_path / 's.csv', sample)) == []


def test_a_pixel_goes_to_the_first_mask_of_its_category_that_claims_it(tmp_path: Path):
    """Class 6: [0, 10); then [5, 20) keeps 10 to 19; then [2, 12) is gone. Class 7 keeps all; so does another image."""
    predictions = [
        make_prediction('a.jpg', [(6, [(0, 10)]), (6, [(5, 20)]), (7, [(0, 20)]), (6, [(2, 12)])]),
        make_prediction('b.jpg', [(6, [(0, 10)])]),
    ]
    assert write_submission(tmp_path / 's.csv', predictions, ['a.jpg', 'b.jpg'], resolve_overlaps=True) == 4
    assert (tmp_path / 's.csv').read_text() == f'{HEADER}a.jpg,1 10,6\na.jpg,11 10,6\na.jpg,1 20,7\nb.jpg,1 10,6\n'


def test_an_image_id_with_a_comma_is_quoted(tmp_path: Path):
    write_submission(tmp_path / 's.csv', [make_prediction('a,"b.jpg', [(6, [(0, 3)])])], ['a,"b.jpg', 'c,d'])
    assert (tmp_path / 's.csv').read_text() == f'{HEADER}"a,""b.jpg",1 3,6\n"c,d",,23\n'


def test_masks_of_another_size_are_refused(tmp_path: Path):
    small = Prediction(
        'a.jpg', (4, 4), np.array([6]), np.array([0.9]), [rle.runs_to_coco(rle.kaggle_to_runs('1 2'), 4, 4)]
    )
    with pytest.raises(ValueError, match=r'a\.jpg: masks of \(4, 4\), the competition wants \(512, 512\)'):
        write_submission(tmp_path / 's.csv', [small], ['a.jpg'])
    assert list(tmp_path.iterdir()) == []
