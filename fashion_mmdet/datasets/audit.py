"""Count what is wrong with a data set by kind; each kind has a rule."""

from collections import Counter

# OpenCV decodes no more. Loops and arrays are sized by a photo's height and width: beyond, a garbled number costs
# gigabytes.
MAX_SIDE, MAX_PIXELS = 2**20, 2**30

RULES = {
    'duplicate_row': 'row dropped',
    'unsafe_image_id': 'row dropped: its ImageId leads out of the folder of the photos',
    'unknown_category': 'row dropped',
    'unknown_attribute': 'attribute dropped: not one of the 92 (1000 + N: attribute N of label_descriptions.json)',
    'attribute_on_part': 'attributes dropped (only categories 0 to 12 have any)',
    'runs_malformed': 'row dropped',
    'runs_outside_image': 'row dropped',
    'runs_unsorted': 'runs sorted, row kept',
    'runs_overlapping': 'runs united, row kept',
    'empty_mask': 'row dropped',
    'size_conflict': "row dropped: its size is not that of the image's first row",
    'size_too_large': f'row dropped: a photo has at most {MAX_SIDE:,} px a side and {MAX_PIXELS:,} in all',
    'image_without_rows': 'image dropped: all its rows were',
    'missing_file': 'image dropped',
    'name_in_other_case': "image dropped: upper and lower case of its name are the file's others",
    'unreadable_file': 'image dropped',
    'truncated_file': 'image dropped: it cannot be decoded to its end',
    'size_mismatch': 'image dropped: its masks are for another size',
}
DROPS_ROW = frozenset({
    'duplicate_row', 'unsafe_image_id', 'unknown_category', 'runs_malformed', 'runs_outside_image', 'empty_mask',
    'size_conflict', 'size_too_large',
})  # fmt: skip


def is_size_possible(height: int, width: int) -> bool:
    """Return whether a photo may have that height and width in pixels."""
    return 0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE and height * width <= MAX_PIXELS


class Audit:
    """Problems counted by kind, with the first few of each as examples."""

    def __init__(self, examples: int = 3) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}
        self._limit = examples

    def add(self, kind: str, where: str) -> None:
        """Count a problem of a kind of `RULES`; `where` names file, line and value."""
        if kind not in RULES:
            raise KeyError(kind)
        self.counts[kind] += 1
        kept = self.examples.setdefault(kind, [])
        if len(kept) < self._limit:
            kept.append(where)

    def extend(self, other: 'Audit') -> None:
        """Add another audit's counts and examples to this one."""
        for kind, count in other.counts.items():
            self.counts[kind] += count
            kept = self.examples.setdefault(kind, [])
            kept.extend(other.examples[kind][: self._limit - len(kept)])

    def summary(self) -> str:
        """Describe all problems in one line: count, rule and first example of each kind."""
        return '; '.join(
            f'{kind} {count} ({RULES[kind]}), such as {self.examples[kind][0]}'
            for kind, count in self.counts.most_common()
        )

    def report(self) -> str:
        """Describe all problems, one kind a line with its rule and, indented, its examples; '' where there are none."""
        lines = []
        for kind, count in self.counts.most_common():
            lines.append(f'{kind}: {count} ({RULES[kind]})')
            lines.extend(f'    {where}' for where in self.examples[kind])
        return '\n'.join(lines)
