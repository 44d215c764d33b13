"""A Datanet changes hands in two steps."""

from tests.contracts.datanets import create, registry
from tests.contracts.world import World, reverts

ZERO = "0x" + "00" * 20


def test_an_owner_offers_and_the_next_one_takes(world: World) -> None:
    """SPEC 1.60: until it is taken the owner stays; curators stay as they are."""
    datanet = create(world, "curator")
    call = registry(world).functions
    mined = world.send(call.transferOwnership(datanet, world.address("stranger")), "curator")
    assert len(world.events(mined, registry(world), "OwnershipOffered")) == 1
    assert call.getDatanet(datanet).call()[0] == world.address("curator")
    assert call.pendingOwner(datanet).call() == world.address("stranger")
    with reverts(
        "DatanetRegistryNotPendingOwner", datanet, world.address("payer"), world.address("stranger")
    ):
        world.send(call.acceptOwnership(datanet), "payer")
    world.send(call.acceptOwnership(datanet), "stranger")
    assert call.getDatanet(datanet).call()[0] == world.address("stranger")
    assert call.pendingOwner(datanet).call() == ZERO
    assert call.isCurator(datanet, world.address("curator")).call()
    with reverts("DatanetRegistryNotOwner", datanet, world.address("curator"), world.address("stranger")):
        world.send(call.setCurator(datanet, world.address("payer"), True), "curator")
    world.send(call.setCurator(datanet, world.address("curator"), False), "stranger")
    with reverts("DatanetRegistryNotPendingOwner", datanet, world.address("stranger"), ZERO):
        world.send(call.acceptOwnership(datanet), "stranger")


def test_an_offer_is_taken_back(world: World) -> None:
    """SPEC 1.60: offering to nobody ends the offer; only the owner offers."""
    datanet = create(world, "curator")
    call = registry(world).functions
    with reverts("DatanetRegistryNotOwner", datanet, world.address("payer"), world.address("curator")):
        world.send(call.transferOwnership(datanet, world.address("payer")), "payer")
    world.send(call.transferOwnership(datanet, world.address("stranger")), "curator")
    world.send(call.transferOwnership(datanet, ZERO), "curator")
    with reverts("DatanetRegistryNotPendingOwner", datanet, world.address("stranger"), ZERO):
        world.send(call.acceptOwnership(datanet), "stranger")
    with reverts("DatanetRegistryUnknownDatanet", 9):
        world.send(call.transferOwnership(9, ZERO), "curator")
