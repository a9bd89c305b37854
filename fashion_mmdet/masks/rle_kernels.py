"""Compiled loops over the run lengths of many masks at once.

Many masks are two int64 arrays: `edges`, the 0-based half-open runs start, end, start, end ... of one mask after
another (sorted and apart within a mask), and `bounds` (N + 1): mask i owns `edges[bounds[i]:bounds[i + 1]]`. Pixels 0
and 1 of one mask, 3 of the next: edges [0, 2, 3, 4], bounds [0, 2, 4].

Output buffers are allocated for the worst case, as nothing checks bounds; untouched pages cost no RAM.
`masks.rle` lists the other forms of a mask and converts between them.
"""

import numpy as np

from fashion_mmdet.utils.jit import compiled

COUNT_CHARACTERS = 13  # 64 bits, 5 a character
NUMBER_CHARACTERS = 20  # 19 digits and a space


@compiled
def decompress(codes: np.ndarray, offsets: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decode pycocotools' compressed counts.

    Counts are the lengths of stretches off, on, off, on ...; from the fourth on, the difference to the count two
    before is written. A number takes a character per 5 bits, low bits first, plus 32 where more follow, plus 48
    to be printable; bit 4 of the last one is the sign. Counts 3, 40, 6, 37: '3' (3), 'X1' (40 = 8 + 32 * 1), '6' (6),
    'M' (37 - 40 = -3 = 29 with the sign bit set).

    Args:
        codes: (C,) uint8 characters of all strings, one after another.
        offsets: (N + 1,) int64, where each string begins.
        wanted: (N,) bool; a mask not wanted stays empty.

    Returns:
        edges, bounds, and the pixels that each mask's counts add up to, (N,) int64; -1 where a count is negative or
        the sum exceeds an int64.
    """
    edges = np.empty(codes.size, np.int64)  # a count takes a character at least, two counts make a run
    bounds, totals = np.zeros(offsets.size, np.int64), np.zeros(wanted.size, np.int64)
    filled = 0
    for mask in range(wanted.size):
        first, index, stop = filled, offsets[mask], offsets[mask + 1]
        if not wanted[mask]:
            index = stop
        position = two_back = one_back = number = 0
        broken = False
        while index < stop:
            # One number: its characters from the low bits up, then the sign.
            code = np.int64(codes[index]) - 48
            index += 1
            value, shift = code & 0x1F, 5
            while code & 0x20 and index < stop:
                code = np.int64(codes[index]) - 48
                index += 1
                broken |= shift >= 5 * COUNT_CHARACTERS
                value |= (code & 0x1F) << (shift & 63)
                shift += 5
            if code & 0x10 and shift < 64:
                value |= np.int64(-1) << shift
            # Number to count, then to a run where the count is of pixels that are on.
            if number > 2:
                value += two_back
            two_back, one_back = one_back, value
            broken |= value < 0 or position + value < position
            if broken:
                break
            if number & 1 and value > 0:
                if filled > first and edges[filled - 1] == position:  # a count of 0 lies between: one run
                    edges[filled - 1] += value
                else:
                    edges[filled], edges[filled + 1] = position, position + value
                    filled += 2
            position += value
            number += 1
        bounds[mask + 1] = filled
        totals[mask] = -1 if broken else position
    return edges[:filled], bounds, totals


@compiled
def _write_count(text: np.ndarray, filled: int, value: int) -> int:
    more = True
    while more:
        code = value & 0x1F
        value >>= 5
        more = value != -1 if code & 0x10 else value != 0
        text[filled] = code + 48 + (0x20 if more else 0)
        filled += 1
    return filled


@compiled
def compress(edges: np.ndarray, bounds: np.ndarray, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Encode the counts of masks of one size, `pixels` each, as `decompress` reads them.

    Counts are what lies between neighbouring edges, with 0 before the first and `pixels` after the last: edges 3, 43
    of 49 pixels give 3, 40, 6.

    Returns:
        (C,) uint8 characters of all masks, and (N + 1,) int64 offsets.
    """
    masks = bounds.size - 1
    text = np.empty((edges.size + masks) * COUNT_CHARACTERS, np.uint8)
    offsets = np.zeros(masks + 1, np.int64)
    filled = 0
    for mask in range(masks):
        position = two_back = one_back = 0
        for index in range(bounds[mask], bounds[mask + 1] + 1):
            number = index - bounds[mask]
            end = edges[index] if index < bounds[mask + 1] else pixels
            value = end - position
            if value == 0 and index == bounds[mask + 1] and number > 0:
                break  # the mask ends with the image
            filled = _write_count(text, filled, value - two_back if number > 2 else value)
            two_back, one_back = one_back, value
            position = end
        offsets[mask + 1] = filled
    return text[:filled], offsets


@compiled
def _write_number(text: np.ndarray, filled: int, value: int) -> int:
    digits, rest = 1, value // 10
    while rest > 0:
        digits += 1
        rest //= 10
    for place in range(filled + digits - 1, filled - 1, -1):
        rest = value // 10
        text[place] = 48 + value - 10 * rest
        value = rest
    return filled + digits


@compiled
def write_kaggle(edges: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Encode the masks as the competition's `start length start length ...`, 1-based.

    Returns:
        (C,) uint8 characters of all masks, and (N + 1,) int64 offsets.
    """
    text = np.empty(edges.size * NUMBER_CHARACTERS, np.uint8)
    offsets = np.zeros(bounds.size, np.int64)
    filled = 0
    for mask in range(bounds.size - 1):
        for index in range(bounds[mask], bounds[mask + 1], 2):
            if index > bounds[mask]:
                text[filled] = 32
                filled += 1
            filled = _write_number(text, filled, edges[index] + 1)
            text[filled] = 32
            filled = _write_number(text, filled + 1, edges[index + 1] - edges[index])
        offsets[mask + 1] = filled
    return text[:filled], offsets


@compiled
def measure_areas(edges: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Count the pixels of every mask; (N,) int64."""
    areas = np.zeros(bounds.size - 1, np.int64)
    for mask in range(areas.size):
        for index in range(bounds[mask], bounds[mask + 1], 2):
            areas[mask] += edges[index + 1] - edges[index]
    return areas


@compiled
def pick(edges: np.ndarray, bounds: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take the masks `chosen`, (K,) int64, in that order."""
    new_bounds = np.zeros(chosen.size + 1, np.int64)
    for place in range(chosen.size):
        new_bounds[place + 1] = new_bounds[place] + bounds[chosen[place] + 1] - bounds[chosen[place]]
    kept = np.empty(new_bounds[-1], np.int64)
    for place in range(chosen.size):
        kept[new_bounds[place] : new_bounds[place + 1]] = edges[bounds[chosen[place]] : bounds[chosen[place] + 1]]
    return kept, new_bounds


@compiled
def intersect(edges: np.ndarray, bounds: np.ndarray, mask: int, other: int) -> int:
    """Count the pixels that two masks share."""
    left, left_stop, right, right_stop = bounds[mask], bounds[mask + 1], bounds[other], bounds[other + 1]
    shared = 0
    if left == left_stop or right == right_stop:
        return shared
    if edges[left_stop - 1] <= edges[right] or edges[right_stop - 1] <= edges[left]:  # one ends before the other begins
        return shared
    # Walk both lists at once: of the two runs at hand, the one that ends first can meet nothing more.
    while left < left_stop and right < right_stop:
        low, high = max(edges[left], edges[right]), min(edges[left + 1], edges[right + 1])
        if high > low:
            shared += high - low
        if edges[left + 1] < edges[right + 1]:
            left += 2
        else:
            right += 2
    return shared


@compiled
def _subtract(runs: np.ndarray, count: int, other: np.ndarray, result: np.ndarray) -> int:
    """Write `runs[:count]` without the pixels of `other` into `result`; return how much of it is filled.

    0 to 9 without 2 to 4 and 7 to 12 leaves 0 to 2 and 4 to 7.
    """
    filled, right = 0, 0  # `right`: the first run of `other` that does not end before the run at hand
    for left in range(0, count, 2):
        start, end = runs[left], runs[left + 1]
        while right < other.size and other[right + 1] <= start:
            right += 2
        index = right
        while start < end:
            stop = min(end, other[index]) if index < other.size else end
            if stop > start:  # what lies before the next run of `other`
                result[filled], result[filled + 1] = start, stop
                filled += 2
            if index >= other.size or other[index] >= end:
                break
            start = other[index + 1]  # go on behind that run
            index += 2
    return filled


@compiled
def resolve_overlaps(
    edges: np.ndarray, bounds: np.ndarray, groups: np.ndarray, first_of_image: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give each pixel that several masks of a group claim to the first of them.

    Args:
        edges: see the module's head.
        bounds: see the module's head.
        groups: (N,) int64; -1 claims nothing and loses nothing.
        first_of_image: (N,) int64, the first mask of each mask's image; masks before that one cannot meet it.

    Returns:
        edges, bounds of N masks, some of them maybe without runs.
    """
    result, new_bounds = np.empty(2 * edges.size, np.int64), np.zeros(bounds.size, np.int64)
    filled = 0
    for mask in range(groups.size):
        left = edges[bounds[mask] : bounds[mask + 1]]  # of the mask, after each better one has taken its pixels
        count = left.size
        for better in range(first_of_image[mask], mask):
            if groups[better] != groups[mask] or groups[mask] < 0:
                continue
            taken = edges[bounds[better] : bounds[better + 1]]
            if count and taken.size and taken[0] < left[count - 1] and taken[-1] > left[0]:
                rest = np.empty(count + taken.size, np.int64)  # a run taken away cuts at most one in two
                count = _subtract(left, count, taken, rest)
                left = rest
        if filled + count > result.size:
            larger = np.empty(2 * (filled + count), np.int64)
            larger[:filled] = result[:filled]
            result = larger
        result[filled : filled + count] = left[:count]
        filled += count
        new_bounds[mask + 1] = filled
    return result[:filled], new_bounds


@compiled
def mask_nms(edges: np.ndarray, bounds: np.ndarray, groups: np.ndarray, kept: np.ndarray, max_iou: float) -> np.ndarray:
    """Non-maximum suppression by mask IoU within each group.

    Args:
        edges: of N masks by descending score, see the module's head.
        bounds: see the module's head.
        groups: (N,) int64; masks of different groups do not meet.
        kept: (N,) bool, which masks take part.
        max_iou: a mask that overlaps a better one more than this goes.

    Returns:
        (N,) bool, which masks stay.
    """
    kept, areas = kept.copy(), measure_areas(edges, bounds)
    for mask in range(kept.size):
        for better in range(mask):
            if kept[mask] and kept[better] and groups[better] == groups[mask]:
                shared = intersect(edges, bounds, mask, better)
                if shared and shared / (areas[mask] + areas[better] - shared) > max_iou:
                    kept[mask] = False
    return kept
