"""Where prompts are cut into pieces: at places that depend on the position alone.

A piece's bits depend on where it begins and ends. So two prompts that begin alike have equal keys and values
up to every cut that both reach, whatever follows, whoever asks, and whatever else is run.
"""

from __future__ import annotations


def next_cut(start: int, first: int, longest: int) -> int:
    """The cut after the cut `start`: a piece is as long as all before it, at least `first` tokens and at
    most `longest`. Small pieces early let short beginnings be shared; long ones later cost less."""
    return start + min(longest, max(first, start))


def cuts_within(tokens: int, first: int, longest: int) -> tuple[int, ...]:
    """The cuts, from the first piece's end on, that are not beyond `tokens`."""
    cuts: list[int] = []
    place = next_cut(0, first, longest)
    while place <= tokens:
        cuts.append(place)
        place = next_cut(place, first, longest)
    return tuple(cuts)
