"""Receipts on chain: proven under a final root, or put on record alone."""

from dataclasses import replace

from node.chain.keccak import keccak
from protocol.epoch import receipt_proof
from protocol.receipt import Receipt, hash_receipt
from tests.contracts.epochs import Ledger, receipt_of, solidity_receipt
from tests.contracts.world import World, reverts


def verify(world: World, receipt: Receipt, epoch: int, proof: object) -> bool:
    return bool(world.settlement.functions.verifyReceipt(solidity_receipt(receipt), epoch, proof).call())


def test_a_receipt_is_proven_under_the_final_root_of_its_epoch_only(world: World, ledger: Ledger) -> None:
    """SPEC 7.30: verifyReceipt accepts the receipts of a final epoch with their proof, and no other."""
    epoch = ledger.earn("node", 50)
    world.pass_to(ledger.end_of(epoch))
    statement = ledger.statement(epoch, "node", {"contributor": 50})
    ledger.publish(statement, "node")
    commitment = ledger.build(epoch, [statement])
    (receipt,) = statement.receipts
    found = receipt_proof(statement, receipt, keccak)
    proof = found.index, found.count, list(found.path)
    end = ledger.commit(commitment).time + world.settings.challenge_window
    assert not verify(world, receipt, epoch, proof)
    ledger.finalize(epoch, at=end)
    assert verify(world, receipt, epoch, proof)
    assert not verify(world, replace(receipt, output_tokens=10), epoch, proof)
    assert not verify(world, replace(receipt, price=51), epoch, proof)
    assert not verify(world, receipt, epoch + 1, proof)
    assert not verify(world, receipt, epoch, (0, 2, list(found.path)))


def test_an_epoch_of_many_receipts_proves_each(world: World, ledger: Ledger) -> None:
    """SPEC 7.30: the same for every place in the tree."""
    epoch = ledger.earn("node", 10)
    world.pass_to(ledger.end_of(epoch))
    one = ledger.statement(epoch, "node", {"contributor": 10})
    unpaid = tuple(
        receipt_of(world, "node", 5, seq=epoch + 2 + i, request_id=keccak(bytes([i]))) for i in range(4)
    )
    statement = replace(one, receipts=(*one.receipts, *unpaid))
    ledger.publish(statement, "node")
    commitment = ledger.build(epoch, [statement])
    end = ledger.commit(commitment).time + world.settings.challenge_window
    ledger.finalize(epoch, at=end)
    for receipt in statement.receipts:
        found = receipt_proof(statement, receipt, keccak)
        assert verify(world, receipt, epoch, (found.index, found.count, list(found.path)))


def test_a_signed_receipt_goes_on_record_once(world: World) -> None:
    """SPEC 7.31: anyone may put a receipt on record that its node or the node's signer signed; once."""
    world.authorize("node", "hot_signer")
    for signer, seq in (("node", 1), ("hot_signer", 2)):
        receipt = receipt_of(world, "node", 5, seq=seq)
        signature = world.signers[signer].sign_receipt(receipt, world.receipts_domain)
        call = world.settlement.functions.submitReceipt(solidity_receipt(receipt), signature)
        (event,) = world.events(world.send(call, "stranger"), world.settlement, "ReceiptSubmitted")
        digest = hash_receipt(receipt, keccak)
        assert (event["receiptHash"], event["requestId"]) == (digest, receipt.request_id)
        with reverts("EpochSettlementReceiptKnown", digest):
            world.send(call, "stranger")


def test_an_unsigned_receipt_does_not(world: World) -> None:
    """SPEC 7.31: a receipt with a foreign signature, or changed after signing, is refused."""
    receipt = receipt_of(world, "node", 5)
    foreign = world.signers["stranger"].sign_receipt(receipt, world.receipts_domain)
    submit = world.settlement.functions.submitReceipt
    with reverts("EpochSettlementNotSigner", world.address("node"), world.address("stranger")):
        world.send(submit(solidity_receipt(receipt), foreign), "stranger")
    signature = world.signers["node"].sign_receipt(receipt, world.receipts_domain)
    with reverts("EpochSettlementNotSigner"):
        world.send(submit(solidity_receipt(replace(receipt, price=4)), signature), "stranger")
