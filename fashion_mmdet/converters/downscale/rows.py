"""Scale train.csv row by row: one chunk of its text is held at a time, and no mask."""

import csv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from fashion_mmdet.classes import format_class_id
from fashion_mmdet.converters.downscale.photos import fit_size
from fashion_mmdet.datasets.audit import Audit
from fashion_mmdet.datasets.records import COLUMNS, Record, Row, read_rows, read_table
from fashion_mmdet.masks import rle
from fashion_mmdet.utils.files import atomic_path, count_lines
from fashion_mmdet.utils.progress import track


@dataclass
class DownscaledRows:
    """Where the rows of a CSV went.

    Attributes:
        sizes: height and width in the source of every image that has an object at the new size, by image id.
        rows: of the source.
        dropped: rows that the audit dropped.
        vanished: objects without a pixel at the new size, by category id.
        merged: objects that equal another one at the new size, category and attributes included.
        kept: rows written.
        audit: the problems.
    """

    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    rows: int = 0
    dropped: int = 0
    vanished: Counter[str] = field(default_factory=Counter)
    merged: int = 0
    kept: int = 0
    audit: Audit = field(default_factory=Audit)


def downscale_rows(source: Path, target: Path, max_side: int) -> DownscaledRows:
    """Write a train.csv with masks scaled as `cv2.resize(INTER_NEAREST)` scales their bitmaps.

    Args:
        source, target: the CSVs; the target is renamed into place when all is written.
        max_side: longest side of an image, in pixels.

    Raises:
        ValueError: not this CSV (see `records.read_rows`), or no row is left.
    """
    scaled, seen = DownscaledRows(), set()
    with atomic_path(target) as temporary, open(temporary, 'w', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(COLUMNS)
        for record, row in track(read_rows(source, scaled.audit), 'rows', count_lines(source) - 1):
            scaled.rows += 1
            if row is None:
                scaled.dropped += 1
            elif (line := _downscale_row(record, row, max_side)) is None:
                scaled.vanished[str(row.category)] += 1
            elif hash(line) in seen:  # a reader would take the second for an error and drop it
                scaled.merged += 1
            else:
                seen.add(hash(line))
                writer.writerow(line)
                scaled.kept += 1
                scaled.sizes[record.image_id] = record.height, record.width
    if not scaled.kept:
        vanished, dropped = sum(scaled.vanished.values()), scaled.audit.summary() or 'none dropped'
        raise ValueError(
            f'{source}: no object is left of {scaled.rows} at {max_side} px: {vanished} too small; {dropped}'
        )
    return scaled


def _downscale_row(record: Record, row: Row, max_side: int) -> tuple | None:
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
