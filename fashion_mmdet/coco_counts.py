"""pycocotools' compressed counts: background, run, background, ... of a mask as text. No torch.

From the fourth count on the text holds the difference to the count two before; 5 bits a character, low bits first.
"""

from collections.abc import Sequence

import numpy as np

Counts = str | bytes | Sequence[int]


def compress(counts: np.ndarray) -> str:
    """Write counts as pycocotools does."""
    values = counts.copy()
    values[3:] -= counts[1:-2]
    # A value needs its magnitude's bits and one for the sign: 5 a character, up to 7 characters for 32 bits.
    magnitude = np.where(values < 0, ~values, values)
    chars = np.ones(values.size, np.int64)
    for step in range(1, 7):
        chars += magnitude >= 1 << (5 * step - 1)
    offsets = np.concatenate([[0], np.cumsum(chars)])
    text = np.empty(offsets[-1], np.uint8)
    for step in range(int(chars.max(initial=0))):
        here = chars > step
        bits = (values[here] >> (5 * step)) & 0x1F
        text[offsets[:-1][here] + step] = bits + 48 + 0x20 * (chars[here] > step + 1)
    return text.tobytes().decode('ascii')


def decompress(counts: Counts) -> np.ndarray:
    """Read the counts of one mask; the inverse of `compress`. A list of counts stays as it is."""
    if not isinstance(counts, (str, bytes)):
        return np.asarray(counts, np.int64)
    values = _read_values(_to_bytes(counts))[0]
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def decompress_pairs(masks: Sequence[Counts]) -> tuple[np.ndarray, np.ndarray]:
    """Read the counts of several masks in one go, each padded to an even number by an empty run.

    Returns:
        counts: int64; background and run in turn, mask after mask.
        ends: int64; how many pairs of background and run have passed when each mask ends.
    """
    if not all(isinstance(mask, (str, bytes)) and mask for mask in masks):
        listed = [decompress(mask) for mask in masks]
        counts = np.concatenate([np.append(one, [0] * (one.size % 2)) for one in listed]) if listed else np.empty(0)
        return counts.astype(np.int64), np.cumsum([(one.size + 1) // 2 for one in listed], dtype=np.int64)
    texts = [_to_bytes(mask) for mask in masks]
    values, last = _read_values(b''.join(texts))
    text_ends = np.cumsum([len(text) for text in texts])
    totals = np.searchsorted(last, text_ends, 'left')  # values that have passed when each text ends
    sizes = np.diff(totals, prepend=0)
    padded = sizes % 2
    ends = np.cumsum((sizes + padded) // 2)
    pairs = np.zeros(2 * ends[-1], np.int64)
    for size, stop, end in zip(sizes, totals, ends, strict=True):
        begin = 2 * end - size - size % 2
        pairs[begin:begin + size] = values[stop - size:stop]
    _undo_differences(pairs, np.concatenate([[0], ends[:-1]]))
    pairs[2 * ends[padded == 1] - 1] = 0
    return pairs, ends


def _undo_differences(pairs: np.ndarray, first: np.ndarray) -> None:
    """Sum up the differences to the count two before, in place: running sums that begin anew with each mask.

    Args:
        pairs: (2 P,) of background and run in turn.
        first: index of each mask's first pair. The first background of a mask is no term of the sums.
    """
    background = pairs[0::2][first]
    pairs[0::2][first] = 0
    for part in (pairs[0::2], pairs[1::2]):
        sums = np.add.reduceat(part, first)
        part[first[1:]] -= sums[:-1]
        np.cumsum(part, out=part)
    pairs[0::2][first] = background


def _to_bytes(counts: str | bytes) -> bytes:
    return counts.encode('ascii') if isinstance(counts, str) else counts


def _read_values(text: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Read the numbers of a text, differences still; also where each one's last character is."""
    codes = np.frombuffer(text, np.uint8) - np.uint8(48)
    last = np.flatnonzero(codes < 0x20)  # no bit that says "goes on"
    values = ((codes[last] & 0x1F).astype(np.int64) ^ 0x10) - 0x10  # the last character's highest bit is the sign
    chars = np.diff(last, prepend=-1)
    for step in range(1, int(chars.max(initial=0))):
        longer = np.flatnonzero(chars > step)
        values[longer] = (values[longer] << 5) | (codes[last[longer] - step] & 0x1F)
    return values, last
