"""Host memory that a GPU copies from by itself, for the adapters that wait there for a slot.

It is registered page by page as it is, since torch's own pinned memory comes in powers of two, and bytes
would no longer be the account's.
"""

from __future__ import annotations

import mmap
import sys
from typing import Any

import torch


class PinFailed(Exception):
    """The driver did not lock the pages."""

    def __init__(self, size: int, error: object) -> None:
        super().__init__(f"{size} bytes could not be pinned: {error}; lower --adapter-bytes")
        self.size, self.error = size, error


class _PinnedPages(mmap.mmap):
    """Pages that are locked from `pin` on until the object goes."""

    _address = 0

    def pin(self) -> None:
        """Lock them; raises PinFailed."""
        address = torch.frombuffer(self, dtype=torch.uint8).data_ptr()
        runtime: Any = torch.cuda.cudart()  # type: ignore[no-untyped-call]
        error = runtime.cudaHostRegister(address, len(self), 0)
        if int(error):
            raise PinFailed(len(self), error)
        self._address = address

    def __del__(self) -> None:
        # Before the memory goes, which the base class does after this.
        if self._address and not sys.is_finalizing():
            torch.cuda.cudart().cudaHostUnregister(self._address)  # type: ignore[no-untyped-call]


def pinned_pages(size: int) -> mmap.mmap:
    """Fresh memory that stays locked as long as it lives. Needs a CUDA device."""
    pages = _PinnedPages(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        pages.madvise(mmap.MADV_HUGEPAGE)
    pages.pin()
    return pages
