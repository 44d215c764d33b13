"""Channels opened and filled by the payer's signature alone, whoever submits it."""

from dataclasses import replace
from typing import Any

import pytest

from node.chain.keccak import keccak
from protocol.escrow import deposit_nonce
from protocol.receipt import Channel, channel_id
from scripts.deployment_plan import OPEN
from tests.contracts.authorization import Authorization
from tests.contracts.channel import OpenChannel, call_tuple, open_channel, terms_of
from tests.contracts.permit import permit_of
from tests.contracts.world import World, reverts

FOREVER = 2**256 - 1


def opened_by(world: World, terms: Channel, amount: int, **changed: Any) -> Authorization:
    """The payer's authorization to open exactly these terms with `amount`."""
    nonce = channel_id(terms, world.channels_domain, keccak)
    made = Authorization(
        world, "ReceiveWithAuthorization", world.address("payer"), world.channels.address, amount, nonce
    )
    return made.changed(**changed)


def submit(
    world: World, terms: Channel, made: Authorization, signature: bytes, sender: str = "stranger"
) -> Any:
    call = world.channels.functions.openWithAuthorization(
        call_tuple(terms), made.value, made.valid_after, made.valid_before, signature
    )
    return world.send(call, sender)


@pytest.fixture
def rich(world: World) -> World:
    world.send(world.token.functions.transfer(world.address("payer"), 10 * OPEN), "deployer")
    return world


def test_a_stranger_opens_in_the_payers_name(rich: World) -> None:
    """SPEC 6.61: a channel opens by its payer's authorization, and the money is the payer's."""
    terms = terms_of(rich)
    made = opened_by(rich, terms, 5)
    mined = submit(rich, terms, made, made.sign("payer"))
    (event,) = rich.events(mined, rich.channels, "ChannelDeposited")
    assert (event["id"], event["from"], event["amount"]) == (made.nonce, made.source, 5)
    rich.stake("node")
    channel = OpenChannel(rich, terms, made.nonce)
    channel.claim(3)
    assert (channel.deposited, channel.claimed) == (5, 3)


def test_an_authorization_opens_its_terms_and_no_others(rich: World) -> None:
    """SPEC 6.61: nobody redirects an authorization to other terms, another amount or another contract."""
    terms = terms_of(rich)
    made = opened_by(rich, terms, 5)
    signature = made.sign("payer")
    for other in (
        replace(terms, payee=rich.plain("stranger")),
        replace(terms, withdraw_delay=61),
        replace(terms, salt=b"\x09" * 32),
        replace(terms, payer=rich.plain("stranger")),
    ):
        with reverts("ERC3009InvalidSignature"):
            submit(rich, other, made, signature)
    with reverts("ERC3009InvalidSignature"):
        submit(rich, terms, made.changed(value=6), signature)
    pulled = rich.token.get_function_by_signature(
        "receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)"
    )(*made.arguments, signature)
    with reverts("ERC20InvalidReceiver", rich.channels.address):
        rich.send(pulled, "stranger")
    submit(rich, terms, made, signature)


def test_an_authorization_opens_once(rich: World) -> None:
    """SPEC 6.61: and once only, before or after the payer opened by itself."""
    terms = terms_of(rich)
    made = opened_by(rich, terms, 5)
    signature = made.sign("payer")
    submit(rich, terms, made, signature)
    with reverts("PaymentChannelsAlreadyOpen", made.nonce):
        submit(rich, terms, made, signature)
    assert rich.balance(rich.channels.address) == 5


def test_terms_are_checked_whoever_opens(rich: World) -> None:
    for terms, error in (
        (replace(terms_of(rich), withdraw_delay=59), "PaymentChannelsDelayOutOfBounds"),
        (replace(terms_of(rich), payee="0x" + "00" * 20), "PaymentChannelsZeroPayee"),
        (replace(terms_of(rich), payer="0x" + "00" * 20), "PaymentChannelsUnknown"),
    ):
        made = opened_by(rich, terms, 5)
        with reverts(error):
            submit(rich, terms, made, made.sign("payer"))
    made = opened_by(rich, terms_of(rich), 0)
    with reverts("PaymentChannelsZeroAmount"):
        submit(rich, terms_of(rich), made, made.sign("payer"))


def deposit(channel: OpenChannel, made: Authorization, salt: bytes, signature: bytes, **more: Any) -> Any:
    call = channel.world.channels.functions.depositWithAuthorization(
        channel.id, made.value, made.valid_after, made.valid_before, salt, signature
    )
    return channel.world.send(call, "stranger", **more)


def test_a_channel_grows_by_authorization(world: World) -> None:
    """SPEC 6.62: a deposit by authorization adds the payer's money to the channel it names, once each."""
    channel, other = open_channel(world, 10), open_channel(world, 10, salt=b"\x01" * 32)
    for salt in (bytes(32), b"\x05" * 32):
        nonce = deposit_nonce(channel.id, salt, keccak)
        assert world.channels.functions.depositNonce(channel.id, salt).call() == nonce
        made = opened_by(world, channel.terms, 4, nonce=nonce)
        signature = made.sign("payer")
        with reverts("ERC3009InvalidSignature"):
            deposit(other, made, salt, signature)
        deposit(channel, made, salt, signature)
        with reverts("ERC3009UsedAuthorization", made.source, nonce):
            deposit(channel, made, salt, signature)
    assert (channel.deposited, other.deposited) == (18, 10)


def test_an_unknown_channel_takes_no_deposit(rich: World) -> None:
    ghost = OpenChannel(rich, terms_of(rich), b"\x03" * 32)
    made = opened_by(rich, ghost.terms, 4, nonce=b"\x04" * 32)
    with reverts("PaymentChannelsUnknown", ghost.id):
        deposit(ghost, made, bytes(32), made.sign("payer"))


@pytest.mark.parametrize("used_before", [False, True])
def test_a_channel_grows_by_permit(world: World, used_before: bool) -> None:
    """SPEC 6.62: a deposit after a permit, which someone else may have used already."""
    channel = open_channel(world, 10)
    world.send(world.token.functions.approve(world.channels.address, 0), "payer")
    permit = permit_of(world, "payer", world.channels.address, 6, FOREVER)
    if used_before:
        arguments = (world.address("payer"), world.channels.address, 6, FOREVER, *permit)
        world.send(world.token.functions.permit(*arguments), "stranger")
    channel.do("depositWithPermit", 6, FOREVER, *permit)
    assert channel.deposited == 16


def test_a_deposit_with_a_bad_permit_is_refused(world: World) -> None:
    channel = open_channel(world, 10)
    world.send(world.token.functions.approve(world.channels.address, 0), "payer")
    permit = permit_of(world, "stranger", world.channels.address, 6, FOREVER)
    with reverts("ERC20InsufficientAllowance", world.channels.address, 0, 6):
        channel.do("depositWithPermit", 6, FOREVER, *permit)
