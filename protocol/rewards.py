"""How one price becomes lines: who earns what part of it, to the wei.

A price splits by role in the order of `Split`; the model owner's part goes first to the parents' royalties;
the data part goes to labour other than rows, then by the answer's attribution report, whose unattributed
part goes by the version's coverage shares, or to the treasury where there are none. Every step rounds
cumulatively, so nothing is lost or made.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields

from protocol.attribution import AttributionReport
from protocol.errors import EncodingError, SettlementError, SharesDoNotSum
from protocol.hashing import Keccak, address_word, tag, words
from protocol.parameters import BURN_ACCOUNT, MAX_ROYALTIES_PPM, Parameters, Split
from protocol.receipt import Receipt
from protocol.shares import scores_to_shares, split_by_ppm
from protocol.types import MAX_WEI, TOTAL_PPM, Address

_Portion = tuple[Address, int]


@dataclass(frozen=True, slots=True)
class Terms:
    """Who stands behind one answer: the model's and its version's (account, ppm) lists, as of the request.

    `royalties` are parts of the model owner's share, at most MAX_ROYALTIES_PPM in all; `labour` and
    `coverage` each make TOTAL_PPM or are empty.
    """

    owner: Address
    operator: Address
    stakers_account: Address
    treasury: Address
    royalties: tuple[tuple[Address, int], ...] = ()
    labour: tuple[tuple[Address, int], ...] = ()
    coverage: tuple[tuple[Address, int], ...] = ()

    def __post_init__(self) -> None:
        royalties = sum(ppm for _, ppm in self.royalties)
        if royalties > MAX_ROYALTIES_PPM or any(ppm < 0 for _, ppm in self.royalties):
            raise EncodingError(f"royalties {self.royalties} are negative or above {MAX_ROYALTIES_PPM} ppm")
        for what, portions in (("labour", self.labour), ("coverage", self.coverage)):
            total = sum(ppm for _, ppm in portions)
            if portions and total != TOTAL_PPM:
                raise SharesDoNotSum(what, TOTAL_PPM, total)


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """What one earner gets of one request; ordered by (earner, request)."""

    earner: Address
    request_id: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class RoleAmounts:
    """A price by role, in wei."""

    burn: int
    treasury: int
    model_owner: int
    operator: int
    stakers: int
    data: int

    @property
    def named(self) -> tuple[tuple[str, int], ...]:
        """Each role in words with its amount, in the order in which the price is rounded."""
        names = (field.name.replace("_", " ") for field in fields(self))
        return tuple(zip(names, astuple(self), strict=True))


def split_price(price: int, split: Split) -> RoleAmounts:
    """The six parts; they sum to `price`."""
    return RoleAmounts(*split_by_ppm(price, split.parts))


def receipt_lines(
    receipt: Receipt, paid: int, report: AttributionReport, terms: Terms, params: Parameters
) -> tuple[Line, ...]:
    """Lines of what was paid of a receipt: sorted, one per earner, none zero, sum == paid <= price."""
    if not 0 <= paid <= receipt.price:
        raise SettlementError(f"paid {paid} of a price of {receipt.price}")
    if params.version != receipt.parameters_version:
        raise SettlementError(f"receipt obeys parameters {receipt.parameters_version}, not {params.version}")
    amounts = split_price(paid, params.split)
    return lines_of(
        receipt.request_id,
        (
            (BURN_ACCOUNT, amounts.burn),
            (terms.treasury, amounts.treasury),
            *_owner_portions(amounts.model_owner, terms),
            (terms.operator, amounts.operator),
            (terms.stakers_account, amounts.stakers),
            *_data_portions(amounts.data, report, terms, params),
        ),
    )


def lines_of(request: bytes, portions: Iterable[tuple[Address, int]]) -> tuple[Line, ...]:
    """Portions merged by earner, sorted, without zeros."""
    merged: dict[Address, int] = {}
    for earner, amount in portions:
        merged[earner] = merged.get(earner, 0) + amount
    return tuple(Line(earner, request, merged[earner]) for earner in sorted(merged) if merged[earner])


def stakers_account(node: Address, keccak: Keccak) -> Address:
    """The account under which a node's stakers earn: 20 bytes of H(TAG_STAKERS, node), no one's key."""
    return Address("0x" + keccak(words(tag("stakers", keccak), address_word(node)))[12:].hex())


def paid_of(prices: Sequence[int], before: int, upto: int) -> tuple[int, ...]:
    """What a claim that moves a channel from `before` to `upto` wei pays of each price, in `seq` order.

    Receipts are paid in order, each in full before the next, so only the first and last can be paid in part.
    """
    if not 0 <= before <= upto <= sum(prices) <= MAX_WEI:
        raise SettlementError(f"a claim from {before} to {upto} of receipts worth {sum(prices)}")
    paid = []
    start = 0
    for price in prices:
        end = start + price
        paid.append(max(0, min(end, upto) - max(start, before)))
        start = end
    return tuple(paid)


def _owner_portions(amount: int, terms: Terms) -> Iterator[_Portion]:
    parts = [ppm for _, ppm in terms.royalties]
    *royalties, rest = split_by_ppm(amount, [*parts, TOTAL_PPM - sum(parts)])
    yield from zip((account for account, _ in terms.royalties), royalties, strict=True)
    yield terms.owner, rest


def _data_portions(
    amount: int, report: AttributionReport, terms: Terms, params: Parameters
) -> Iterator[_Portion]:
    labour_ppm = params.labour_ppm if terms.labour else 0
    labour, rows = split_by_ppm(amount, (labour_ppm, TOTAL_PPM - labour_ppm))
    yield from _by_list(labour, terms.labour)
    *shares, unattributed = scores_to_shares(
        [*(entry.ppm for entry in report.entries), report.unattributed_ppm], rows
    )
    yield from zip((entry.owner for entry in report.entries), shares, strict=True)
    yield from _by_list(unattributed, terms.coverage or ((terms.treasury, TOTAL_PPM),))


def _by_list(amount: int, portions: Sequence[_Portion]) -> Iterator[_Portion]:
    parts = scores_to_shares([ppm for _, ppm in portions], amount)
    yield from zip((account for account, _ in portions), parts, strict=True)
