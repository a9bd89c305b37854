"""The order of the package's folders: what README's tree says is what the imports do."""

import ast
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT

# As README's tree lists them, with those to come. classes.py, config.py and register.py are in no room.
ROOMS = (
    'utils',
    'masks',
    'ops',
    'datasets',
    'converters',
    'synthetic',
    'evaluation',
    'models',
    'analysis',
    'experiments',
    'weights',
    'inference',
    'service',
    'catalogue',
    'benchmarks',
)


def imported_names(source: str) -> Iterator[str]:
    """Yield the dotted names that a module imports, inside functions too; `from a import b` as a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, 'relative imports would not be seen here'
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def imports_of_lower_rooms(room: str, source: str) -> list[str]:
    """List the imports of a module in `room` that lie further down in `ROOMS`."""
    below = ROOMS[ROOMS.index(room) + 1 :]
    paths = (name.split('.') for name in imported_names(source))
    return ['.'.join(path) for path in paths if path[0] == 'fashion_mmdet' and path[1:2] and path[1] in below]


@pytest.mark.parametrize(
    ('source', 'found'),
    [
        ('import fashion_mmdet.models.tta', ['fashion_mmdet.models.tta']),
        ('from fashion_mmdet import analysis', ['fashion_mmdet.analysis']),
        ('def f():\n    from fashion_mmdet.service.app import app', ['fashion_mmdet.service.app.app']),
        ('from fashion_mmdet.masks import rle', []),
        ('from fashion_mmdet.evaluation.truths import Truths', []),
        ('from fashion_mmdet.config import load_config', []),
        ('import models', []),
    ],
)
def test_imports_of_lower_rooms_are_found(source, found):
    """Seen from `evaluation`: models, analysis and service stand below it, masks above; config.py in no room."""
    assert imports_of_lower_rooms('evaluation', source) == found


def test_no_room_imports_one_further_down():
    package = ROOT / 'fashion_mmdet'
    found = [
        f'{path.relative_to(ROOT)}: {name}'
        for room in ROOMS
        for path in (package / room).rglob('*.py')
        for name in imports_of_lower_rooms(room, path.read_text(encoding='utf-8'))
    ]
    assert found == []


def test_every_folder_of_the_package_has_its_place():
    """In `ROOMS`, and in README's tree in the same order."""
    folders = {path.parent.name for path in (ROOT / 'fashion_mmdet').glob('*/__init__.py')}
    assert folders <= set(ROOMS)
    lines = (ROOT / 'README.md').read_text(encoding='utf-8').splitlines()
    tree = [line.split('/')[0] for line in lines if line.split(' ')[0].rstrip('/') in folders and '/ ' in line]
    assert tree == [room for room in ROOMS if room in folders]
