"""Gives memory that the allocator holds free back to the system."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any


def _trimmer() -> Callable[[int], Any] | None:
    if sys.platform != "linux":
        return None
    # glibc's own; other C libraries on Linux have no such function.
    trim: Callable[[int], Any] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim


_TRIM = _trimmer()


def trim() -> None:
    """Return what glibc keeps of freed blocks, in all threads' arenas; nothing where there is no glibc.

    After large temporaries only: it takes about a millisecond, during which allocations wait.
    """
    if _TRIM is not None:
        _TRIM(0)
