"""The layouts in which the CSVs of 2019 and 2020 write category and attributes."""

import json
import os
import re
from pathlib import Path

from fashion_mmdet.classes import ATTRIBUTES, CATEGORIES
from fashion_mmdet.utils.files import fast_hash, write_text

ATTRIBUTES_COLUMN = 'AttributesIds'  # 2020: `3,20,34`; 2019 has them in ClassId, `10_3_20_34`
LABELS = 'label_descriptions.json'
FOREIGN_ATTRIBUTE = 1000  # added to the id of an attribute that 2019 does not have


def content_key(csv: str | os.PathLike) -> str:
    """Hash a CSV and the label_descriptions.json beside it, which numbers the attributes of 2020's layout."""
    labels = Path(csv).with_name(LABELS)
    return fast_hash(csv) + (fast_hash(labels) if labels.is_file() else '')


def read_attribute_ids(path: Path) -> dict[str, str]:
    """Map the attribute ids of a label_descriptions.json to those of 2019 by name.

    2020 (Fashionpedia) has 294 attributes, among them those of 2019 under new ids. Without the file the ids are 2019's.

    Raises:
        ValueError: not such a file.
    """
    if not path.is_file():
        return {}
    try:
        names = {int(one['id']): one['name'] for one in json.loads(path.read_bytes()).get('attributes', [])}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f'{path}: no list of attributes with id and name: {type(error).__name__}: {error}') from None
    ours = {name: str(attribute) for attribute, name in enumerate(ATTRIBUTES)}
    return {str(one): ours.get(name, str(FOREIGN_ATTRIBUTE + one)) for one, name in names.items()}


def write_labels(folder: Path) -> None:
    """Write the classes into a folder as the competition's label_descriptions.json has them."""
    groups = {'categories': CATEGORIES, 'attributes': ATTRIBUTES}
    content = {key: [{'id': index, 'name': name} for index, name in enumerate(names)] for key, names in groups.items()}
    write_text(folder / LABELS, json.dumps(content, indent=1) + '\n')


def join_class_id(class_id: str, attributes: str, attribute_ids: dict[str, str]) -> str:
    """Join category and attributes as in 2019: `10_3_20` for `10` and `3,20`; ` 6` and `6.0` become `6`."""
    class_id = re.sub(r'\A(\d+)\.0\Z', r'\1', class_id.strip())
    words = [word.strip() for word in attributes.split(',')] if attributes.strip() else []
    return '_'.join([class_id, *(attribute_ids.get(word, word) for word in words)])
