"""Counts the pages of key-value memory: what sequences hold, and what is kept for others to reuse.

Pure and torch-free. A page is room for PAGE_POSITIONS positions of one sequence in all layers. Sequences come
first: what is only kept is given up, least recently used first, as soon as a sequence needs the room.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

# At 64 floats a head, 16 positions of one head fill one page of the operating system exactly.
PAGE_POSITIONS = 16


def pages_for(positions: int) -> int:
    """Pages that hold so many positions."""
    return -(-positions // PAGE_POSITIONS)


class PagePool:
    """The book of one worker's pages: held + kept + free == total. Not thread-safe: its owner holds a lock.

    `on_evict` is told the name of each kept entry that is given up.
    """

    def __init__(self, total: int, on_evict: Callable[[bytes], None]) -> None:
        self.total, self._on_evict = total, on_evict
        self.held = self.kept = 0
        self._holders: dict[int, int] = {}
        self._entries: OrderedDict[bytes, int] = OrderedDict()

    @property
    def free(self) -> int:
        """Pages that nobody has."""
        return self.total - self.held - self.kept

    @property
    def obtainable(self) -> int:
        """Pages that a sequence can get: the free ones and the kept ones."""
        return self.total - self.held

    def __contains__(self, name: bytes) -> bool:
        return name in self._entries

    def held_by(self, sequence: int) -> int:
        """Pages of one sequence."""
        return self._holders.get(sequence, 0)

    def hold(self, sequence: int, pages: int) -> bool:
        """Let a sequence hold at least so many pages; False, with nothing changed, when others hold too
        many."""
        more = pages - self.held_by(sequence)
        if more > self.obtainable:
            return False
        if more > 0:
            self._give_up(more)
            self._holders[sequence] = pages
            self.held += more
        return True

    def release(self, sequence: int) -> None:
        """Free all that a sequence holds; one that holds nothing is ignored."""
        self.held -= self._holders.pop(sequence, 0)

    def keep(self, name: bytes, pages: int) -> bool:
        """Keep an entry for as long as no sequence needs its room; False if there is none without taking
        from a sequence, or if the entry is kept already."""
        if name in self._entries or pages > self.obtainable:
            return False
        self._give_up(pages)
        self._entries[name] = pages
        self.kept += pages
        return True

    def touch(self, names: Sequence[bytes]) -> None:
        """Mark kept entries as used, the first of them last, so that it outlives those behind it."""
        for name in reversed(names):
            if name in self._entries:
                self._entries.move_to_end(name)

    def _give_up(self, needed: int) -> None:
        while self.free < needed:
            name, pages = self._entries.popitem(last=False)
            self.kept -= pages
            self._on_evict(name)
