"""ERC-3009: what x402 payers sign, in both forms of the signature."""

from typing import Any

import pytest

from scripts.deployment_plan import OPEN
from tests.contracts.authorization import Authorization, cancellation, split
from tests.contracts.world import World, reverts

NONCE = b"\xfe" * 32  # any 32 bytes: x402 payers draw them at random
VRS = "(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)"
BYTES = "(address,address,uint256,uint256,uint256,bytes32,bytes)"


def authorization(world: World, kind: str = "TransferWithAuthorization", **changed: Any) -> Authorization:
    world.send(world.token.functions.transfer(world.address("payer"), 10 * OPEN), "deployer")
    made = Authorization(world, kind, world.address("payer"), world.address("node"), 7, NONCE)
    return made.changed(**changed)


def move(
    made: Authorization, signature: bytes, form: str = BYTES, sender: str = "stranger", **more: Any
) -> Any:
    name = made.kind[0].lower() + made.kind[1:]
    tail = (signature,) if form == BYTES else split(signature)
    call = made.world.token.get_function_by_signature(name + form)(*made.arguments, *tail)
    return made.world.send(call, sender, **more)


@pytest.mark.parametrize("form", [VRS, BYTES])
def test_anyone_submits_a_transfer_once(world: World, form: str) -> None:
    """SPEC 6.65: an authorization moves its amount once, whoever submits it."""
    made = authorization(world)
    signature = made.sign("payer")
    mined = move(made, signature, form)
    (event,) = world.events(mined, world.token, "AuthorizationUsed")
    assert (event["authorizer"], event["nonce"]) == (made.source, NONCE)
    assert world.balance("node") == 7
    assert world.token.functions.authorizationState(made.source, NONCE).call()
    for again in (VRS, BYTES):
        with reverts("ERC3009UsedAuthorization", made.source, NONCE):
            move(made, signature, again)


@pytest.mark.parametrize("form", [VRS, BYTES])
def test_only_the_payee_submits_a_receipt(world: World, form: str) -> None:
    """SPEC 6.65: a ReceiveWithAuthorization is submitted by its payee only."""
    made = authorization(world, "ReceiveWithAuthorization")
    signature = made.sign("payer")
    with reverts("ERC20InvalidReceiver", made.to):
        move(made, signature, form)
    move(made, signature, form, sender="node")
    assert world.balance("node") == 7


@pytest.mark.parametrize("form", [VRS, BYTES])
@pytest.mark.parametrize(("offset", "accepted"), [(0, False), (1, True), (9, True), (10, False)])
def test_the_window_is_open_at_both_ends(world: World, form: str, offset: int, accepted: bool) -> None:
    """SPEC 6.66: an authorization is good while validAfter < now < validBefore."""
    made = authorization(world)
    start = world.now + 5
    made = made.changed(valid_after=start, valid_before=start + 10)
    signature = made.sign("payer")
    if accepted:
        move(made, signature, form, at=start + offset)
        return
    with reverts("ERC3009InvalidAuthorizationTime", start, start + 10):
        move(made, signature, form, at=start + offset)


@pytest.mark.parametrize("as_bytes", [False, True])
def test_a_cancelled_authorization_is_dead(world: World, as_bytes: bool) -> None:
    """SPEC 6.67: its signer cancels an authorization by its nonce, in any order."""
    made = authorization(world)
    signature = cancellation(world, "payer", made.source, NONCE)
    tail = (signature,) if as_bytes else split(signature)
    form = "(address,bytes32,bytes)" if as_bytes else "(address,bytes32,uint8,bytes32,bytes32)"
    call = world.token.get_function_by_signature("cancelAuthorization" + form)(made.source, NONCE, *tail)
    world.send(call, "stranger")
    with reverts("ERC3009UsedAuthorization", made.source, NONCE):
        move(made, made.sign("payer"))
    with reverts("ERC3009UsedAuthorization", made.source, NONCE):
        world.send(call, "stranger")
    other = made.changed(nonce=b"\x00" * 31 + b"\x07")
    move(other, other.sign("payer"))


@pytest.mark.parametrize("signature", [b"", bytes(65)])
def test_nobody_signs_for_the_zero_address(world: World, signature: bytes) -> None:
    """SPEC 6.73: a signature that recovers to nobody is nobody's, the zero address included."""
    zero = "0x" + "00" * 20
    made = authorization(world, source=zero)
    cancel = world.token.get_function_by_signature("cancelAuthorization(address,bytes32,bytes)")
    with reverts("ERC3009InvalidSignature"):
        move(made, signature)
    with reverts("ERC3009InvalidSignature"):
        world.send(cancel(zero, NONCE, signature), "stranger")


def test_an_authorization_leaves_votes_and_supply_right(world: World) -> None:
    """SPEC 6.65: votes follow money that moves by authorization."""
    world.send(world.token.functions.delegate(world.address("node")), "node")
    made = authorization(world)
    move(made, made.sign("payer"))
    assert world.token.functions.getVotes(world.address("node")).call() == 7
    assert world.token.functions.totalSupply().call() == 10**9 * OPEN
