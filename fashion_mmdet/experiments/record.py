"""A run's run.json: its fields and how it is read."""

from pathlib import Path
from typing import Any

from fashion_mmdet.utils.json_files import COUNT, NUMBER, OBJECT, TEXT, TRUTH, read_object

RECORD = 'run.json'
PATCH = 'code.patch'  # beside it, where tracked files differed from the commit
FIELDS = {
    'command': TEXT,
    'config': TEXT,
    'start': TEXT,
    'started': TEXT,
    'finished': TEXT,
    'random_start': TRUTH,
    'git': OBJECT,
    'git.commit': TEXT,
    'git.clean': TRUTH,
    'packages': OBJECT,
    'python': TEXT,
    'device': TEXT,
    'world_size': COUNT,
    'seed': COUNT,
    'data': OBJECT,
    'data.root': TEXT,
    'data.train_csv_sha256': TEXT,
    'data.train_images': COUNT,
    'data.val_images': COUNT,
    'train_time_s': NUMBER,
    'epochs': NUMBER,
    'iterations': COUNT,
    'images_seen': COUNT,
}


def read_record(folder: str | Path) -> dict[str, Any]:
    """Read a run's run.json; {} where there is none, as in an older run's folder.

    Raises:
        ValueError: not a JSON object, or a field of another kind; names file and field.
    """
    path = Path(folder) / RECORD
    return read_object(path, FIELDS) if path.is_file() else {}
