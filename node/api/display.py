"""How numbers, addresses and attributed text are shown. Pure: it reads no clock, no file and no chain."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from node.training.reports import Provenance
from protocol.spans import Match
from protocol.validity import encode_validity
from protocol.validity_text import sentences

WEI = 10**18
COLOURS = 8
THIN_SPACE = "\u202f"
GLYPH_ROWS = 5
SIGNIFICANT = 6


def grouped(number: int) -> str:
    """An integer with thin spaces between thousands."""
    return f"{number:,}".replace(",", THIN_SPACE)


def amount(wei: int) -> str:
    """OPEN, exactly: every digit down to the wei, without zeros at the end."""
    whole, rest = divmod(abs(wei), WEI)
    digits = f"{rest:018d}".rstrip("0")
    text = grouped(whole) + ("." + digits if digits else "")
    return f"−{text}" if wei < 0 else text


def rounded(wei: int) -> str:
    """OPEN for a glance: cut, never rounded up, to six digits that say something."""
    whole, rest = divmod(wei, WEI)
    digits = f"{rest:018d}"
    leading = len(digits) - len(digits.lstrip("0"))
    kept = digits[: leading + SIGNIFICANT if whole == 0 else SIGNIFICANT].rstrip("0")
    return grouped(whole) + ("." + kept if kept else "")


def percent(ppm: int) -> str:
    """Parts per million as per cent, exactly, with at least one decimal."""
    whole, rest = divmod(ppm, 10_000)
    digits = f"{rest:04d}".rstrip("0").ljust(1, "0")
    return f"{whole}.{digits} %"


def nats(micronats: int) -> str:
    """Log-likelihood to two decimals, in nats."""
    return f"{micronats / 1_000_000:.2f}".replace("-", "−")


def size(nbytes: int) -> str:
    """Bytes in the unit that leaves the fewest digits before the point, with one behind it."""
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if nbytes >= 1024**power:
            return f"{nbytes / 1024**power:.1f} {unit}"
    return f"{nbytes} B"


def figures(number: float) -> str:
    """A measured number to three figures, never with an exponent."""
    if number == 0:
        return "0"
    return f"{number:.{max(0, 2 - math.floor(math.log10(abs(number))))}f}"


def short(address: str) -> str:
    """An address or digest that a reader can still compare at both ends."""
    return address if len(address) <= 16 else f"{address[:8]}…{address[-6:]}"


def utc(seconds: int) -> str:
    """A moment, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(seconds: int) -> str:
    """The two largest units of a span of time."""
    left, parts = max(0, seconds), []
    for size, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


@dataclass(frozen=True)
class Segment:
    """One part of a bar that is 1000 units wide; `colour` 0 is the unattributed grey."""

    label: str
    value: int
    x: float
    width: float
    colour: int


def bar(parts: Sequence[tuple[str, int, int]]) -> tuple[Segment, ...]:
    """A stacked bar of (label, value, colour), widths by share of the sum; one of nothing has no segment."""
    total = sum(value for _, value, _ in parts)
    segments, before = [], 0
    for label, value, colour in parts:
        if value > 0:
            segments.append(Segment(label, value, _units(before, total), _units(value, total), colour))
        before += value
    return tuple(segments)


def _units(value: int, total: int) -> float:
    return round(1000 * value / total, 3)


def colours(accounts: Sequence[str]) -> dict[str, int]:
    """A colour 1..8 by order of appearance; the ninth account and later share the last."""
    return {account: min(place, COLOURS) for place, account in enumerate(dict.fromkeys(accounts), start=1)}


@dataclass(frozen=True)
class Run:
    """A piece of an answer: plain where `row` is None, else text that `row` holds too."""

    text: str
    row: int | None


def runs(token_texts: Sequence[str], spans: Sequence[Match]) -> tuple[Run, ...]:
    """The answer cut where attribution changes. Joined, the texts are the answer again.

    A token that two spans cover belongs to the longer, then to the earlier one, as in the span rule. Spans
    begin and end at whole words in display, unless nothing would be left of them.
    """
    text = "".join(token_texts)
    offsets = [0]
    for piece in token_texts:
        offsets.append(offsets[-1] + len(piece))
    owner: list[int | None] = [None] * len(text)
    for span in sorted(spans, key=lambda one: (one.length, -one.start)):
        start = offsets[min(span.start, len(token_texts))]
        end = offsets[min(span.start + span.length, len(token_texts))]
        start, end = _whole_words(text, start, end)
        owner[start:end] = [span.row] * (end - start)
    return _cut(text, owner)


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    first, last = start, end
    while first < last and first > 0 and text[first - 1].isalnum() and text[first].isalnum():
        first += 1
    while last > first and last < len(text) and text[last - 1].isalnum() and text[last].isalnum():
        last -= 1
    while first < last and text[first].isspace():
        first += 1
    while last > first and text[last - 1].isspace():
        last -= 1
    return (first, last) if first < last else (start, end)


def _cut(text: str, owner: Sequence[int | None]) -> tuple[Run, ...]:
    found: list[Run] = []
    start = 0
    for position in range(1, len(text) + 1):
        if position == len(text) or owner[position] != owner[start]:
            found.append(Run(text[start:position], owner[start]))
            start = position
    return tuple(found)


def glyph(address: str) -> tuple[tuple[int, int], ...]:
    """The filled cells (x, y) of a symmetric 5x5 figure, by which an address is recognised at a glance."""
    digits = int(address, 16) if address.startswith("0x") else sum(map(ord, address))
    left = [(x, y) for y in range(GLYPH_ROWS) for x in range(3) if digits >> (y * 3 + x) & 1]
    return tuple(sorted({*left, *((GLYPH_ROWS - 1 - x, y) for x, y in left)}))


def validity_json(found: Provenance) -> dict[str, object]:
    """A validity report for readers of the API: its figures and sentences; losses stay in the file itself."""
    told = json.loads(encode_validity(found.report))
    told["retrainings"] = [
        {name: value for name, value in one.items() if name != "losses"} for one in told["retrainings"]
    ]
    return {
        "cid": found.cid.text,
        "source": found.source,
        "ordered_at": found.ordered_at,
        "sentences": list(sentences(found.report)),
        **told,
    }
