"""What all tools share: quick help, one-line errors, options."""

import subprocess
import sys
from pathlib import Path

import pytest

from fashion_mmdet.config import load_config, parse_options
from fashion_mmdet.utils.cli import describe, one_line_errors
from tests.conftest import ROOT

TOOLS = sorted(path for path in (ROOT / 'tools').glob('*.py') if path.stem != '__init__')
HELP = """
import runpy, sys
sys.argv = [sys.argv[1], '--help']
try:
    runpy.run_path(sys.argv[0], run_name='__main__')
except SystemExit as exit_:
    assert exit_.code == 0
assert not {'torch', 'mmdet', 'mmcv'} & set(sys.modules)
"""


@pytest.mark.parametrize('tool', TOOLS, ids=lambda path: path.stem)
def test_help_shows_the_command_and_loads_no_torch(tool: Path):
    done = subprocess.run([sys.executable, '-c', HELP, str(tool)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert f'python tools/{tool.name}' in done.stdout


def test_scoring_a_submission_needs_no_torch():
    """A competitor's machine may have none; torch also costs seconds."""
    code = (
        'import sys; import fashion_mmdet.evaluation.offline, fashion_mmdet.evaluation.dump; '
        'assert not {"torch", "mmdet"} & set(sys.modules)'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize('error', [ValueError('bad\nvalue'), FileNotFoundError('x.csv: no such file')])
def test_bad_input_is_one_line_and_status_2(error: Exception, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as exit_, one_line_errors('tool'):
        raise error
    assert exit_.value.code == 2
    assert capsys.readouterr().err == f'tool: {" ".join(str(error).split())}\n'


def test_a_defect_keeps_its_traceback():
    with pytest.raises(IndexError), one_line_errors('tool'):
        raise IndexError('a bug')


def test_an_error_names_the_file_and_not_the_class_that_mmengine_was_building():
    assert describe(OSError(28, 'No space left on device', 'a.pth')) == 'a.pth: No space left on device'
    assert describe(ValueError('class `IMaterialistDataset` in fashion_mmdet/x.py: a.csv:1: bad')) == 'a.csv:1: bad'


def test_options_are_python_literals_or_text():
    options = parse_options(['a.b=3', 'scale=(384,256)', 'load_from=None', 'amp=true', 'name=SGD', 'x=a=b', 'e='])
    assert options == {
        'a.b': 3,
        'scale': (384, 256),
        'load_from': None,
        'amp': True,
        'name': 'SGD',
        'x': 'a=b',
        'e': '',
    }


def test_a_config_with_a_syntax_error_is_a_value_error(tmp_path: Path):
    (tmp_path / 'broken.py').write_text('model = dict(\n')
    with pytest.raises(ValueError, match=r'broken\.py: not a config'):
        load_config(str(tmp_path / 'broken.py'))
