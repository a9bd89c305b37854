"""JSON of anybody: every fault is one line that names file and field."""

from pathlib import Path

import pytest

from fashion_mmdet.utils.json_files import (
    COUNT,
    MEASURED,
    NUMBER,
    OBJECT,
    TEXT,
    Kind,
    check_fields,
    list_of,
    object_of,
    read_object,
)


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (b'', 'broken JSON'),
        (b'{', 'broken JSON'),
        (b'\xff{}', 'broken JSON'),
        (b'null', 'a JSON object is wanted'),
        (b'[1]', 'a JSON object is wanted, not list'),
        (b'[' * 100_000, 'broken JSON'),
        (b'{"a":' * 100_000, 'broken JSON'),
        (b'{"b": "\\ud800"}', 'broken JSON'),
        (b'{"a": NaN}', 'a is no number: nan'),
        (b'{"a": "1"}', "a is no number: '1'"),
        (b'{"a": true}', 'a is no number: True'),
        (b'{"a": 1e999}', 'a is no number: inf'),
        (b'{"a": 1' + b'0' * 400 + b'}', 'a is no number: 10'),
        (b'{"x": {"y": 5}}', 'x.y is no text: 5'),
        (b'{"x": {"y": "a\\u0000"}}', 'x.y is no text'),
        (b'{"x": [1]}', r'x is no object: \[1\]'),
    ],
)
def test_a_broken_file_names_itself_and_the_field(tmp_path: Path, content: bytes, said: str):
    (tmp_path / 'a.json').write_bytes(content)
    with pytest.raises(ValueError, match=rf'a\.json: {said}') as caught:
        read_object(tmp_path / 'a.json', {'a': NUMBER, 'x': OBJECT, 'x.y': TEXT})
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


def test_what_is_absent_or_null_passes_unless_it_is_required():
    check_fields({'a': None}, {'a': NUMBER, 'b.c': TEXT}, 'file')
    with pytest.raises(ValueError, match='file: has no a'):
        check_fields({'a': None}, {'a': NUMBER}, 'file', ['a'])


@pytest.mark.parametrize(
    ('kind', 'right', 'wrong'),
    [
        (COUNT, [0, 7], [-1, 1.0, True, '7']),
        (NUMBER, [0, -1.5], [float('nan'), float('inf'), 10**400, False]),
        (MEASURED, [0, 1e300, float('nan')], [10**400, 'nan']),
        (list_of(COUNT, 2), [[1, 2]], [[1], [1, 'a'], 5]),
        (object_of(list_of(NUMBER)), [{}, {'a': [1]}], [{'a': 1}, []]),
    ],
)
def test_kinds(kind: Kind, right: list, wrong: list):
    assert [kind.holds(value) for value in right] == [True] * len(right)
    assert [kind.holds(value) for value in wrong] == [False] * len(wrong)
