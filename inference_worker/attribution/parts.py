"""What a long build has already computed, a file for each part: a build that was killed goes on after its
last whole part.

Parts belong to the digest of what they were computed from; those of anything else are deleted.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inference_worker.attribution.array_file import decode_arrays, encode_arrays
from inference_worker.errors import IndexCorrupt

Arrays = dict[str, npt.NDArray[Any]]


class Parts:
    """The parts of one build, in a folder that nothing else uses."""

    def __init__(self, folder: Path, inputs: bytes) -> None:
        self._folder = folder / inputs.hex()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for other in folder.iterdir():
            if other != self._folder:
                shutil.rmtree(other)

    def kept(self, name: str, compute: Callable[[], Arrays], skipped: Callable[[], None]) -> Arrays:
        """The part's arrays, mapped: computed and written where they are not there yet, else `skipped` is
        called.
        """
        path = self._folder / name
        try:
            found = _read(path)
        except (FileNotFoundError, IndexCorrupt):
            _write(path, encode_arrays({}, compute()))
            return _read(path)
        skipped()
        return found

    def clear(self) -> None:
        """Delete all of them."""
        shutil.rmtree(self._folder)


def _read(path: Path) -> Arrays:
    return dict(decode_arrays(np.memmap(path, dtype=np.uint8, mode="r").data)[1])


def _write(path: Path, data: bytes) -> None:
    aside = path.with_name(f"{path.name}.part")
    with aside.open("wb") as sink:
        sink.write(data)
        sink.flush()
        os.fsync(sink.fileno())
    os.replace(aside, path)
