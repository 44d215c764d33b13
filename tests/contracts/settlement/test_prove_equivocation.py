"""F7: two receipts for one place."""

from dataclasses import replace

import pytest

from node.chain.keccak import keccak
from protocol.receipt import Receipt
from scripts.deployment_plan import OPEN
from tests.contracts.epochs import receipt_of, solidity_receipt
from tests.contracts.seals import prove_sealed
from tests.contracts.world import World, reverts

STAKE = 1_000 * OPEN
SLASH = STAKE // 10


def prove(world: World, a: Receipt, b: Receipt, signers: tuple[str, str] = ("node", "node")):  # type: ignore[no-untyped-def]
    signatures = [
        world.signers[s].sign_receipt(r, world.receipts_domain) for s, r in zip(signers, (a, b), strict=True)
    ]
    call = world.faults.functions.proveEquivocation(
        solidity_receipt(a), signatures[0], solidity_receipt(b), signatures[1]
    )
    return prove_sealed(world, call)


def pair(world: World, **changed: object) -> tuple[Receipt, Receipt]:
    first = receipt_of(world, "node", 5)
    return first, replace(first, **changed)


@pytest.mark.parametrize(
    "changed",
    [{"price": 6}, {"request_id": keccak(b"other"), "price": 6}],
    ids=["same request", "same place in the channel"],
)
def test_two_receipts_for_one_place_cost_stake(world: World, changed: dict[str, object]) -> None:
    """SPEC 7.32: two signed receipts for one request, or one (channel, seq), slash the node once."""
    world.stake("node", STAKE)
    supply = world.supply()
    a, b = pair(world, **changed)
    prove(world, a, b)
    assert world.wealth("challenger") == SLASH // 2
    assert supply - world.supply() == SLASH // 2
    assert world.staking.functions.totalStake(world.address("node")).call() == STAKE - SLASH
    with reverts("FaultProofsAlreadyProven"):
        prove(world, b, a)
    with reverts("FaultProofsAlreadyProven"):
        prove(world, a, replace(b, price=9))


def test_different_places_are_no_fault(world: World) -> None:
    """SPEC 7.32: an honest pair of receipts proves nothing."""
    world.stake("node", STAKE)
    a, b = pair(world, request_id=keccak(b"other"), seq=2)
    with reverts("FaultProofsNoConflict", a.request_id, b.request_id):
        prove(world, a, b)
    elsewhere = replace(a, request_id=keccak(b"other"), channel_id=keccak(b"another channel"))
    with reverts("FaultProofsNoConflict", a.request_id, elsewhere.request_id):
        prove(world, a, elsewhere)
    with reverts("FaultProofsSameReceipt"):
        prove(world, a, a)
    with reverts("FaultProofsNodesDiffer", world.address("node"), world.address("other_node")):
        prove(world, a, replace(a, node=world.plain("other_node")))


def test_both_must_be_signed_by_the_node(world: World) -> None:
    """SPEC 7.32: nobody can frame a node."""
    world.stake("node", STAKE)
    a, b = pair(world, price=6)
    with reverts("FaultProofsNotSigner", world.address("node"), world.address("stranger")):
        prove(world, a, b, ("node", "stranger"))


def test_a_revoked_signer_still_convicts(world: World) -> None:
    """SPEC 7.32: revoking a signer does not undo what it signed."""
    world.stake("node", STAKE)
    world.authorize("node", "hot_signer")
    world.send(world.staking.functions.revokeSigner(world.address("hot_signer")), "node")
    prove(world, *pair(world, price=6), ("hot_signer", "hot_signer"))
    assert world.wealth("challenger") == SLASH // 2


def test_a_fault_of_an_unstaked_node_is_recorded_without_money(world: World) -> None:
    a, b = pair(world, price=6)
    mined = prove(world, a, b)
    (event,) = world.events(mined, world.faults, "EquivocationProven")
    assert event["slashed"] == 0
    assert world.faults.functions.isProven(event["faultId"]).call()
