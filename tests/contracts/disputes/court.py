"""A disputed epoch as a test plays it: jurors, a stated receipt, a dispute from its opening to its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from node.chain.keccak import keccak
from protocol.disputes import Verdict, dispute_id, vote_digest
from protocol.epoch import Statement, statement_leaves
from protocol.receipt import Receipt, hash_receipt, receipt_leaf
from protocol.sumtree import SumProof, prove_sum
from scripts.deployment_plan import OPEN
from tests.contracts.epochs import CID, Ledger, solidity_receipt
from tests.contracts.world import Mined, World

JURORS = ("contributor", "curator", "model_owner", "staker", "other_staker", "stranger")
BOND = 10 * OPEN
STAKE = 1_000 * OPEN
JUROR_STAKE = 200 * OPEN
PERIOD = 32
WINDOW, APPEAL = 60, 30
SALT = keccak(b"salt")
OPENED, APPEALED, GUILTY, NOT_GUILTY, NO_VERDICT, MOOT = range(1, 7)


def solidity_proof(proof: SumProof) -> tuple[int, int, list[tuple[bytes, int]]]:
    return proof.index, proof.count, list(proof.path)


def receipt_proof(statement: Statement, place: int = 0) -> SumProof:
    return prove_sum([receipt_leaf(one, keccak) for one in statement.receipts], place, keccak)


def line_proof(statement: Statement, place: int) -> SumProof:
    return prove_sum(statement_leaves(statement, keccak), place, keccak)


@dataclass
class Court:
    """The contracts of disputes and who comes before them; `seated` remembers each draw."""

    world: World
    ledger: Ledger
    seated: dict[tuple[bytes, int], list[str]] = field(default_factory=dict)

    def prepare(self) -> None:
        """Two nodes, a challenger, and jurors enrolled and in force."""
        for node in ("node", "other_node"):
            self.world.stake(node, STAKE)
        for actor in (*JURORS, "challenger", "node", "other_node"):
            self.world.fund(actor, 2_000 * OPEN, self.committee)
        for juror in JURORS:
            self.world.stake(juror, JUROR_STAKE)
            self.enrol(juror)
        self.pass_period()

    @property
    def committee(self) -> Any:
        return self.world.contract("Committee")

    @property
    def pool(self) -> Any:
        return self.world.contract("JurorPool")

    def enrol(self, juror: str) -> Mined:
        return self.world.send(self.pool.functions.enrol(), juror)

    def pass_period(self) -> None:
        """Makes what was enrolled so far count."""
        for _ in range(PERIOD):
            self.world.chain.mine()

    def state(self, node: str = "node", shares: Mapping[str, int] | None = None, **changed: Any) -> Statement:
        """A published statement of one receipt; `changed` spoils fields of the receipt."""
        shares = shares or {"contributor": 70, "model_owner": 30}
        epoch = self.ledger.earn(node, sum(shares.values()))
        self.world.pass_to(max(self.ledger.end_of(epoch), self.world.now + 1))
        statement = self.ledger.statement(epoch, node, shares)
        if changed:
            receipt = replace(statement.receipts[0], **changed)
            statement = Statement(statement.node, epoch, statement.lines, (receipt,))
        self.ledger.publish(statement, node)
        return statement

    def commit(self, statement: Statement, sender: str = "node") -> Mined:
        return self.ledger.commit(self.ledger.build(statement.epoch, [statement]), sender)

    def open(self, statement: Statement, sender: str = "challenger", at: int | None = None) -> bytes:
        self.world.send(self.open_call(statement, statement.receipts[0]), sender, at)
        return self.id_of(statement)

    def open_call(self, statement: Statement, receipt: Receipt, place: int = 0) -> Any:
        proof = solidity_proof(receipt_proof(statement, place))
        node = World.checksum(statement.node)
        arguments = statement.epoch, node, solidity_receipt(receipt), proof, CID
        return self.committee.functions.open(*arguments)

    def id_of(self, statement: Statement) -> bytes:
        digest = hash_receipt(statement.receipts[0], keccak)
        return dispute_id(statement.epoch, statement.node, digest, keccak)

    def dispute(self, id_: bytes) -> dict[str, Any]:
        return self.named("getDispute", id_)

    def named(self, function: str, *arguments: Any) -> dict[str, Any]:
        """A getter's struct by the names of its fields."""
        values = self.committee.functions[function](*arguments).call()
        entry = next(one for one in self.committee.abi if one.get("name") == function)
        names = [component["name"] for component in entry["outputs"][0]["components"]]
        return dict(zip(names, values, strict=True))

    def start(self, id_: bytes, round_index: int = 0) -> int:
        return int(self.committee.functions.roundStart(id_, round_index).call())

    def reach_block(self, number: int) -> None:
        """The next transaction is mined after block `number`."""
        while self.world.web3.eth.block_number < number:
            self.world.chain.mine()

    def draw(self, id_: bytes, round_index: int = 0) -> list[str]:
        """Draws a round, from a scheduled block on; returns the juror of each seat."""
        if self.dispute(id_)["drawBlock"] == 0:
            self.world.send(self.committee.functions.draw(id_), "payer")
        events: list[Any] = []
        while not events:  # a block of an earlier period schedules another one
            self.reach_block(self.dispute(id_)["drawBlock"])
            mined = self.world.send(self.committee.functions.draw(id_), "payer")
            events = self.world.events(mined, self.committee, "JurorsDrawn")
        (event,) = events
        names = {self.world.address(juror): juror for juror in self.world.signers}
        self.seated[id_, round_index] = [names[at] for at in event["jurors"]]
        return self.seated[id_, round_index]

    def commit_vote(self, id_: bytes, juror: str, verdict: Verdict, round_index: int = 0) -> Mined:
        digest = vote_digest(id_, round_index, self.world.plain(juror), verdict, SALT, keccak)
        return self.world.send(self.committee.functions.commitVote(id_, digest), juror)

    def reveal(self, id_: bytes, juror: str, verdict: Verdict, at: int | None = None) -> Mined:
        return self.world.send(self.committee.functions.revealVote(id_, verdict, SALT), juror, at)

    def vote(self, id_: bytes, votes: Mapping[str, Verdict] | Verdict, round_index: int = 0) -> None:
        """Commits and reveals; one verdict for all seated, or one by juror, others staying away."""
        seated = dict.fromkeys(self.seated[id_, round_index])
        cast = dict.fromkeys(seated, votes) if isinstance(votes, Verdict) else dict(votes)
        for juror, verdict in cast.items():
            self.commit_vote(id_, juror, verdict, round_index)
        reveals_from = self.start(id_, round_index) + WINDOW // 2
        self.world.pass_to(max(self.world.now + 1, reveals_from))
        for juror, verdict in cast.items():
            self.reveal(id_, juror, verdict)

    def settle(self, id_: bytes, sender: str = "payer", at: int | None = None) -> dict[str, Any]:
        """Settles at the first moment it can be; returns the event."""
        if at is None:
            due = int(self.committee.functions.settleableAt(id_).call())
            at = due if due > self.world.now else None
        mined = self.world.send(self.committee.functions.settle(id_), sender, at)
        (event,) = self.world.events(mined, self.committee, "DisputeSettled")
        return event

    def decide(self, statement: Statement, votes: Verdict) -> bytes:
        """A first round in which all agree, not settled yet."""
        id_ = self.open(statement)
        self.draw(id_)
        self.vote(id_, votes)
        return id_

    def appeal(self, id_: bytes, sender: str) -> Mined:
        decided = self.dispute(id_)["openedAt"] + WINDOW
        at = decided if decided > self.world.now else None
        return self.world.send(self.committee.functions.appeal(id_), sender, at)

    def answer_appeal(self, id_: bytes, sender: str, at: int | None = None) -> Mined:
        return self.world.send(self.committee.functions.answerAppeal(id_), sender, at)

    def claim_fees(self, id_: bytes) -> int:
        """Everyone who is owed a fee claims it; what they got in all."""
        paid = 0
        for (dispute, round_index), jurors in self.seated.items():
            for juror in dict.fromkeys(jurors) if dispute == id_ else ():
                paid += self.claim_fee(id_, round_index, juror)
        return paid

    def claim_fee(self, id_: bytes, round_index: int, juror: str) -> int:
        owed = int(self.committee.functions.feeOf(id_, round_index, self.world.address(juror)).call())
        if owed:
            call = self.committee.functions.claimFee(id_, round_index, self.world.address(juror))
            self.world.send(call, "payer")
        return owed

    @property
    def held(self) -> int:
        return self.world.balance(self.committee.address)

    def holds(self, statement: Statement) -> int:
        return int(self.world.settlement.functions.holdsOn(statement.epoch).call()[0])

    def supply(self) -> int:
        return self.world.supply()

    def is_voided(self, statement: Statement) -> bool:
        node = World.checksum(statement.node)
        return bool(self.world.settlement.functions.getStatement(statement.epoch, node).call()[5])

    def stake_of(self, actor: str) -> int:
        return int(self.world.staking.functions.slashableStake(self.world.address(actor)).call())
