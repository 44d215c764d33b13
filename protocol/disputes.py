"""How a committee is drawn, what its votes decide and who is paid: pure, so that anyone can check a dispute.

Jurors are drawn by stake and with replacement, so that splitting one's stake over accounts changes nothing.
A seat earns the same for either verdict, or fees would pull the votes. Solidity twins:
contracts/libraries/DisputeRules.sol and StakeTree.sol; same vectors.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from protocol.errors import EncodingError
from protocol.hashing import Keccak, address_word, tag, words
from protocol.types import Address

SEATS = (5, 10)  # of the first round and of the appeal
ATTEMPTS_PER_SEAT = 16
WEIGHT_UNIT = 10 * 10**18  # of stake; what is left over has no weight
IDLE_DIVISOR = 10  # jurors of a round without a verdict share this part of a bond


class Verdict(IntEnum):
    """A vote, or what a round decided; NONE is no vote and no decision."""

    NONE = 0
    NOT_GUILTY = 1
    GUILTY = 2
    UNABLE = 3


@dataclass(frozen=True, slots=True)
class Tally:
    """The revealed votes of a round by seat; `seats` is 0 when it was never drawn."""

    seats: int
    guilty: int
    not_guilty: int

    @property
    def verdict(self) -> Verdict:
        """Guilty by two thirds of all seats; not guilty when as many voted and found less."""
        quorum = quorum_of(self.seats)
        if self.seats == 0 or self.guilty + self.not_guilty < quorum:
            return Verdict.NONE
        return Verdict.GUILTY if self.guilty >= quorum else Verdict.NOT_GUILTY

    def coherent(self, verdict: Verdict) -> int:
        """Seats that this end pays: those that said so, or all that judged where none was reached."""
        if verdict is Verdict.NONE:
            return self.guilty + self.not_guilty
        return self.guilty if verdict is Verdict.GUILTY else self.not_guilty


@dataclass(frozen=True, slots=True)
class Payout:
    """Wei to each side, per coherent seat of each round, and to the burn."""

    challenger: int = 0
    node: int = 0
    appellant: int = 0
    responder: int = 0
    first_fee: int = 0
    second_fee: int = 0
    burnt: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """A dispute at its end. `reward` is half of the slash; of the one that was due where none was made.

    `second` is None without an appeal; `responded` says that the winner of the first round staked on it too.
    """

    bond: int
    reward: int
    first: Tally
    second: Tally | None = None
    responded: bool = False

    @property
    def verdict(self) -> Verdict:
        """The appeal's, or the first round's where the appeal decided nothing."""
        second = Verdict.NONE if self.second is None else self.second.verdict
        return second or self.first.verdict


def quorum_of(seats: int) -> int:
    """Two thirds of the seats, rounded up."""
    return (2 * seats + 2) // 3


def dispute_id(epoch: int, node: Address, receipt_hash: bytes, keccak: Keccak) -> bytes:
    """Without the challenger: one receipt is disputed once."""
    return keccak(words(tag("dispute", keccak), epoch, address_word(node), receipt_hash))


def draw_seed(block_hash: bytes, dispute: bytes, round_index: int, keccak: Keccak) -> bytes:
    """The seed of one draw."""
    return keccak(words(tag("draw", keccak), block_hash, dispute, round_index))


def vote_digest(
    dispute: bytes, round_index: int, juror: Address, verdict: Verdict, salt: bytes, keccak: Keccak
) -> bytes:
    """What a juror commits to; it names its juror, so that a copied commitment can never be revealed."""
    return keccak(words(tag("vote", keccak), dispute, round_index, address_word(juror), int(verdict), salt))


def draw_point(seed: bytes, attempt: int, total: int, keccak: Keccak) -> int:
    """Where among `total` units of weight an attempt lands; the bias of the remainder is below 2^-220."""
    return int.from_bytes(keccak(words(seed, attempt)), "big") % total


def seat_at(weights: Sequence[int], point: int) -> int:
    """The place whose range of weight holds `point`."""
    for place, weight in enumerate(weights):
        if point < weight:
            return place
        point -= weight
    raise EncodingError(f"a point {point} past all weights")


def draw_seats(
    seed: bytes, weights: Sequence[int], eligible: Callable[[int], bool], seats: int, keccak: Keccak
) -> tuple[int, ...]:
    """The places drawn; none when not enough could be.

    An attempt that lands on an ineligible place is lost, so leaving gains nobody a seat.
    """
    drawn: list[int] = []
    total = sum(weights)
    for attempt in range(seats * ATTEMPTS_PER_SEAT if total else 0):
        place = seat_at(weights, draw_point(seed, attempt, total, keccak))
        if eligible(place):
            drawn.append(place)
        if len(drawn) == seats:
            return tuple(drawn)
    return ()


def payout(case: Case) -> Payout:
    """Who gets what at a dispute's end; it sums to the bonds, and to the reward where the node is guilty."""
    verdict, bond, first = case.verdict, case.bond, case.first
    if verdict is Verdict.NONE:
        fee = _per_seat(bond // IDLE_DIVISOR, first)
        return Payout(challenger=bond - fee * first.coherent(verdict), first_fee=fee)
    fee = _per_seat(min(bond // 2, case.reward // 2), first)
    paid = fee * first.coherent(verdict)
    appellant, responder, second_fee, burnt = _appeal_payout(case)
    guilty = verdict is Verdict.GUILTY
    return Payout(
        challenger=bond + case.reward - paid if guilty else 0,
        node=0 if guilty else bond - paid,
        appellant=appellant,
        responder=responder,
        first_fee=fee,
        second_fee=second_fee,
        burnt=burnt,
    )


def _appeal_payout(case: Case) -> tuple[int, int, int, int]:
    if case.second is None:
        return 0, 0, 0, 0
    decided = case.second.verdict
    staked = case.bond if case.responded else 0
    fee = _per_seat(case.bond if decided else case.bond // IDLE_DIVISOR, case.second)
    rest = 2 * case.bond - fee * case.second.coherent(decided)
    if decided is Verdict.NONE:
        return rest, staked, fee, 0
    if decided is not case.first.verdict:
        return rest + staked, 0, fee, 0
    prize = rest // 2 if case.responded else 0
    return 0, staked + prize, fee, rest - prize


def _per_seat(amount: int, tally: Tally) -> int:
    return amount // tally.seats if tally.seats else 0
