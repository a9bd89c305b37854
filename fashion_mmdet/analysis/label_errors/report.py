"""Findings as a CSV and in words."""

import csv
import io
from collections.abc import Mapping, Sequence

from pycocotools import mask as coco_mask

from fashion_mmdet.analysis.label_errors.ranking import MISSING, NOT_FOUND, PRIOR, WRONG_CLASS, Finding
from fashion_mmdet.classes import CATEGORIES, short_name

HEADER = (
    *('Rank', 'ImageId', 'Suspicion', 'Kind', 'Object', 'Label', 'Predicted', 'Score', 'IoU'),
    *('X1', 'Y1', 'X2', 'Y2'),
)
NAMED = 3  # findings of a photo in its caption
WORTH_NAMING = 0.25  # suspicion of the second and third
WORTH_LISTING = 2 * PRIOR


def format_csv(findings: Sequence[Finding], sizes: Mapping[str, tuple[int, int]]) -> str:
    """Write a row per finding that is at least twice as suspicious as any label, in order.

    `Object` is the label's place among the photo's labels, from 0, empty for a missing one; the box is the label's, for
    a missing one the prediction's, in pixels of the photo.

    Args:
        findings: ranked.
        sizes: height and width of each photo.
    """
    buffer = io.StringIO(newline='')
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(HEADER)
    listed = [finding for finding in findings if finding.suspicion >= WORTH_LISTING]
    for number, finding in enumerate(listed, 1):
        writer.writerow(
            [
                number,
                finding.image_id,
                f'{finding.suspicion:.4f}',
                finding.kind,
                _blank(finding.index),
                '' if finding.category is None else CATEGORIES[finding.category],
                '' if finding.predicted is None else CATEGORIES[finding.predicted],
                '' if finding.score is None else f'{finding.score:.3f}',
                '' if finding.iou is None else f'{finding.iou:.3f}',
                *_box(finding.mask, sizes[finding.image_id]),
            ]
        )
    return buffer.getvalue()


def _blank(value: int | None) -> int | str:
    return '' if value is None else value


def _box(mask: dict, size: tuple[int, int]) -> list[int]:
    """Return the box x1 y1 x2 y2 of a mask in pixels of a photo of `size`, height and width."""
    x, y, width, height = coco_mask.toBbox(mask)
    right, down = size[1] / mask['size'][1], size[0] / mask['size'][0]
    return [round(x * right), round(y * down), round((x + width) * right), round((y + height) * down)]


def describe(finding: Finding) -> str:
    """Say in a few words what contradicts a label."""
    label = '' if finding.category is None else short_name(finding.category)
    if finding.kind == NOT_FOUND:
        return f'{label}: not found'
    seen = f'{short_name(finding.predicted)} {finding.score:.2f}'
    if finding.kind == MISSING:
        return f'no label: {seen}'
    if finding.kind == WRONG_CLASS:
        return f'{label}: {seen} in its place'
    return f'{label}: {seen} with another outline, IoU {finding.iou:.2f}'


def caption(findings: Sequence[Finding]) -> str:
    """Describe a photo's first findings, the most suspicious first."""
    worth = [finding for finding in findings[1:NAMED] if finding.suspicion >= WORTH_NAMING]
    return '; '.join(map(describe, [*findings[:1], *worth]))


def by_photo(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """Group ranked findings by photo; photos by their most suspicious one, since a sum would rank them by size."""
    photos: dict[str, list[Finding]] = {}
    for finding in findings:
        photos.setdefault(finding.image_id, []).append(finding)
    return photos
