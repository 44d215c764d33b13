"""The one payment that needs no root."""

from tests.contracts.world import World, reverts


def test_only_the_settlement_asks_for_it(world: World) -> None:
    """SPEC 8.45: besides claims the vault pays only what the settlement says nobody was promised."""
    for caller in ("stranger", "node", "deployer"):
        with reverts("RewardDistributorNotSettlement", world.address(caller)):
            call = world.distributor.functions.payUnstated(world.address(caller), 1)
            world.send(call, caller)


def test_only_the_settlement_names_the_root(world: World) -> None:
    """SPEC 8.20: claims are proven against the root that the settlement made final, and no other."""
    for caller in ("stranger", "node", "deployer"):
        with reverts("RewardDistributorNotSettlement", world.address(caller)):
            world.send(world.distributor.functions.acceptRoot(b"\x01" * 32), caller)
