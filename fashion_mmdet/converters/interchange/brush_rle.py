"""The bit-packed run lengths of Label Studio's brush.

Source: the package rle-pack of thi.ng/umbrella, which Label Studio's editor uses. The image is (H, W, 4) bytes, RGBA;
the mask is its alpha channel. Bits, high ones first:

    32  number of bytes, 4 * H * W
    5   bits a value, less 1 (7: bytes)
    4x4 four sizes of a length field, less 1 (3, 4, 8 and 16 here)
    then blocks until the number of bytes is reached:
    1   1: one value, repeated; 0: that many values follow
    2   which size the length field has
    n   length, less 1
    8   the value, or `length` values

label-studio-sdk has an encoder, but no runs: it builds the bitmap and strings of bits, a second for a photo of 2 MP.
"""

import numpy as np

from fashion_mmdet.masks.transform import Runs
from fashion_mmdet.masks.transpose import runs_to_counts, transpose
from fashion_mmdet.utils.jit import compiled

CHANNELS = 4
MOST_PIXELS = 2**30 - 1  # four times as many must fit into 32 bits
HEADER_BITS = 32 + 5 + 4 * 4
LONGEST = 2**16  # bytes in a block of the largest length field


def encode(runs: Runs, height: int, width: int) -> list[int]:
    """Pack a mask as the numbers 0 to 255 of a brush region; white, opaque where the mask is.

    Raises:
        ValueError: a photo too large for the format.
    """
    if height * width > MOST_PIXELS:
        raise ValueError(f"a photo of {height}x{width} pixels does not fit into Label Studio's format")
    return _pack(runs_to_counts(transpose(runs, height, width), height * width)).tolist()


def decode(packed: np.ndarray, height: int, width: int) -> Runs:
    """Unpack a brush region: pixels whose alpha is not 0.

    Args:
        packed: (B,) uint8.
        height, width: of the photo in pixels.

    Raises:
        ValueError: cut off, or of another size.
    """
    edges, values = _unpack(packed, CHANNELS * height * width)
    if values != CHANNELS * height * width:
        raise ValueError(f'the rle does not hold the {height}x{width} pixels of its photo')
    return transpose((edges[0::2].copy(), edges[1::2].copy()), width, height)


@compiled
def _write_bits(packed: np.ndarray, at: int, value: int, count: int) -> int:
    for place in range(count - 1, -1, -1):
        packed[at >> 3] |= ((value >> place) & 1) << (7 - (at & 7))
        at += 1
    return at


@compiled
def _pack(counts: np.ndarray) -> np.ndarray:
    """Pack stretches off, on, off, on ... of pixels, (C,) int64; (B,) uint8."""
    blocks = 0
    for count in counts:
        blocks += count * CHANNELS // LONGEST + 1
    packed = np.zeros((HEADER_BITS + blocks * 27) // 8 + 1, np.uint8)  # a block takes 1 + 2 + 16 + 8 bits at most
    at = _write_bits(packed, 0, counts.sum() * CHANNELS, 32)
    at = _write_bits(packed, at, 7, 5)
    for size in (3, 4, 8, 16):
        at = _write_bits(packed, at, size - 1, 4)
    for index in range(counts.size):
        rest = counts[index] * CHANNELS
        while rest > 0:
            length = min(rest, LONGEST)
            field, size = (0, 3) if length <= 8 else (1, 4) if length <= 16 else (2, 8) if length <= 256 else (3, 16)
            at = _write_bits(packed, at, 4 + field, 3)
            at = _write_bits(packed, at, length - 1, size)
            at = _write_bits(packed, at, 255 * (index & 1), 8)
            rest -= length
    return packed[: (at + 7) >> 3]


@compiled
def _read_bits(packed: np.ndarray, at: int, count: int) -> int:
    """Read `count` bits; -1 past the end."""
    if at + count > 8 * packed.size:
        return -1
    value = 0
    for place in range(at, at + count):
        value = (value << 1) | ((packed[place >> 3] >> (7 - (place & 7))) & 1)
    return value


@compiled
def _unpack(packed: np.ndarray, wanted: int) -> tuple[np.ndarray, int]:
    """Find the row-major runs of opaque pixels.

    Every value read takes a bit at least, so there are no more runs than bits.

    Returns:
        edges, and the number of values found; -1 where the file ends too early or announces another number.
    """
    empty = np.empty(0, np.int64)
    if _read_bits(packed, 0, 32) != wanted:
        return empty, -1
    edges = np.empty(2 * (8 * packed.size + 1), np.int64)
    word = _read_bits(packed, 32, 5) + 1
    at, value_at, filled = HEADER_BITS, 0, 0
    while value_at < wanted:
        head = _read_bits(packed, at, 3)
        size = _read_bits(packed, 37 + 4 * (head & 3), 4) + 1
        length = _read_bits(packed, at + 3, size) + 1
        if head < 0 or length < 1:
            return empty, -1
        at += 3 + size
        repeated = head >= 4
        for _ in range(1 if repeated else length):
            value = _read_bits(packed, at, word)
            if value < 0:
                return empty, -1
            at += word
            stop = value_at + (length if repeated else 1)
            # Alpha is every fourth value: of the values i to j, the pixels i // 4 to j // 4.
            start, end = value_at // CHANNELS, min(stop, wanted) // CHANNELS
            value_at = stop
            if value != 0 and end > start:
                if filled and edges[filled - 1] == start:
                    edges[filled - 1] = end
                else:
                    edges[filled], edges[filled + 1] = start, end
                    filled += 2
    return edges[:filled], value_at
