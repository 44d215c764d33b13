"""Opening a channel and adding to it."""

from dataclasses import replace

import pytest

from node.chain.keccak import keccak
from protocol.receipt import channel_id
from scripts.deployment_plan import OPEN
from tests.contracts.channel import DELAY, call_tuple, open_channel, terms_of
from tests.contracts.permit import permit_of
from tests.contracts.world import World, reverts

THIRTY_DAYS = 30 * 86_400


def test_the_id_is_the_digest_of_the_terms(world: World) -> None:
    """SPEC 6.20: a channel's id is the EIP-712 digest of its terms, for this contract on this chain."""
    channel = open_channel(world)
    assert world.channels.functions.channelId(call_tuple(channel.terms)).call() == channel.id
    other_contract = replace(world.channels_domain, contract=world.plain("stranger"))
    assert channel_id(channel.terms, other_contract, keccak) != channel.id


def test_opening_moves_the_deposit_and_tells_so(world: World) -> None:
    channel = open_channel(world, 7 * OPEN)
    assert world.balance(world.channels.address) == 7 * OPEN
    state = world.channels.functions.getChannel(channel.id).call()
    assert state == [world.address("payer"), world.address("node"), DELAY, 7 * OPEN, 0, 0]


def test_the_same_terms_open_once(world: World) -> None:
    channel = open_channel(world)
    with reverts("PaymentChannelsAlreadyOpen", channel.id):
        world.send(world.channels.functions.open(call_tuple(channel.terms), 1), "payer")


def test_another_salt_is_another_channel(world: World) -> None:
    assert open_channel(world).id != open_channel(world, salt=b"\x01" * 32).id


def test_only_the_payer_opens_in_its_name(world: World) -> None:
    with reverts("PaymentChannelsNotPayer"):
        world.send(world.channels.functions.open(call_tuple(terms_of(world)), 1), "stranger")


@pytest.mark.parametrize(
    ("delay", "accepted"), [(59, False), (60, True), (THIRTY_DAYS, True), (THIRTY_DAYS + 1, False)]
)
def test_the_withdraw_delay_has_bounds(world: World, delay: int, accepted: bool) -> None:
    """SPEC 6.33: the withdraw delay lies between the deployment's minimum and 30 days, both included."""
    if accepted:
        assert open_channel(world, delay=delay).deposited > 0
        return
    with reverts("PaymentChannelsDelayOutOfBounds", delay, 60, THIRTY_DAYS):
        open_channel(world, delay=delay)


def test_an_empty_deposit_is_refused(world: World) -> None:
    with reverts("PaymentChannelsZeroAmount"):
        open_channel(world, 0)


def test_anyone_adds_to_a_channel_and_resets_nothing(world: World) -> None:
    """SPEC 6.24: a deposit moves no deadline."""
    channel = open_channel(world, 5)
    channel.do("requestWithdraw")
    before = channel.withdrawable_at
    world.fund("stranger", 3, world.channels)
    channel.do("deposit", 3, sender="stranger")
    assert (channel.deposited, channel.withdrawable_at) == (8, before)


def test_an_unknown_channel_takes_no_deposit(world: World) -> None:
    world.fund("payer", 3, world.channels)
    with reverts("PaymentChannelsUnknown", b"\x05" * 32):
        world.send(world.channels.functions.deposit(b"\x05" * 32, 3), "payer")


@pytest.mark.parametrize("front_run", [False, True])
def test_a_permit_opens_even_when_someone_else_used_it_first(world: World, front_run: bool) -> None:
    """SPEC 6.31: a permit that was already used by someone else is no obstacle."""
    world.send(world.token.functions.transfer(world.address("payer"), 9), "deployer")
    deadline = world.now + 1_000
    permit = permit_of(world, "payer", world.channels.address, 9, deadline)
    if front_run:
        first = world.token.functions.permit(
            world.address("payer"), world.channels.address, 9, deadline, *permit
        )
        world.send(first, "stranger")
    terms = call_tuple(terms_of(world))
    world.send(world.channels.functions.openWithPermit(terms, 9, deadline, *permit), "payer")
    assert world.balance(world.channels.address) == 9
