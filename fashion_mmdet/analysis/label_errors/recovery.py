"""How many of the labels that were made wrong on purpose stand at the top of the ranking."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fashion_mmdet.analysis.label_errors.corrupt import CORRUPTIONS, Corruption
from fashion_mmdet.analysis.label_errors.ranking import KINDS, SAME_PLACE, Finding
from fashion_mmdet.evaluation.matching import mask_ious
from fashion_mmdet.utils.tables import format_text


@dataclass(frozen=True)
class Recovery:
    """What the first findings and the first photos are worth.

    Attributes:
        found: (N,) int64, which corruption each finding points at, -1 for none.
        photos: (images,) bool, whether each ranked photo has a corrupted label.
        kinds: of each finding.
        corruptions: what was done.
        labels: number of labels.
    """

    found: np.ndarray
    photos: np.ndarray
    kinds: np.ndarray
    corruptions: Sequence[Corruption]
    labels: int


def recover(
    findings: Sequence[Finding], photos: Sequence[str], corruptions: Sequence[Corruption], labels: int
) -> Recovery:
    """Tell which findings point at a corrupted label.

    A finding points at one whose label it names; one of a missing label or of a mask elsewhere, at one whose true
    object it overlaps by an IoU above 0.5.

    Args:
        findings: ranked.
        photos: all images, ranked.
        corruptions: what was done to the labels.
        labels: number of labels.
    """
    by_image: dict[str, list[int]] = {}
    for number, corruption in enumerate(corruptions):
        by_image.setdefault(corruption.image_id, []).append(number)
    found = [_point(finding, by_image.get(finding.image_id, []), corruptions) for finding in findings]
    return Recovery(
        np.array(found, int),
        np.array([photo in by_image for photo in photos]),
        np.array([finding.kind for finding in findings]),
        corruptions,
        labels,
    )


def _point(finding: Finding, numbers: Sequence[int], corruptions: Sequence[Corruption]) -> int:
    for number in numbers:
        corruption = corruptions[number]
        if finding.index is not None and finding.index == corruption.index:
            return number
        if finding.index is None and mask_ious([finding.mask], [corruption.mask])[0, 0] > SAME_PLACE:
            return number
    return -1


def format_recovery(recovery: Recovery, first: int) -> str:
    """Write precision among the first, against random order, and by kind.

    Args:
        recovery: of a ranking.
        first: number of findings and photos to look at.
    """
    hits, count = recovery.found >= 0, len(recovery.corruptions)
    rows = [
        ('labels', int(hits[:first].sum()), _share(hits[:first]), count / recovery.labels),
        ('photos', int(recovery.photos[:first].sum()), _share(recovery.photos[:first]), _share(recovery.photos)),
    ]
    rows += [
        (f'  {kind}', int(own[:first].sum()), _share(own[:first]), None)
        for kind in KINDS
        if len(own := hits[recovery.kinds == kind])
    ]
    top = format_text(('precision', f'right of {first}', 'precision', 'random'), rows)
    seen = {int(number) for number in recovery.found[:count] if number >= 0}
    total, again = (
        Counter(one.kind for one in recovery.corruptions),
        Counter(recovery.corruptions[one].kind for one in seen),
    )
    kinds = [(kind, total[kind], again[kind], again[kind] / total[kind]) for kind in CORRUPTIONS if total[kind]]
    return (
        f'{count} of {recovery.labels:,} labels made wrong\n\n{top}\n\n'
        f'found among the first {count} findings:\n'
        + format_text(
            ('made wrong', 'labels', 'found', 'share'), [*kinds, ('all', count, len(seen), len(seen) / count)]
        )
    )


def _share(hits: np.ndarray) -> float | None:
    return float(hits.mean()) if len(hits) else None
