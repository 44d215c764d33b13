"""Claiming a batch: one payee, one lock, one transfer, one funding; and the last voucher on record."""

from dataclasses import replace

from node.chain.keccak import keccak
from protocol.receipt import VOUCHER_TYPE, solidity_tuple
from scripts.deployment_plan import OPEN
from tests.contracts.channel import OpenChannel, open_channel
from tests.contracts.world import Mined, World, reverts

TYPEHASH = keccak(VOUCHER_TYPE.encode())


def channels_of(world: World, count: int, amount: int = 100) -> list[OpenChannel]:
    return [open_channel(world, amount, salt=bytes([i]) * 32) for i in range(count)]


def claim_many(world: World, channels: list[OpenChannel], cumulative: int, sender: str = "node") -> Mined:
    vouchers = [channel.voucher(cumulative) for channel in channels]
    signatures = [channel.sign(voucher) for channel, voucher in zip(channels, vouchers, strict=True)]
    call = world.channels.functions.claimMany([solidity_tuple(one) for one in vouchers], signatures)
    return world.send(call, sender)


def last(channel: OpenChannel) -> bytes:
    return bytes(channel.world.channels.functions.lastVoucher(channel.id).call())


def struct_hash(channel: OpenChannel, cumulative: int) -> bytes:
    voucher = channel.voucher(cumulative)
    tail = (voucher.cumulative, voucher.receipt_count)
    numbers = [value.to_bytes(32, "big") for value in tail]
    end = voucher.valid_before.to_bytes(32, "big")
    return keccak(b"".join([TYPEHASH, voucher.channel_id, *numbers, voucher.receipts_root, end]))


def test_a_batch_moves_its_sum_at_once(world: World) -> None:
    """SPEC 6.63: a batch locks, moves and funds the sum of its vouchers once."""
    channels = channels_of(world, 3)
    free = world.staking.functions.freeStake(world.address("node")).call()
    mined = claim_many(world, channels, 40)
    moved = world.events(mined, world.token, "Transfer")
    assert [(event["to"], event["value"]) for event in moved] == [(world.distributor.address, 120)]
    (funding,) = world.events(mined, world.settlement, "EpochFunded")
    assert (funding["node"], funding["amount"]) == (world.address("node"), 120)
    claimed = world.events(mined, world.channels, "VoucherClaimed")
    assert [(event["delta"], event["epoch"]) for event in claimed] == [(40, funding["epoch"])] * 3
    locked = free - world.staking.functions.freeStake(world.address("node")).call()
    assert locked == 120 * world.settings.stake_to_fees


def test_a_batch_of_open_channels_alone_is_claimed(world: World) -> None:
    """SPEC 6.63: one channel that is not there, and nothing of the batch is claimed."""
    ours = open_channel(world)
    missing = keccak(b"never opened")
    vouchers = [ours.voucher(5), replace(ours.voucher(5), channel_id=missing)]
    signed = [ours.sign(one) for one in vouchers]
    with reverts("PaymentChannelsUnknown", missing):
        call = world.channels.functions.claimMany([solidity_tuple(one) for one in vouchers], signed)
        world.send(call, "node")
    assert ours.claimed == 0


def test_a_batch_pays_one_node(world: World) -> None:
    """SPEC 6.63: all vouchers of a batch pay the same node."""
    ours = open_channel(world)
    theirs = open_channel(world, payee="other_node", salt=b"\x01" * 32)
    node, other = world.address("node"), world.address("other_node")
    with reverts("PaymentChannelsOtherPayee", theirs.id, other, node):
        claim_many(world, [ours, theirs], 5)
    with reverts("PaymentChannelsNotPayee", theirs.id, node, other):
        claim_many(world, [theirs, ours], 5)


def test_a_batch_in_which_nothing_moves_changes_nothing(world: World) -> None:
    channels = channels_of(world, 2)
    claim_many(world, channels, 40)
    mined = claim_many(world, channels, 40)
    assert mined.receipt["logs"] == []
    assert world.channels.functions.claimMany([], []).call({"from": world.address("stranger")}) == 0


def test_a_batch_covers_what_each_deposit_holds(world: World) -> None:
    """SPEC 6.23: partial cover in a batch consumes nothing of what stays owed."""
    channels = channels_of(world, 2)
    claim_many(world, channels, 130)
    assert [channel.claimed for channel in channels] == [100, 100]
    channels[1].do("deposit", 20)
    claim_many(world, channels, 130)
    assert [channel.claimed for channel in channels] == [100, 120]


def test_the_same_voucher_twice_in_a_batch_moves_once(world: World) -> None:
    """SPEC 6.22: within one batch too."""
    (channel,) = channels_of(world, 1)
    claim_many(world, [channel, channel], 40)
    assert channel.claimed == 40


def test_the_last_voucher_that_moved_money_is_on_record(world: World) -> None:
    """SPEC 6.64: lastVoucher is the struct hash of the last voucher that moved money, zero before."""
    channel = open_channel(world, 100)
    assert last(channel) == bytes(32)
    channel.claim(30)
    assert last(channel) == struct_hash(channel, 30)
    claim_many(world, [channel], 20)
    assert last(channel) == struct_hash(channel, 30)
    claim_many(world, [channel], 130)
    assert last(channel) == struct_hash(channel, 130)
    assert world.channels.functions.lastVoucher(b"\x07" * 32).call() == bytes(32)


def test_a_claim_beyond_free_stake_moves_nothing(world: World) -> None:
    """SPEC 6.60: stake is locked in proportion to every fee, or the fee does not move."""
    world.stake("node", OPEN)
    channel = open_channel(world, OPEN)
    most = OPEN // world.settings.stake_to_fees
    with reverts("NodeStakingLockExceedsStake"):
        channel.claim(most + 1)
    channel.claim(most)
    with reverts("NodeStakingLockExceedsStake"):
        claim_many(world, [channel], most + 1)
    world.stake("node", OPEN)
    claim_many(world, [channel], most + 1)
    assert channel.claimed == most + 1
