"""How small a claim others may make in one's name."""

import pytest

from tests.contracts.epochs import Ledger
from tests.contracts.rewards.claims import set_minimum
from tests.contracts.world import World, reverts


@pytest.mark.parametrize(("minimum", "accepted"), [(0, True), (299, True), (300, True), (301, False)])
def test_less_than_the_minimum_is_not_relayed(
    world: World, ledger: Ledger, minimum: int, accepted: bool
) -> None:
    """SPEC 8.44: a relayed claim moves at least its account's minimum; the account's own any amount."""
    ledger.settle("node", {"contributor": 300})
    (event,) = world.events(
        set_minimum(world, "contributor", minimum), world.distributor, "RelayMinimumChanged"
    )
    assert (event["account"], event["minimum"]) == (world.address("contributor"), minimum)
    assert world.distributor.functions.relayMinimum(world.address("contributor")).call() == minimum
    if accepted:
        ledger.claim("contributor", sender="stranger")
    else:
        with reverts("RewardDistributorBelowMinimum", world.address("contributor"), 300, minimum):
            ledger.claim("contributor", sender="stranger")
        ledger.claim("contributor", sender="contributor")
    assert world.balance("contributor") == 300


def test_it_counts_what_is_new(world: World, ledger: Ledger) -> None:
    """SPEC 8.44: the minimum is of the amount moved, not of the cumulative one; it can be taken back."""
    ledger.settle("node", {"contributor": 300})
    set_minimum(world, "contributor", 100)
    ledger.claim("contributor")
    ledger.settle("node", {"contributor": 99})
    with reverts("RewardDistributorBelowMinimum", world.address("contributor"), 99, 100):
        ledger.claim("contributor")
    set_minimum(world, "contributor", 0)
    ledger.claim("contributor")
    assert world.balance("contributor") == 399


def test_it_is_ones_own(world: World, ledger: Ledger) -> None:
    """SPEC 8.44: nobody sets it for another; what was paid already stays on record."""
    ledger.settle("node", {"contributor": 300})
    set_minimum(world, "stranger", 2**120 - 1)
    ledger.claim("contributor")
    set_minimum(world, "contributor", 2**120 - 1)
    assert world.distributor.functions.claimed(world.address("contributor")).call() == 300
