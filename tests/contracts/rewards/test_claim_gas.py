"""What a claim costs where many have earned."""

from dataclasses import dataclass
from typing import Any

import pytest

from node.chain.keccak import keccak
from protocol.epoch import cumulative_leaf
from protocol.hashing import tag, words
from protocol.types import Address
from tests.contracts.channel import open_channel
from tests.contracts.epochs import CID, Ledger
from tests.contracts.world import Mined, World

DEPTH = 17
BOUND = 80_000


@dataclass(frozen=True)
class Deep:
    """A root over 2^17 leaves of which one path is known, and the proof of that path's leaf."""

    root: bytes
    total: int
    proof: Any


def deep(account: Address, cumulative: int) -> Deep:
    leaf = cumulative_leaf(account, cumulative)
    digest, total = keccak(words(tag("sum_leaf", keccak), leaf.key, leaf.amount)), cumulative
    path = [(keccak(bytes([level])), 10**22 + level) for level in range(DEPTH)]
    index = 0b10101010101010101
    for level, (beside, amount) in enumerate(path):
        pair = (beside, amount, digest, total) if index >> level & 1 else (digest, total, beside, amount)
        digest, total = keccak(words(tag("sum_node", keccak), *pair)), total + amount
    root = keccak(words(tag("sum_root", keccak), digest, 1 << DEPTH, total))
    return Deep(root, total, (index, 1 << DEPTH, path))


def settle_deep(ledger: Ledger, cumulative: int, last: Deep | None) -> Deep:
    """Brings a root over 2^17 leaves through the settlement as any other."""
    world = ledger.world
    made = deep(world.plain("contributor"), cumulative)
    before = last or Deep(bytes(32), 0, None)
    epoch = ledger.earn("node", made.total - before.total)
    world.pass_to(ledger.end_of(epoch))
    ledger.publish(ledger.statement(epoch, "node", {"contributor": made.total - before.total}), "node")
    call = world.settlement.functions.commit((epoch, before.root, bytes(32), made.root, made.total, CID))
    mined = world.send(call, "node")
    ledger.finalize(epoch, at=mined.time + world.settings.challenge_window)
    return made


def claim(world: World, cumulative: int, made: Deep, sender: str) -> Mined:
    call = world.distributor.functions.claim(world.address("contributor"), cumulative, made.proof)
    return world.send(call, sender)


def repeated_claim_gas(ledger: Ledger, sender: str) -> int:
    """What the second claim of one account costs."""
    world = ledger.world
    ledger._channels["node"] = open_channel(world, 10**24)
    world.stake("node", 10**25)
    first = settle_deep(ledger, 10**6, None)
    claim(world, 10**6, first, sender)
    second = settle_deep(ledger, 3 * 10**6, first)
    mined = claim(world, 3 * 10**6, second, sender)
    assert world.balance("contributor") == 3 * 10**6
    return mined.gas


@pytest.mark.parametrize("sender", ["contributor", "stranger"])
def test_a_repeated_claim_among_a_hundred_thousand_earners(ledger: Ledger, sender: str) -> None:
    """SPEC 8.46: at depth 17 a repeated claim costs at most 80,000 gas, relayed or not."""
    assert repeated_claim_gas(ledger, sender) <= BOUND
