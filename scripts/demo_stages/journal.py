"""What the demo has finished, on disk, so that an interrupted run goes on where it stopped.

Each entry is the JSON result of one named step. A step runs at most once per journal; its own effects
(transactions, blobs, jobs) are idempotent, so a step that was cut off in the middle is simply run again.
"""

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any


class Journal:
    """Results by step name, rewritten atomically after each step."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __getitem__(self, name: str) -> Any:
        return self._entries[name]

    def record(self, name: str, result: Any) -> Any:
        self._entries[name] = result
        partial = self._path.with_suffix(".partial")
        with partial.open("w") as file:
            json.dump(self._entries, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._path)
        return result

    async def once(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """The recorded result of `name`, or the result of running `work` now."""
        if name in self._entries:
            return self._entries[name]
        return self.record(name, await work())
