"""What a person at the terminal sees: a line per step, a heartbeat in long ones, a table at the end."""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

HEARTBEAT_SECONDS = 5.0  # a progress line never stands still for more than 10 s


@dataclass
class Console:
    """Prints progress to `out`; with `--json` that is stderr, so that stdout holds one object."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    _activity: str = ""
    _began: float = 0.0
    _last: float = 0.0

    def say(self, text: str) -> None:
        self._last = time.monotonic()
        print(text, file=self.out, flush=True)

    def heading(self, number: int, name: str, what: str) -> None:
        self.say(
            f"\n\033[1m{number}. {name}\033[0m  {what}"
            if self.out.isatty()
            else f"\n{number}. {name}  {what}"
        )

    def progress(self, done: int, total: int, text: str, eta_seconds: float | None = None) -> None:
        eta = "" if eta_seconds is None else f"  about {eta_seconds:.0f} s left"
        self.say(f"   {done:>5}/{total} {text}{eta}")

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Announces `what`, beats while it lasts, and says how long it took."""
        began = time.monotonic()
        self.say(f"   {what} …")
        stopped = threading.Event()
        beat = threading.Thread(target=self._beat, args=(what, began, stopped), daemon=True)
        beat.start()
        try:
            yield
        finally:
            stopped.set()
            beat.join()
        self.say(f"   {what}: done in {time.monotonic() - began:.1f} s")

    def _beat(self, what: str, began: float, stopped: threading.Event) -> None:
        while not stopped.wait(HEARTBEAT_SECONDS):
            if time.monotonic() - self._last >= HEARTBEAT_SECONDS:
                self.say(f"   … {what}, {time.monotonic() - began:.0f} s")

    def table(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """Rows of (stage, number, what the number says), aligned."""
        widths = [max(len(row[column]) for row in rows) for column in range(2)]
        for stage, number, meaning in rows:
            self.say(f"  {stage:<{widths[0]}}  {number:>{widths[1]}}  {meaning}")
