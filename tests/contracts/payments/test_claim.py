"""Claiming vouchers: what moves, when, and for whom."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.chain.keccak import keccak
from node.chain.signer import SECP256K1_ORDER
from protocol.eip712 import typed_digest
from protocol.receipt import VOUCHER_TYPE, Voucher, solidity_tuple
from scripts.deployment_plan import OPEN
from tests.contracts.channel import open_channel
from tests.contracts.world import World, reverts, rewound


def test_a_claim_moves_the_difference_to_the_distributor_and_funds_the_epoch(world: World) -> None:
    """SPEC 6.32: what a claim moves goes to the distributor and funds the payee in the current epoch."""
    channel = open_channel(world, 100)
    channel.claim(30)
    mined = channel.claim(45, receipt_count=9)
    (event,) = world.events(mined, world.channels, "VoucherClaimed")
    epoch = world.settlement.functions.currentEpoch().call()
    assert (event["cumulative"], event["delta"], event["receiptCount"], event["epoch"]) == (45, 15, 9, epoch)
    assert world.balance(world.distributor.address) == 45
    assert world.balance(world.channels.address) == 55
    assert world.settlement.functions.funded(epoch, world.address("node")).call() == 45


def test_a_voucher_moves_money_once(world: World) -> None:
    """SPEC 6.22: repeating a voucher, or claiming a lower one, moves nothing."""
    channel = open_channel(world, 100)
    channel.claim(30)
    with reverts("PaymentChannelsNothingToClaim", channel.id, 30, 100, 30):
        channel.claim(30)
    with reverts("PaymentChannelsNothingToClaim", channel.id, 29, 100, 30):
        channel.claim(29)
    assert channel.claimed == 30


def test_what_the_deposit_does_not_cover_stays_owed(world: World) -> None:
    """SPEC 6.23: an uncovered part is never consumed; after a deposit the same voucher pays it."""
    channel = open_channel(world, 100)
    channel.claim(130)
    assert channel.claimed == 100
    with reverts("PaymentChannelsNothingToClaim", channel.id, 130, 100, 100):
        channel.claim(130)
    channel.do("deposit", 20)
    channel.claim(130)
    channel.do("deposit", 50)
    channel.claim(130)
    assert (channel.deposited, channel.claimed) == (170, 130)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(claims=st.lists(st.integers(0, 150), min_size=1, max_size=6))
def test_any_claims_in_any_order_pay_the_highest_and_no_more(world: World, claims: list[int]) -> None:
    """SPEC 6.22: claiming any vouchers in any order pays min(highest, deposit) in all."""
    with rewound(world):
        channel = open_channel(world, 100)
        for cumulative in claims:
            voucher = channel.voucher(cumulative)
            batch = [solidity_tuple(voucher)], [channel.sign(voucher)]
            world.send(world.channels.functions.claimMany(*batch), "node")
        assert channel.claimed == min(max(claims), 100)
        assert world.balance(world.distributor.address) == channel.claimed
        assert world.balance(world.channels.address) == 100 - channel.claimed


@pytest.mark.parametrize(("offset", "accepted"), [(-1, True), (0, False), (1, False)])
def test_a_voucher_is_valid_before_its_end_only(world: World, offset: int, accepted: bool) -> None:
    """SPEC 6.25: a voucher is valid while now < validBefore."""
    channel = open_channel(world)
    end = world.now + 500
    if accepted:
        channel.claim(5, at=end + offset, valid_before=end)
        assert channel.claimed == 5
        return
    with reverts("PaymentChannelsVoucherExpired", channel.id, end):
        channel.claim(5, at=end + offset, valid_before=end)


@pytest.mark.parametrize(
    "changed",
    [{"cumulative": 11}, {"receipt_count": 2}, {"receipts_root": b"\x01" * 32}, {"valid_before": 2**63}],
    ids=lambda changed: next(iter(changed)),
)
def test_every_field_is_under_the_signature(world: World, changed: dict[str, object]) -> None:
    """SPEC 6.28: a voucher with any field changed is not the one that was signed."""
    channel = open_channel(world)
    voucher = channel.voucher(10)
    signature = channel.sign(voucher)
    with reverts("PaymentChannelsUnknownSigner"):
        channel.claim_signed(replace(voucher, **changed), signature)


def test_a_voucher_of_one_channel_pays_from_no_other(world: World) -> None:
    """SPEC 6.28: the channel is under the signature too."""
    first, second = open_channel(world), open_channel(world, salt=b"\x02" * 32)
    signature = first.sign(first.voucher(10))
    with reverts("PaymentChannelsUnknownSigner"):
        second.claim_signed(second.voucher(10), signature)


@pytest.mark.parametrize("field", ["chain_id", "contract"])
def test_a_signature_for_another_chain_or_contract_is_refused(world: World, field: str) -> None:
    """SPEC 6.28: the domain binds chain and contract."""
    channel = open_channel(world)
    elsewhere = replace(
        world.channels_domain, **{field: 1 if field == "chain_id" else world.plain("stranger")}
    )
    voucher = channel.voucher(10)
    signature = world.signers["payer"].sign_voucher(voucher, elsewhere)
    with reverts("PaymentChannelsUnknownSigner"):
        channel.claim_signed(voucher, signature)


def malleated(signature: bytes) -> bytes:
    s = SECP256K1_ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


@pytest.mark.parametrize("spoil", [malleated, lambda s: s[:64], lambda s: b"", lambda s: s[:64] + b"\x00"])
def test_a_signature_has_one_form(world: World, spoil) -> None:  # type: ignore[no-untyped-def]
    """SPEC 6.28: the upper half of s, short forms and other v are refused."""
    channel = open_channel(world)
    voucher = channel.voucher(10)
    with reverts("PaymentChannelsBadSignature"):
        channel.claim_signed(voucher, spoil(channel.sign(voucher)))


@pytest.mark.parametrize("dirty", [0, 1])
@pytest.mark.parametrize("word", [1, 2, 4], ids=["cumulative", "receiptCount", "validBefore"])
def test_a_word_wider_than_its_type_is_refused(world: World, word: int, dirty: int) -> None:
    """SPEC 6.28: a voucher whose words do not fit their types is refused, even if it was signed so."""
    channel = open_channel(world, 100)
    voucher = channel.voucher(10)
    call = world.channels.functions.claim(solidity_tuple(voucher), channel.sign(voucher))
    data = bytearray(bytes.fromhex(call._encode_transaction_data()[2:]))
    struct, signature = slice(4, 164), slice(228, 293)
    data[struct.start + 32 * word] = dirty
    struct_digest = keccak(keccak(VOUCHER_TYPE.encode()) + bytes(data[struct]))
    digest = typed_digest(world.channels_domain, struct_digest, keccak)
    data[signature] = world.signers["payer"].sign_digest(digest)
    sent = {"from": world.address("node"), "to": world.channels.address, "data": bytes(data), "gas": 500_000}
    mined = world.web3.eth.wait_for_transaction_receipt(world.web3.eth.send_transaction(sent), timeout=30)
    assert (mined["status"], channel.claimed) == ((0, 0) if dirty else (1, 10))


@pytest.mark.parametrize("sender", ["payer", "stranger"])
def test_only_the_payee_claims(world: World, sender: str) -> None:
    """SPEC 6.29: only the payee or one of its signers claims."""
    channel = open_channel(world)
    with reverts("PaymentChannelsNotPayee", channel.id, world.address(sender), world.address("node")):
        channel.claim(5, sender=sender)


def test_the_payees_signer_claims_for_it(world: World) -> None:
    """SPEC 6.29: only the payee or one of its signers claims."""
    world.authorize("node", "hot_signer")
    channel = open_channel(world)
    channel.claim(5, sender="hot_signer")
    epoch = world.settlement.functions.currentEpoch().call()
    assert world.settlement.functions.funded(epoch, world.address("node")).call() == 5


def test_a_batch_passes_over_what_moves_nothing(world: World) -> None:
    """SPEC 6.30: in a batch a voucher with nothing to move is passed over."""
    first, second = open_channel(world, 50), open_channel(world, 50, salt=b"\x03" * 32)
    first.claim(20)
    vouchers = [first.voucher(20), second.voucher(30)]
    signatures = [first.sign(vouchers[0]), second.sign(vouchers[1])]
    call = world.channels.functions.claimMany([solidity_tuple(v) for v in vouchers], signatures)
    assert world.call(call, "node") == 30
    moved = world.events(world.send(call, "node"), world.channels, "VoucherClaimed")
    assert [event["id"] for event in moved] == [second.id]
    assert (first.claimed, second.claimed) == (20, 30)


def test_a_batch_is_bounded_and_paired(world: World) -> None:
    """SPEC 6.30: a batch has at most 64, and a signature for each."""
    channel = open_channel(world)
    voucher = channel.voucher(1)
    many: list[Voucher] = [voucher] * 65
    claim = world.channels.functions.claimMany
    with reverts("PaymentChannelsBatchTooLong", 65, 64):
        world.send(claim([solidity_tuple(v) for v in many], [b""] * 65), "node")
    with reverts("PaymentChannelsBatchMismatch", 1, 0):
        world.send(claim([solidity_tuple(voucher)], []), "node")
    world.send(claim([solidity_tuple(v) for v in many[1:]], [channel.sign(voucher)] * 64), "node")
    assert channel.claimed == 1


def test_amounts_up_to_the_widest_voucher_are_judged_not_overflowed(world: World) -> None:
    channel = open_channel(world, 3 * OPEN)
    channel.claim(2**128 - 1)
    assert channel.claimed == 3 * OPEN
