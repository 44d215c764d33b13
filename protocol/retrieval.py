"""The retrieval lane, rule `retrieval-1`: what each row in a prompt added to the answer, in whole micro-nats.

The answer's log-likelihood under the served adapter is measured with some of the rows left out. A row's part
is its Shapley value: what it adds after those before it, on average over orders; all orders up to four
rows, two drawn ones with their reverses above. So the parts add up to what all rows added together, and rows
that say the same share what one of them adds. A row earns what is above the most that any of eight drawn
rows of the version did in its place. Integers only; who has the measurements has the lane.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Self

from protocol.canonical import canonical_json
from protocol.context import MAX_CONTEXT_ROWS
from protocol.errors import AttributionError
from protocol.fields import Fields
from protocol.hashing import sha256
from protocol.lanes import BASE_MICRONATS_PER_TOKEN, Lane, LaneUnits
from protocol.manifest import GRANTED, Manifest
from protocol.types import MAX_UINT32

RULE = "retrieval-1"
EXACT_ROWS = 4
DRAWN_ORDERS = 2
NULLS = 8
MAX_MICRONATS = 1 << 40
# What measuring one answer may take, in tokens run through the model behind what all prompts share.
MAX_MEASURED_TOKENS = 1 << 16

Order = tuple[int, ...]
"""Places of all rows of a context, first to last."""


@dataclass(frozen=True, slots=True)
class Null:
    """A drawn row in the place of a retrieved one: the answer's log-likelihood with it alone, and with it
    beside the others.
    """

    row: int
    place: int
    alone: int
    instead: int


@dataclass(frozen=True, slots=True)
class Ablations:
    """Log-likelihoods of one answer in micro-nats: `base` under the base without rows, the others under the
    served adapter. `values` are (rows kept, as bits by place, log-likelihood), ascending.
    """

    base: int
    values: tuple[tuple[int, int], ...]
    nulls: tuple[Null, ...]

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        nulls = [[null.row, null.place, null.alone, null.instead] for null in self.nulls]
        return {"base": self.base, "values": [list(pair) for pair in self.values], "nulls": nulls}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """The inverse of `to_json`; a FieldError for anything else."""
        found = cls(
            fields.integer("base", -MAX_MICRONATS, MAX_MICRONATS),
            fields.each("values", 1 << MAX_CONTEXT_ROWS, lambda path, item: _pair(fields, path, item)),
            fields.each("nulls", NULLS, lambda path, item: _null(fields, path, item)),
        )
        fields.done()
        return found


def retrievable_rows(manifest: Manifest) -> tuple[int, ...]:
    """The rows that may stand in a prompt: open, under consent, and the first of their cluster."""
    rows = manifest.rows
    return tuple(
        row.index for row in rows if not row.gated and row.consent == GRANTED and row.cluster == row.index
    )


def seed_of(index_cid: str, manifest_cid: str, prompt: Sequence[int], output: Sequence[int]) -> bytes:
    """What orders and nulls are drawn by: a function of the answer that nobody chooses apart from it."""
    return sha256(canonical_json([RULE, index_cid, manifest_cid, list(prompt), list(output)]))


def orders_of(count: int, seed: bytes) -> tuple[Order, ...]:
    """The orders in which rows are added: every one up to EXACT_ROWS rows, else drawn ones and reverses."""
    if not 0 < count <= MAX_CONTEXT_ROWS:
        raise AttributionError(f"{count} rows in a context, 1 to {MAX_CONTEXT_ROWS} are possible")
    if count <= EXACT_ROWS:
        return tuple(permutations(range(count)))
    numbers = _numbers(seed + b"orders")
    drawn = [_drawn(count, count, numbers) for _ in range(DRAWN_ORDERS)]
    return tuple(order for one in drawn for order in (one, one[::-1]))


def masks_of(orders: Sequence[Order]) -> tuple[int, ...]:
    """Which sets of rows, as bits by place, have to be measured; ascending."""
    return tuple(sorted({mask for order in orders for mask in _chain(order)}))


def null_places(orders: Sequence[Order]) -> tuple[int, ...]:
    """In whose place each null stands: that of a row that comes last in some order."""
    return tuple(orders[number * len(orders) // NULLS][-1] for number in range(NULLS))


def draw_nulls(eligible: Sequence[int], retrieved: Sequence[int], seed: bytes) -> tuple[int, ...]:
    """NULLS rows that were not retrieved; none where the version has fewer. `eligible` as
    `retrievable_rows` gives them, ascending.
    """
    if len(eligible) - sum(_holds(eligible, row) for row in retrieved) < NULLS:
        return ()
    found: dict[int, None] = {}
    numbers = _numbers(seed + b"nulls")
    while len(found) < NULLS:
        row = int(eligible[next(numbers) % len(eligible)])
        if row not in retrieved:
            found[row] = None
    return tuple(found)


def retrieval_lane(rows: Sequence[int], found: Ablations, orders: Sequence[Order], tokens: int) -> LaneUnits:
    """The lane of an answer of so many tokens; `rows` in the order of the prompt.

    Its whole is what the rows added, what the adapter had added without them, and the base's floor. Raises
    AttributionError where the measurements are not those that the orders need.
    """
    values, full = dict(found.values), (1 << len(rows)) - 1
    if tuple(mask for mask, _ in found.values) != masks_of(orders):
        raise AttributionError(f"log-likelihoods of {sorted(values)}, but {masks_of(orders)} were needed")
    if tuple(null.place for null in found.nulls) != null_places(orders):
        raise AttributionError("nulls do not stand in the places that the orders give them")
    scale = len(orders)
    gain = scale * max(0, values[full] - values[0])
    rest = scale * (max(0, values[0] - found.base) + BASE_MICRONATS_PER_TOKEN * tokens)
    bar = max(0, *(_null_part(null, values, full, scale) for null in found.nulls))
    excess = {row: part - bar for row, part in zip(rows, shapley_sums(values, orders), strict=True)}
    above = {row: units for row, units in sorted(excess.items()) if units > 0}
    total = max(sum(above.values()), gain)
    units = tuple((row, part * gain // total) for row, part in above.items() if part * gain // total)
    return LaneUnits(Lane.RETRIEVAL, units, gain + rest - sum(part for _, part in units), ran=True)


def shapley_sums(values: dict[int, int], orders: Sequence[Order]) -> tuple[int, ...]:
    """By place, what the row added in each order, summed; all together make what all rows added, once for
    each order.
    """
    sums = [0] * len(orders[0])
    for order in orders:
        chain = _chain(order)
        for place, before, after in zip(order, chain, chain[1:], strict=False):
            sums[place] += values[after] - values[before]
    return tuple(sums)


def _null_part(null: Null, values: dict[int, int], full: int, scale: int) -> int:
    """What a null adds first and last, which is its Shapley value where rows interact in pairs only."""
    first = null.alone - values[0]
    last = null.instead - values[full ^ 1 << null.place]
    return scale * (first + last) // 2


def _chain(order: Order) -> tuple[int, ...]:
    masks = [0]
    for place in order:
        masks.append(masks[-1] | 1 << place)
    return tuple(masks)


def _holds(ascending: Sequence[int], row: int) -> bool:
    place = bisect_left(ascending, row)
    return place < len(ascending) and ascending[place] == row


def _numbers(seed: bytes) -> Iterator[int]:
    count = 0
    while True:
        yield int.from_bytes(sha256(seed + count.to_bytes(8, "big")), "big")
        count += 1


def _drawn(size: int, count: int, numbers: Iterator[int]) -> Order:
    """`count` distinct places below `size`."""
    found: dict[int, None] = {}
    while len(found) < count:
        found[next(numbers) % size] = None
    return tuple(found)


def _pair(fields: Fields, path: str, item: object) -> tuple[int, int]:
    mask, value = _whole(fields, path, item, 2)
    if not (0 <= mask < 1 << MAX_CONTEXT_ROWS and abs(value) <= MAX_MICRONATS):
        raise fields.wrong(path, f"rows {mask} or log-likelihood {value} out of range")
    return mask, value


def _null(fields: Fields, path: str, item: object) -> Null:
    row, place, alone, instead = _whole(fields, path, item, 4)
    known = 0 <= row <= MAX_UINT32 and 0 <= place < MAX_CONTEXT_ROWS
    if not known or max(abs(alone), abs(instead)) > MAX_MICRONATS:
        raise fields.wrong(path, f"row {row}, place {place}, or its log-likelihoods out of range")
    return Null(row, place, alone, instead)


def _whole(fields: Fields, path: str, item: object, count: int) -> list[int]:
    if not isinstance(item, list) or len(item) != count or not all(type(part) is int for part in item):
        raise fields.wrong(path, f"must be {count} whole numbers")
    return item
