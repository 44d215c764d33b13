"""A payer's exit: announced, delayed, and never against a voucher that can still be claimed."""

import pytest

from tests.contracts.channel import DELAY, open_channel
from tests.contracts.world import World, reverts


@pytest.mark.parametrize(("offset", "accepted"), [(-1, False), (0, True), (1, True)])
def test_the_deposit_comes_back_after_the_delay(world: World, offset: int, accepted: bool) -> None:
    """SPEC 6.24: a withdrawal is possible from request + delay on, not a second earlier."""
    channel = open_channel(world, 100)
    end = channel.do("requestWithdraw").time + DELAY
    assert channel.withdrawable_at == end
    before = world.balance("payer")
    if accepted:
        channel.do("withdraw", at=end + offset)
        assert world.balance("payer") - before == 100
        return
    with reverts("PaymentChannelsWithdrawTooEarly", channel.id, end):
        channel.do("withdraw", at=end + offset)


@pytest.mark.parametrize("offset", [-1, 0, 50])
def test_a_claim_is_good_until_the_money_is_gone(world: World, offset: int) -> None:
    """SPEC 6.24: claims are valid during the delay, and after it until the payer withdraws."""
    channel = open_channel(world, 100)
    end = channel.do("requestWithdraw").time + DELAY
    channel.claim(60, at=end + offset)
    before = world.balance("payer")
    channel.do("withdraw", at=end + 60)
    assert world.balance("payer") - before == 40
    assert (channel.deposited, channel.claimed, channel.withdrawable_at) == (60, 60, 0)


def test_a_second_request_does_not_move_the_deadline(world: World) -> None:
    channel = open_channel(world)
    channel.do("requestWithdraw")
    with reverts("PaymentChannelsWithdrawPending", channel.id, channel.withdrawable_at):
        channel.do("requestWithdraw")


def test_nothing_comes_back_unannounced_or_twice(world: World) -> None:
    channel = open_channel(world, 100)
    with reverts("PaymentChannelsWithdrawNotRequested", channel.id):
        channel.do("withdraw")
    end = channel.do("requestWithdraw").time + DELAY
    channel.do("withdraw", at=end)
    with reverts("PaymentChannelsWithdrawNotRequested", channel.id):
        channel.do("withdraw")
    assert world.balance(world.channels.address) == 0


def test_a_withdrawn_channel_opens_again_by_a_deposit_and_owes_what_it_owed(world: World) -> None:
    """SPEC 6.23: the uncovered part of a voucher outlives a withdrawal."""
    channel = open_channel(world, 100)
    end = channel.do("requestWithdraw").time + DELAY
    channel.do("withdraw", at=end)
    channel.do("deposit", 30)
    channel.claim(80)
    assert (channel.deposited, channel.claimed) == (30, 30)


@pytest.mark.parametrize("function", ["requestWithdraw", "withdraw"])
def test_strangers_neither_request_nor_withdraw(world: World, function: str) -> None:
    channel = open_channel(world)
    with reverts("PaymentChannelsNotPayer", channel.id, world.address("node"), world.address("payer")):
        channel.do(function, sender="node")
