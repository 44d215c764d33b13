"""Questions about published data, and their answers."""

from typing import Any

from node.chain.keccak import keccak
from protocol.epoch import Commitment, Statement, cumulative_leaf, entry_leaf
from protocol.receipt import receipt_leaf
from protocol.sumtree import SumLeaf, prove_sum
from tests.contracts.disputes.court import Court, line_proof, receipt_proof, solidity_proof
from tests.contracts.epochs import solidity_receipt
from tests.contracts.world import Mined, World

LINE, RECEIPT, ENTRY, CUMULATIVE = range(4)
OPEN, ANSWERED, WITHHELD, MOOT = range(1, 5)
RESPONSE = 30


def challenges(court: Court) -> Any:
    return court.world.contract("DataChallenges")


def ask(
    court: Court, epoch: int, kind: int, index: int = 0, sender: str = "challenger", node: str = "node"
) -> bytes:
    """Asks; returns the challenge's id."""
    contract = challenges(court)
    court.world.fund(sender, 10**18, contract)
    call = contract.functions.challenge(epoch, court.world.address(node), kind, index)
    (event,) = court.world.events(court.world.send(call, sender), contract, "DataChallenged")
    return bytes(event["id"])


def status_of(court: Court, id_: bytes) -> int:
    return int(challenges(court).functions.getChallenge(id_).call()[4])


def deadline_of(court: Court, id_: bytes) -> int:
    return int(challenges(court).functions.getChallenge(id_).call()[6])


def conclude(court: Court, id_: bytes, at: int | None = None) -> Mined:
    return court.world.send(challenges(court).functions.conclude(id_), "payer", at)


def withhold(court: Court, statement: Statement) -> bytes:
    """A question about a statement that nobody answers: it is void, its node slashed as little as can be."""
    id_ = ask(court, statement.epoch, RECEIPT, sender="payer")
    conclude(court, id_, at=deadline_of(court, id_))
    return id_


def signature(court: Court, statement: Statement, place: int = 0, signer: str = "node") -> bytes:
    return court.world.signers[signer].sign_receipt(statement.receipts[place], court.world.receipts_domain)


def answer_line(court: Court, id_: bytes, statement: Statement, place: int = 0, **changed: Any) -> Mined:
    """Answers with the statement's own data; `changed` spoils single arguments."""
    line = statement.lines[place]
    arguments = {
        "id": id_,
        "line": (World.checksum(line.earner), line.request_id, line.amount),
        "lineProof": solidity_proof(line_proof(statement, place)),
        "receipt": solidity_receipt(statement.receipts[0]),
        "receiptProof": solidity_proof(receipt_proof(statement)),
        "signature": signature(court, statement),
    } | changed
    return _send(court, "answerLine", arguments)


def answer_receipt(court: Court, id_: bytes, statement: Statement, **changed: Any) -> Mined:
    arguments = {
        "id": id_,
        "receipt": solidity_receipt(statement.receipts[0]),
        "proof": solidity_proof(receipt_proof(statement)),
        "signature": signature(court, statement),
    } | changed
    return _send(court, "answerReceipt", arguments)


def answer_entry(court: Court, id_: bytes, commitment: Commitment, place: int = 0, **changed: Any) -> Mined:
    entry = commitment.entries[place]
    leaves = [entry_leaf(one, keccak) for one in commitment.entries]
    arguments = {
        "id": id_,
        "earner": World.checksum(entry.earner),
        "node": World.checksum(entry.node),
        "amount": entry.amount,
        "proof": solidity_proof(prove_sum(leaves, place, keccak)),
    } | changed
    return _send(court, "answerEntry", arguments)


def answer_cumulative(
    court: Court, id_: bytes, commitment: Commitment, place: int = 0, **changed: Any
) -> Mined:
    account, amount = commitment.cumulative[place]
    leaves = [cumulative_leaf(*one) for one in commitment.cumulative]
    arguments = {
        "id": id_,
        "account": World.checksum(account),
        "amount": amount,
        "proof": solidity_proof(prove_sum(leaves, place, keccak)),
    } | changed
    return _send(court, "answerCumulative", arguments)


def answer_past_end(court: Court, id_: bytes, leaves: list[SumLeaf], place: int = 0) -> Mined:
    proof = solidity_proof(prove_sum(leaves, place, keccak))
    arguments = {"id": id_, "key": leaves[place].key, "amount": leaves[place].amount, "proof": proof}
    return _send(court, "answerPastEnd", arguments)


def receipt_leaves(statement: Statement) -> list[SumLeaf]:
    return [receipt_leaf(one, keccak) for one in statement.receipts]


def _send(court: Court, name: str, arguments: dict[str, Any]) -> Mined:
    call = challenges(court).functions[name](*arguments.values())
    return court.world.send(call, "stranger")
