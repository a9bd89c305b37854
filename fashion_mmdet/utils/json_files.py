"""Read JSON objects from any source and check their fields."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from reprlib import Repr
from typing import Any

_BRIEF = Repr()
_BRIEF.maxstring = _BRIEF.maxother = _BRIEF.maxlong = 60


@dataclass(frozen=True)
class Kind:
    """What a field may hold: its name, as in 'is no NAME', and the check."""

    name: str
    holds: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e18  # NaN is not below


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and '\0' not in value


NUMBER = Kind('number', _is_number)
MEASURED = Kind('number', lambda value: isinstance(value, float) or _is_number(value))  # NaN and infinity too
COUNT = Kind('whole number from 0', lambda value: isinstance(value, int) and _is_number(value) and value >= 0)
TEXT = Kind('text', _is_text)
TRUTH = Kind('true or false', lambda value: isinstance(value, bool))
OBJECT = Kind('object', lambda value: isinstance(value, Mapping))


def list_of(kind: Kind, length: int | None = None) -> Kind:
    """Describe a list whose items are all of a kind, and its length where that is fixed."""

    def holds(value: Any) -> bool:
        return isinstance(value, (list, tuple)) and length in (None, len(value)) and all(map(kind.holds, value))

    return Kind(f'list of {"" if length is None else f"{length} times "}{kind.name}', holds)


def object_of(kind: Kind) -> Kind:
    """Describe an object whose values are all of a kind."""
    return Kind(
        f'object of {kind.name}', lambda value: isinstance(value, Mapping) and all(map(kind.holds, value.values()))
    )


def read_object(
    path: str | Path, fields: Mapping[str, Kind] | None = None, required: Collection[str] = ()
) -> dict[str, Any]:
    """Read a file that holds one JSON object; errors as in `parse_object`, and OSError."""
    return parse_object(Path(path).read_bytes(), str(path), fields, required)


def parse_object(
    text: str | bytes, where: str, fields: Mapping[str, Kind] | None = None, required: Collection[str] = ()
) -> dict[str, Any]:
    """Parse a JSON object.

    Args:
        text: JSON, as UTF-8 where it is bytes.
        where: file, or file and place in it, that begins the error message.
        fields, required: see `check_fields`.

    Raises:
        ValueError: broken, too deeply nested, not an object, or a field of another kind; names the field.
    """
    try:
        value = json.loads(text.decode() if isinstance(text, bytes) else text)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair could not be printed
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{where}: broken JSON: {error}') from None
    if not isinstance(value, dict):
        raise ValueError(f'{where}: a JSON object is wanted, not {type(value).__name__}')
    check_fields(value, fields or {}, where, required)
    return value


def check_fields(
    value: Mapping[str, Any], fields: Mapping[str, Kind], where: str, required: Collection[str] = ()
) -> None:
    """Raise ValueError, naming the field, unless every field is of its kind.

    Args:
        value: object to check.
        fields: kinds by dotted name, outer ones first; a field that is absent or null passes.
        where: beginning of the error message.
        required: fields that must be present.
    """
    for name, kind in fields.items():
        found: Any = value
        for part in name.split('.'):
            found = found.get(part) if isinstance(found, Mapping) else None
        if found is None and name in required:
            raise ValueError(f'{where}: has no {name}')
        if found is not None and not kind.holds(found):
            raise ValueError(f'{where}: {name} is no {kind.name}: {_BRIEF.repr(found)}')
