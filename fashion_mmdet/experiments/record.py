"""A run's run.json, and JSON objects in general, read. No torch."""

import json
from pathlib import Path
from typing import Any

RECORD = 'run.json'
KINDS = {dict: ('git', 'data', 'packages'), (int, float): ('train_time_s', 'epochs', 'iterations', 'images_seen')}


def read_record(folder: str | Path) -> dict[str, Any]:
    """Read a run's run.json; {} where there is none, as an older run's folder.

    Raises:
        ValueError: it is no JSON object, or what should be an object or a number in it is none.
    """
    path = Path(folder) / RECORD
    record = read_object(path) if path.is_file() else {}
    for kind, names in KINDS.items():
        for name in names:
            if record.get(name) is not None and not isinstance(record[name], kind):
                raise ValueError(f'{path}: {name} is no {"object" if kind is dict else "number"}: {record[name]!r}')
    return record


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object; ValueError names the file that is none."""
    try:
        value = json.loads(path.read_text())
    except ValueError as error:  # also bytes that are no text
        raise ValueError(f'{path}: broken JSON: {error}') from None
    if not isinstance(value, dict):
        raise ValueError(f'{path}: a JSON object is wanted, not {type(value).__name__}')
    return value
