"""Scale train.csv row by row: one chunk of its text is held at a time, and no mask."""

import csv
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fashion_mmdet.classes import format_class_id
from fashion_mmdet.converters.downscale.photos import fit_size
from fashion_mmdet.datasets.audit import Audit
from fashion_mmdet.datasets.records import COLUMNS, Record, Row, read_rows, read_table
from fashion_mmdet.masks import rle
from fashion_mmdet.utils.files import atomic_path, read_sealed, write_sealed
from fashion_mmdet.utils.progress import track


@dataclass
class Plan:
    """What scaling the CSV found.

    Attributes:
        sizes: height and width in the source of every image that has an object at the new size, by image id.
        rows: of the source.
        dropped: rows that the audit dropped.
        vanished: objects without a pixel at the new size, by category id.
        merged: objects that equal another one at the new size, category and attributes included.
        kept: rows written.
        audit: counts of problems by kind (`audit.RULES`).
        examples: the first of each.
    """

    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    rows: int = 0
    dropped: int = 0
    vanished: dict[str, int] = field(default_factory=dict)
    merged: int = 0
    kept: int = 0
    audit: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def to_audit(self) -> Audit:
        """Convert the problems back to an audit."""
        audit = Audit()
        audit.counts.update(self.audit)
        audit.examples = {kind: list(examples) for kind, examples in self.examples.items()}
        return audit


def scale_rows(source: Path, target: Path, max_side: int) -> Plan:
    """Write a train.csv with masks scaled as `cv2.resize(INTER_NEAREST)` scales their bitmaps.

    Args:
        source, target: the CSVs; the target is renamed into place when all is written.
        max_side: longest side of an image, in pixels.

    Raises:
        ValueError: not this CSV (see `records.read_rows`).
    """
    plan, audit, seen = Plan(), Audit(), set()
    with atomic_path(target) as temporary, open(temporary, 'w', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(COLUMNS)
        for record, row in track(read_rows(source, audit), 'rows', _count_lines(source) - 1):
            plan.rows += 1
            if row is None:
                plan.dropped += 1
            elif (line := _scale_row(record, row, max_side)) is None:
                plan.vanished[str(row.category)] = plan.vanished.get(str(row.category), 0) + 1
            elif hash(line) in seen:  # a reader would take the second for an error and drop it
                plan.merged += 1
            else:
                seen.add(hash(line))
                writer.writerow(line)
                plan.kept += 1
                plan.sizes[record.image_id] = record.height, record.width
    plan.audit, plan.examples = dict(audit.counts), audit.examples
    return plan


def _count_lines(path: Path) -> int:
    with open(path, 'rb') as file:
        return sum(block.count(b'\n') for block in iter(lambda: file.read(1 << 20), b''))


def _scale_row(record: Record, row: Row, max_side: int) -> tuple | None:
    """Scale one object; None where nothing is left of it."""
    size = record.height, record.width
    new_size = fit_size(size, max_side)
    pixels = rle.runs_to_kaggle(rle.resize(row.runs, size, new_size))
    return (record.image_id, pixels, *new_size, format_class_id(row.category, row.attributes)) if pixels else None


def select_rows(source: Path, target: Path, unusable: set[str]) -> int:
    """Write a CSV without the rows of some images; returns how many rows they had."""
    left_out = 0
    with atomic_path(target) as temporary:
        for number, chunk in enumerate(read_table(source, COLUMNS)):
            kept = chunk[~chunk['ImageId'].isin(unusable)]
            left_out += len(chunk) - len(kept)
            kept.to_csv(temporary, mode='a', header=number == 0, index=False, lineterminator='\n')
    return left_out


def save_plan(path: Path, plan: Plan) -> None:
    """Write a plan as sealed JSON."""
    with write_sealed(path) as file:
        file.write(json.dumps(asdict(plan)).encode())


def load_plan(path: Path) -> Plan:
    """Read a plan that `save_plan` wrote; ValueError where it is damaged."""
    plan = Plan(**json.loads(bytes(read_sealed(path))))
    plan.sizes = {image_id: (height, width) for image_id, (height, width) in plan.sizes.items()}
    return plan
