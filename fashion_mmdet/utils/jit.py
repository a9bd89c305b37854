"""Loops that numba compiles, for work that numpy, OpenCV and pycocotools do too slowly mask by mask."""

from collections.abc import Callable

import numba


def compiled(function: Callable) -> Callable:
    """Compile at the first call and keep the machine code beside the source or in the user's cache.

    Where neither can be written (a read-only image run by a stranger), every process compiles for itself: some seconds.
    """
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba: no locator available
        return numba.njit(nogil=True)(function)
