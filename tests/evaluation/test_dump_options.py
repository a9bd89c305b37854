"""Which postprocessing options count for a dump: its own, those of a file in their place, changes over either."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashion_mmdet.evaluation.dump import DumpWriter
from fashion_mmdet.evaluation.dump_options import read_options
from fashion_mmdet.evaluation.postprocess import Postprocess
from fashion_mmdet.evaluation.predictions import RawPrediction


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """One photo of 10x10 with a shirt, which has a collar, found at a score of 0.2; the dump's threshold is 0.1."""
    (tmp_path / 'train').mkdir()
    Image.new('RGB', (10, 10)).save(tmp_path / 'train' / 'a.jpg')
    rows = 'ImageId,EncodedPixels,Height,Width,ClassId\na.jpg,1 50,10,10,0_3\n'
    (tmp_path / 'train.csv').write_text(rows)
    writer = DumpWriter(tmp_path / 'val.parquet', 'model = None\npostprocess = dict(score_thr=0.1, min_area=2)\n')
    probs = np.ones((1, 92), np.float16)
    box, score = np.array([[0, 0, 5, 10]], np.float32), np.array([0.2], np.float32)
    writer.write(RawPrediction('a.jpg', 10, 10, np.array([0]), score, box, np.ones((1, 28, 28), np.float16), probs))
    writer.close()
    return tmp_path / 'val.parquet'


def test_the_dumps_own_options_count_then_the_file_then_the_changes(dump: Path, tmp_path: Path):
    tuned = tmp_path / 'tuned.py'
    tuned.write_text('postprocess = dict(score_thr=0.6, nms_iou=None)')
    options, said = read_options(dump)
    assert options == Postprocess(score_thr=0.1, min_area=2)
    assert said.startswith(f'postprocess of the config in {dump}: score_thr=0.1 nms_iou=0.3 ')
    assert read_options(dump, None, ['score_thr=0.4'])[0] == Postprocess(score_thr=0.4, min_area=2)
    options, said = read_options(dump, str(tuned), ['nms_iou=0.2'])
    assert options == Postprocess(score_thr=0.6, nms_iou=0.2)
    assert said.startswith(f'postprocess of {tuned} and --options: score_thr=0.6 nms_iou=0.2 ')


def test_a_rescorer_of_the_dump_that_is_gone_is_named_and_can_be_left_out(tmp_path: Path):
    dump = tmp_path / 'd.parquet'
    DumpWriter(dump, "postprocess = dict(filter='gone.skops')").close()
    with pytest.warns(FutureWarning), pytest.raises(FileNotFoundError, match=r'gone\.skops: no such rescorer'):
        read_options(dump)
    with pytest.warns(FutureWarning):
        assert read_options(dump, None, ['rescorer=None'])[0] == Postprocess()


def test_a_dump_whose_config_is_no_python_needs_a_file(tmp_path: Path):
    dump = tmp_path / 'd.parquet'
    DumpWriter(dump, 'a config of mine').close()
    with pytest.raises(ValueError, match=r'd\.parquet: not a config: .*; --postprocess FILE takes the place'):
        read_options(dump)
    (tmp_path / 'tuned.py').write_text('postprocess = dict(min_area=9)')
    assert read_options(dump, str(tmp_path / 'tuned.py'))[0] == Postprocess(min_area=9)


def test_an_option_that_the_dump_should_not_have_is_named_with_the_dump(tmp_path: Path):
    DumpWriter(tmp_path / 'd.parquet', 'postprocess = dict(blur=1)').close()
    with pytest.raises(ValueError, match=r'd\.parquet: postprocess\.blur: no such option'):
        read_options(tmp_path / 'd.parquet')


@pytest.mark.parametrize(
    ('tool', 'arguments', 'found', 'lost'),
    [
        ('score_dump', ['{dump}', '{truth}'], 'score 1.0000', 'score 0.0000'),
        ('sensitivity', ['{dump}', '--truth', '{truth}'], '1.000', '0.000'),
        ('score_attributes', ['{dump}', '{truth}', '--min-objects', '1'], ' 1 true hits', ' 0 true hits'),
        ('visualize', ['{dump}', '--truth', '{truth}', '--out', '{out}'], 'score 1.000', 'score 0.000'),
    ],
)
def test_every_tool_begins_with_the_dumps_options_and_says_so(
    tool: str, arguments: list[str], found: str, lost: str, dump: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    """At the dump's threshold of 0.1 the object scored 0.2 is found, at any higher one it is lost."""
    places = dict(dump=dump, truth=tmp_path / 'train.csv', out=tmp_path / 'out')
    (tmp_path / 'tuned.py').write_text('postprocess = dict(score_thr=0.4)')
    for extra, wanted, source in (
        ([], found, f'postprocess of the config in {dump}: score_thr=0.1'),
        (['--postprocess', str(tmp_path / 'tuned.py')], lost, 'score_thr=0.4'),
        (['--options', 'score_thr=0.3'], lost, 'score_thr=0.3 nms_iou=0.3 '),
    ):
        given = [one.format(**places) for one in arguments]
        assert import_module(f'tools.{tool}').main([*given, *extra]) == 0
        captured = capsys.readouterr()
        page = tmp_path / 'out' / 'index.html'
        assert wanted in captured.out + (page.read_text() if page.exists() else '')
        assert source in captured.err
