"""VoucherFaults.proveVoucher and proveUnpaid: receipts against what payers signed."""

from dataclasses import replace

import pytest

from node.chain.keccak import keccak
from node.errors import IntegrityError
from node.payments.vouchers import Issued, check_content
from protocol.epoch import Statement, statement_root
from protocol.fault_calls import receipt_call
from protocol.receipt import Receipt, hash_voucher, receipt_leaf, receipts_sum_root
from protocol.receipt_faults import StatedReceipt, UnpaidReceipt, VoucherFault
from protocol.receipt_watch import NO_ACKNOWLEDGED
from protocol.rewards import lines_of
from protocol.sumtree import SumTree, prove_sum
from tests.contracts.asking import ask
from tests.contracts.channel import open_channel
from tests.contracts.epochs import CID, Ledger, receipt_of
from tests.contracts.ledgers import checksummed
from tests.contracts.settlement.honest import Honest
from tests.contracts.world import Mined, World, reverts


@pytest.fixture
def honest(ledger: Ledger) -> Honest:
    return Honest(ledger)


def test_an_acknowledged_receipt_is_no_fault(honest: Honest) -> None:
    """SPEC 7.112: whichever leaf of the voucher's tree is shown, or none."""
    for place in range(len(honest.forger.receipts)):
        stated = honest.stated(place)
        channel, seq = stated.receipt.channel_id, stated.receipt.seq
        last = honest.stage.played.evidence.claimed[channel]
        tree = SumTree(last.leaves, keccak)
        shown = [(leaf, tree.prove(at)) for at, leaf in enumerate(last.leaves)]
        for leaf, proof in (*shown, NO_ACKNOWLEDGED):
            with reverts("VoucherFaultsAcknowledged", channel, seq):
                honest.bring(VoucherFault(honest.node, stated, last.voucher, leaf, proof))


def test_only_the_last_claimed_voucher_counts(honest: Honest) -> None:
    """SPEC 7.112: not an earlier one, another channel's, or one that was never claimed."""
    stated = honest.stated(0)
    channel = stated.receipt.channel_id
    last = honest.stage.played.evidence.claimed
    earlier = honest.stage.played.epochs[0].vouchers.get(channel)
    others = [one.voucher for id, one in last.items() if id != channel]
    wrong = [replace(last[channel].voucher, receipt_count=0), *others]
    wrong += [earlier.voucher] if earlier is not None else []
    for voucher in wrong:
        with reverts("VoucherFaultsNotLastVoucher", channel, hash_voucher(voucher, keccak)):
            honest.bring(VoucherFault(honest.node, stated, voucher, *NO_ACKNOWLEDGED))


def test_a_paid_receipt_is_no_fault(honest: Honest) -> None:
    """SPEC 7.113: its channel pays the node, and a voucher was claimed there."""
    for place in range(len(honest.forger.receipts)):
        stated = honest.stated(place)
        with reverts("VoucherFaultsPaidFor", stated.receipt.channel_id):
            honest.bring(UnpaidReceipt(honest.node, stated))


def publish_one(world: World, ledger: Ledger, epoch: int, receipt: Receipt) -> StatedReceipt:
    """The node states this one receipt and pays its price to a contributor."""
    world.pass_to(ledger.end_of(epoch))
    lines = lines_of(receipt.request_id, [(world.plain("contributor"), receipt.price)])
    statement = Statement(world.plain("node"), epoch, lines, (receipt,))
    root = statement_root(statement, keccak)
    tree = receipts_sum_root((receipt,), keccak)
    call = world.settlement.functions.publishStatement(
        epoch, root.digest, root.count, root.total, tree.digest, CID
    )
    world.send(call, "node")
    return StatedReceipt(receipt, receipt.price, prove_sum([receipt_leaf(receipt, keccak)], 0, keccak))


def prove_unpaid(world: World, epoch: int, stated: StatedReceipt) -> Mined:
    function, arguments = receipt_call(UnpaidReceipt(world.plain("node"), stated), epoch)
    judge = world.contract("VoucherFaults").functions
    return world.send(judge[function](*checksummed(arguments)), "challenger")


def test_an_answer_to_a_contract_needs_no_voucher(ledger: Ledger) -> None:
    """SPEC 7.113: the gateway holds the answer's hash; another receipt for that request is unpaid."""
    world = ledger.world
    asked = ask(world)
    epoch = ledger.epoch
    receipt = asked.receipt(30)
    world.send(asked.answer(receipt), "node")
    stated = publish_one(world, ledger, epoch, receipt)
    with reverts("VoucherFaultsPaidFor", asked.id):
        prove_unpaid(world, epoch, stated)


def test_another_receipt_than_the_answer_is_unpaid(ledger: Ledger) -> None:
    """SPEC 7.113: a node cannot swap what it answered a contract with."""
    world = ledger.world
    asked = ask(world)
    epoch = ledger.epoch
    receipt = asked.receipt(30)
    world.send(asked.answer(receipt), "node")
    swapped = replace(receipt, attribution_root=keccak(b"swapped"))
    stated = publish_one(world, ledger, epoch, swapped)
    prove_unpaid(world, epoch, stated)
    assert world.settlement.functions.getStatement(epoch, world.address("node")).call()[-1] is True


def test_a_receipt_of_another_nodes_channel_is_unpaid(ledger: Ledger) -> None:
    """SPEC 7.113: only channels that pay the node pay for its receipts."""
    world = ledger.world
    theirs = open_channel(world, payee="other_node", salt=b"\x02" * 32)
    theirs.claim(40, sender="other_node")
    epoch = ledger.earn("node", 30)
    receipt = receipt_of(world, "node", 30, channel_id=theirs.id)
    stated = publish_one(world, ledger, epoch, receipt)
    prove_unpaid(world, epoch, stated)
    assert world.settlement.functions.getStatement(epoch, world.address("node")).call()[-1] is True


def test_a_payers_bad_voucher_reaches_no_record(ledger: Ledger) -> None:
    """SPEC 7.114: a node keeps none that does not describe its receipts, and nobody else can claim one."""
    world = ledger.world
    channel = open_channel(world)
    receipt = receipt_of(world, "node", 30, channel_id=channel.id)
    root = receipts_sum_root((receipt,), keccak)
    issued = Issued(1, 30, root.digest)
    right = channel.voucher(30, receipts_root=root.digest, receipt_count=1)
    check_content(right, issued, 0)
    for wrong in (
        replace(right, cumulative=31),
        replace(right, receipt_count=2),
        replace(right, receipts_root=keccak(b"other")),
        replace(right, receipts_root=bytes(32)),
    ):
        with pytest.raises(IntegrityError):
            check_content(wrong, issued, 0)
        for thief in ("payer", "challenger", "other_node"):
            with reverts("PaymentChannelsNotPayee"):
                channel.claim_signed(wrong, channel.sign(wrong), thief)
    assert world.channels.functions.lastVoucher(channel.id).call() == bytes(32)
