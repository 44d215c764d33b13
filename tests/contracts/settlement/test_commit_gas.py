"""What a commitment costs."""

from tests.contracts.epochs import Ledger
from tests.contracts.world import World

BOUND = 150_000


def test_a_repeated_commitment(world: World, ledger: Ledger) -> None:
    """SPEC 7.71: from the second on, with bond and window read and the bond locked."""
    ledger.settle("node", {"contributor": 301, "curator": 7, "model_owner": 92})
    world.gas.clear()
    ledger.settle("node", {"contributor": 301, "curator": 7, "model_owner": 92})
    cost = world.gas["EpochSettlement", "commit"]
    assert cost <= BOUND, cost
