"""Hypothesis strategies and made-up records for the tests of the rules."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

from eth_hash.auto import keccak
from hypothesis import strategies as st

from protocol.attribution import Lane, LaneUnits, merge, published
from protocol.cid import cid_of_raw
from protocol.epoch import Statement
from protocol.hashing import sha256, to_hex
from protocol.manifest import GRANTED, Manifest, ManifestRow
from protocol.parameters import DEFAULTS
from protocol.receipt import Receipt
from protocol.rewards import Terms, receipt_lines, stakers_account
from protocol.spans import Match, SpanFinds
from protocol.types import Address

words32 = st.binary(min_size=32, max_size=32)
amounts = st.integers(0, 10**24)
accounts = st.integers(1, 40).map(lambda n: account(n))


def account(number: int) -> Address:
    return Address("0x" + f"{number:040x}")


def word(*parts: object) -> bytes:
    return keccak(repr(parts).encode())


def receipt(
    seq: int = 1, price: int = 1000, channel: object = 0, node: int = 7, **changes: object
) -> Receipt:
    fields: dict[str, object] = {
        "request_id": word("request", channel, seq, node),
        "channel_id": word("channel", channel, node),
        "seq": seq,
        "model_id": 1,
        "datanet_version_key": (2 << 64) | 1,
        "prompt_digest": word("prompt", seq),
        "output_root": word("output", seq),
        "attribution_root": word("attribution", seq),
        "method_id": word("method"),
        "profile_id": word("profile"),
        "parameters_version": DEFAULTS.version,
        "prompt_tokens": 5,
        "output_tokens": 9,
        "price": price,
        "cumulative": price,
        "node": account(node),
        "requested_at": 1000,
        "issued_at": 1001,
    }
    return Receipt(**{**fields, **changes})  # type: ignore[arg-type]


def manifest(
    owners: Sequence[int], clusters: Sequence[int] | None = None, revoked: Sequence[int] = ()
) -> Manifest:
    """Rows 0..n-1 of the given owners; each its own cluster unless said otherwise."""
    digests = sorted(to_hex(sha256(b"row %d" % place)) for place in range(len(owners)))
    rows = tuple(
        ManifestRow(
            index=place,
            digest=digests[place],
            owner=account(owner),
            cluster=place if clusters is None else clusters[place],
            licence="CC0-1.0",
            consent="revoked" if place in revoked else GRANTED,
            gated=False,
            cid=cid_of_raw(b"row %d" % place).text,
        )
        for place, owner in enumerate(owners)
    )
    return Manifest(1, 1, 0, rows, ())


def terms(**changes: object) -> Terms:
    fields: dict[str, object] = {
        "owner": account(100),
        "operator": account(101),
        "stakers_account": stakers_account(account(7), keccak),
        "treasury": account(102),
    }
    return Terms(**{**fields, **changes})  # type: ignore[arg-type]


@st.composite
def ppm_lists(draw: st.DrawFn, whole: int = 1_000_000) -> tuple[tuple[Address, int], ...]:
    """A list of (account, ppm) that makes `whole`, or an empty one."""
    cuts = sorted(draw(st.lists(st.integers(0, whole), max_size=4)))
    if not cuts and draw(st.booleans()):
        return ()
    edges = [0, *cuts, whole]
    parts = [after - before for before, after in pairwise(edges)]
    return tuple((account(200 + place), part) for place, part in enumerate(parts))


@st.composite
def statements(draw: st.DrawFn, node: int, epoch: int) -> Statement:
    """A statement whose receipts are split by the default rules, some paid in part."""
    prices = draw(st.lists(st.integers(0, 10**20), max_size=4))
    report = merge(
        [LaneUnits(Lane.GRADIENT, tuple(draw(lane_units(6)).items()), draw(st.integers(0, 9)), True)],
        DEFAULTS.lane_weights,
        manifest([1, 2, 3, 1, 2, 3]),
        bytes(32),
    )
    lines, receipts = [], []
    for seq, price in enumerate(prices, start=1):
        one = receipt(seq, price, channel=epoch, node=node)
        paid = draw(st.integers(0, price))
        lines += receipt_lines(one, paid, report, terms(), DEFAULTS)
        receipts.append(one)
    stated = tuple(published(report) for _ in receipts) if draw(st.booleans()) else ()
    return Statement(account(node), epoch, tuple(sorted(lines)), tuple(receipts), stated)


def span_finds(units: Sequence[tuple[int, int]], rest: int, ran: bool = True) -> SpanFinds:
    """A span lane in which each row covers as many tokens as `units` says, and `rest` are uncovered."""
    ranked = sorted((-count, row) for row, count in units if count)[: 20 if ran else 0]
    starts = accumulate((-count for count, _ in ranked), initial=0)
    matches = tuple(Match(start, -count, row, 0) for start, (count, row) in zip(starts, ranked, strict=False))
    return SpanFinds(matches, sum(match.length for match in matches) + rest, ran)


def lane_units(rows: int) -> st.SearchStrategy[dict[int, int]]:
    return st.dictionaries(st.integers(0, rows - 1), st.integers(0, 10**6), max_size=rows)


def json_values() -> st.SearchStrategy[object]:
    """Values with a canonical form."""
    text = st.text(st.characters(blacklist_categories=("Cs",)), max_size=12)
    scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | text
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4)
    )
