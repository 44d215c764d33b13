"""Disputes and questions under any order of events, beside the rules of `protocol.disputes`.

Steps are drawn from a seed: in phases that behave, the sensible next step of some dispute; in phases that do
not, anything by anyone. After each step the contracts must hold exactly what is open or owed, each epoch be
held as often as something about it is open, every status have moved as it may, every slash have its cap and
its halves, and every getter answer. In the end everything ends, by a stranger's calls alone.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest

from node.chain.keccak import keccak
from protocol.disputes import Case, Tally, Verdict, payout, vote_digest
from protocol.epoch import Statement
from tests.contracts.disputes import questions
from tests.contracts.disputes.court import (
    APPEALED,
    BOND,
    GUILTY,
    JURORS,
    MOOT,
    NO_VERDICT,
    NOT_GUILTY,
    OPENED,
    SALT,
    WINDOW,
    Court,
)
from tests.contracts.world import Mined, attempt

NODES = ("node", "other_node")
RECEIPTS = 3
DATA_BOND = 10**18
MOVES = {
    OPENED: {OPENED, APPEALED, GUILTY, NOT_GUILTY, NO_VERDICT, MOOT},
    APPEALED: {APPEALED, GUILTY, NOT_GUILTY, MOOT},
}
CASTABLE = (Verdict.GUILTY, Verdict.GUILTY, Verdict.NOT_GUILTY, Verdict.UNABLE)


@dataclass
class Dispute:
    """One dispute as the test saw it; `votes` are what was revealed, by round and juror."""

    id: bytes
    node: str
    statement: Statement
    leaning: Verdict
    status: int = OPENED
    seats: dict[int, list[str]] = field(default_factory=dict)
    promised: dict[tuple[int, str], Verdict] = field(default_factory=dict)
    votes: dict[tuple[int, str], Verdict] = field(default_factory=dict)
    appellant: str = ""
    responder: str = ""
    owed: int = 0

    @property
    def is_open(self) -> bool:
        return self.status in MOVES

    @property
    def round(self) -> int:
        return int(bool(self.appellant))

    @property
    def staked(self) -> int:
        return BOND * (1 + 2 * bool(self.appellant) + bool(self.responder))

    def tally(self, round_index: int) -> Tally:
        seats = self.seats.get(round_index, [])
        cast = [self.votes.get((round_index, juror)) for juror in seats]
        return Tally(len(seats), cast.count(Verdict.GUILTY), cast.count(Verdict.NOT_GUILTY))

    def case(self, reward: int) -> Case:
        second = self.tally(1) if self.appellant else None
        return Case(BOND, reward, self.tally(0), second, bool(self.responder))


class Docket:
    """All disputes and questions of one run, and what the contracts should say about them."""

    def __init__(self, court: Court, random: Random) -> None:
        self.court = court
        self.world = court.world
        self.random = random
        self.happened: Counter[str] = Counter()
        self.disputes: list[Dispute] = []
        self.questions: dict[bytes, Statement] = {}
        self.statements: list[tuple[str, Statement, int]] = []
        self.punished: Counter[tuple[int, str]] = Counter()
        for actor in (*JURORS, *NODES, "challenger"):
            self.world.fund(actor, 10**24, court.committee)

    def publish(self) -> None:
        """Both nodes state an epoch of a few receipts each, of which the first is paid."""
        epochs = {node: self.court.ledger.earn(node, 100) for node in NODES}
        self.world.pass_to(max(self.world.now + 1, *(self.court.ledger.end_of(at) for at in epochs.values())))
        for node, epoch in epochs.items():
            plain = self.court.ledger.statement(epoch, node, {"contributor": 70, "model_owner": 30})
            first = plain.receipts[0]
            more = [
                replace(first, request_id=keccak(f"{node} {epoch} {n}".encode()), seq=first.seq + n)
                for n in range(1, RECEIPTS)
            ]
            statement = replace(plain, receipts=(first, *more))
            self.court.ledger.publish(statement, node)
            self.statements.append((node, statement, 0))

    def open(self) -> None:
        fresh = [at for at, (_, _, used) in enumerate(self.statements) if used < RECEIPTS]
        if not fresh:
            return self.publish()
        at = fresh[-1] if self.random.random() < 0.8 else self.random.choice(fresh)
        node, statement, used = self.statements[at]
        self.statements[at] = node, statement, used + 1
        call = self.court.open_call(statement, statement.receipts[used], used)
        mined, refusal = attempt(lambda: self.world.send(call, "challenger"))
        if mined is None:
            assert refusal == "CommitteeNotChallengeable"
            assert self.court.is_voided(statement)
            return
        (event,) = self.world.events(mined, self.court.committee, "DisputeOpened")
        leaning = self.random.choice(CASTABLE)
        self.disputes.append(Dispute(bytes(event["id"]), node, statement, leaning))
        self.happened["opened"] += 1

    def draw(self, one: Dispute) -> None:
        record = self.court.dispute(one.id)
        if record["drawBlock"]:
            self.court.reach_block(record["drawBlock"])
        mined = self.try_to(self.court.committee.functions.draw(one.id), "payer")
        for event in self.world.events(mined, self.court.committee, "JurorsDrawn") if mined else ():
            names = {self.world.address(name): name for name in self.world.signers}
            one.seats[int(event["round"])] = [names[juror] for juror in event["jurors"]]
            self.happened["drawn"] += 1

    def promise(self, one: Dispute) -> None:
        waiting = [j for j in self.seated(one) if (one.round, j) not in one.promised]
        if not waiting:
            return
        juror = self.random.choice(waiting)
        verdict = one.leaning if self.random.random() < 0.85 else self.random.choice(CASTABLE)
        digest = vote_digest(one.id, one.round, self.world.plain(juror), verdict, SALT, keccak)
        if self.try_to(self.court.committee.functions.commitVote(one.id, digest), juror):
            one.promised[one.round, juror] = verdict
            self.happened["promised"] += 1

    def reveal(self, one: Dispute) -> None:
        ready = [j for j in self.seated(one) if (one.round, j) in one.promised.keys() - one.votes.keys()]
        if not ready:
            return
        juror = self.random.choice(ready)
        verdict = one.promised[one.round, juror]
        if self.try_to(self.court.committee.functions.revealVote(one.id, verdict, SALT), juror):
            one.votes[one.round, juror] = verdict
            self.happened["revealed"] += 1

    def appeal(self, one: Dispute) -> None:
        loser = one.node if one.tally(0).verdict is Verdict.GUILTY else "challenger"
        if self.try_to(self.court.committee.functions.appeal(one.id), loser):
            assert one.tally(0).verdict is not Verdict.NONE
            one.appellant, one.status = loser, APPEALED
            self.happened["appealed"] += 1

    def answer_appeal(self, one: Dispute) -> None:
        winner = "challenger" if one.appellant == one.node else one.node
        if self.try_to(self.court.committee.functions.answerAppeal(one.id), winner):
            one.responder = winner
            self.happened["appeal answered"] += 1

    def settle(self, one: Dispute) -> None:
        parties = {"challenger": 0, one.node: 0}
        before = {party: self.world.balance(party) for party in parties}
        due = self.court.stake_of(one.node) // 10
        mined = self.try_to(self.court.committee.functions.settle(one.id), "payer")
        if mined is None:
            return
        self.check_slashes(mined)
        (event,) = self.world.events(mined, self.court.committee, "DisputeSettled")
        one.status = int(event["status"])
        assert event["slashed"] == (due if one.status == GUILTY else 0)
        self.happened[f"ended {one.status}"] += 1
        if one.status == MOOT:
            assert self.court.is_voided(one.statement)
            paid = Counter({"challenger": BOND})
            paid[one.appellant] += 2 * BOND
            paid[one.responder] += BOND
        else:
            paid = self.expected(one, due // 2)
        for party, amount in paid.items():
            if party:
                parties[party] += amount
        changed = {party: self.world.balance(party) - before[party] for party in parties}
        assert changed == parties

    def expected(self, one: Dispute, reward: int) -> Counter[str]:
        """What the rules pay to each side; sets what jurors are owed."""
        case = one.case(reward)
        out = payout(case)
        ends = {Verdict.NONE: NO_VERDICT, Verdict.GUILTY: GUILTY, Verdict.NOT_GUILTY: NOT_GUILTY}
        assert one.status == ends[case.verdict]
        if case.verdict is Verdict.GUILTY:
            self.punished[one.statement.epoch, one.node] += 1
        one.owed = out.first_fee * case.first.coherent(case.verdict)
        if case.second is not None:
            one.owed += out.second_fee * case.second.coherent(case.second.verdict)
        paid = Counter({"challenger": out.challenger})
        paid[one.node] += out.node
        paid[one.appellant] += out.appellant
        paid[one.responder] += out.responder
        return paid

    def claim_fees(self, one: Dispute) -> None:
        for round_index, juror in sorted(one.votes):
            address = self.world.address(juror)
            owed = int(self.court.committee.functions.feeOf(one.id, round_index, address).call())
            if owed and not one.is_open:
                self.world.send(
                    self.court.committee.functions.claimFee(one.id, round_index, address), "payer"
                )
                one.owed -= owed
                self.happened["fee claimed"] += 1

    def ask(self) -> None:
        node, statement, _ = self.random.choice(self.statements)
        kind, index = self.random.choice([(questions.LINE, 0), (questions.LINE, 1), (questions.RECEIPT, 0)])
        sender = self.random.choice(("challenger", "payer"))
        self.world.fund(sender, DATA_BOND, questions.challenges(self.court))
        contract = questions.challenges(self.court)
        call = contract.functions.challenge(statement.epoch, self.world.address(node), kind, index)
        mined = self.try_to(call, sender)
        if mined:
            (event,) = self.world.events(mined, contract, "DataChallenged")
            self.questions[bytes(event["id"])] = statement
            self.happened["asked"] += 1

    def answer(self) -> None:
        for id_, statement in list(self.questions.items()):
            if self.is_answered(id_, statement):
                del self.questions[id_]
                self.happened["answered"] += 1

    def is_answered(self, id_: bytes, statement: Statement) -> bool:
        record = questions.challenges(self.court).functions.getChallenge(id_).call()
        if record[3] == questions.LINE:
            return (
                attempt(lambda: questions.answer_line(self.court, id_, statement, record[7]))[0] is not None
            )
        return attempt(lambda: questions.answer_receipt(self.court, id_, statement))[0] is not None

    def conclude(self) -> None:
        for id_, statement in list(self.questions.items()):
            mined = self.try_to(questions.challenges(self.court).functions.conclude(id_), "payer")
            if mined is None:
                continue
            del self.questions[id_]
            self.check_slashes(mined)
            ended = questions.status_of(self.court, id_)
            self.happened[f"question ended {ended}"] += 1
            if ended == questions.WITHHELD:
                node = next(name for name in NODES if self.world.plain(name) == statement.node)
                self.punished[statement.epoch, node] += 1

    def wait(self) -> None:
        self.world.pass_to(self.world.now + self.random.randint(1, 25))

    def behave(self) -> None:
        """The next sensible step of the youngest open dispute."""
        one = next((one for one in reversed(self.disputes) if one.is_open), None)
        if one is None:
            return self.open()
        elapsed = self.world.now - self.court.start(one.id, one.round)
        if elapsed < 0:
            self.answer_appeal(one) if self.random.random() < 0.5 else self.wait()
        elif one.round not in one.seats and elapsed < WINDOW // 4:
            self.draw(one)
        elif elapsed < WINDOW // 2 and len(self.promises(one)) < len(self.seated(one)):
            self.promise(one)
        elif elapsed < WINDOW // 2:
            self.world.pass_to(self.court.start(one.id, one.round) + WINDOW // 2)
        elif elapsed < WINDOW and len(self.revealed(one)) < len(self.promises(one)):
            self.reveal(one)
        elif elapsed < WINDOW:
            self.world.pass_to(self.court.start(one.id, one.round) + WINDOW)
        elif not one.appellant and self.random.random() < 0.6:
            self.appeal(one)
        else:
            self.wait()
            self.settle(one)

    def misbehave(self) -> None:
        """Anything, by anyone, at any time."""
        actions: list[Any] = [self.draw, self.promise, self.reveal, self.appeal, self.answer_appeal]
        actions += [self.settle, self.settle, self.claim_fees]
        loose = [self.open, self.ask, self.ask, self.answer, self.conclude, self.wait]
        action = self.random.choice(actions + loose)
        if action in loose:
            return action()
        if self.disputes:
            action(self.random.choice(self.disputes))

    def seated(self, one: Dispute) -> list[str]:
        return sorted(set(one.seats.get(one.round, [])))

    def promises(self, one: Dispute) -> list[str]:
        return [juror for juror in self.seated(one) if (one.round, juror) in one.promised]

    def revealed(self, one: Dispute) -> list[str]:
        return [juror for juror in self.seated(one) if (one.round, juror) in one.votes]

    def try_to(self, call: Any, sender: str) -> Mined | None:
        mined, _ = attempt(lambda: self.world.send(call, sender))
        self.happened["refused" if mined is None else "done"] += 1
        return mined

    def check_slashes(self, mined: Mined) -> None:
        """Invariant 21: at most half of a slash rewards, and of an absent juror's nothing."""
        for event in self.world.events(mined, self.world.staking, "StakeSlashed"):
            if int(event["beneficiary"], 16):
                assert event["burnt"] - event["rewarded"] in (0, 1)
            else:
                assert event["rewarded"] == 0

    def check(self) -> None:
        """Invariants 22, 31, 36 and 37, and the balance of holds."""
        open_disputes = [one for one in self.disputes if one.is_open]
        bonds = sum(one.staked for one in open_disputes)
        owed = sum(one.owed for one in self.disputes if not one.is_open)
        assert self.court.held == bonds + owed
        asked = self.world.balance(questions.challenges(self.court).address)
        assert asked == DATA_BOND * len(self.questions)
        holds = Counter(one.statement.epoch for one in open_disputes)
        holds.update(statement.epoch for statement in self.questions.values())
        for epoch in {statement.epoch for _, statement, _ in self.statements}:
            assert self.world.settlement.functions.holdsOn(epoch).call()[0] == holds[epoch]
        assert all(times == 1 for times in self.punished.values())
        if self.disputes:
            self.check_getters(self.random.choice(self.disputes))

    def check_getters(self, one: Dispute) -> None:
        functions = self.court.committee.functions
        record = self.court.dispute(one.id)
        assert record["status"] == one.status
        assert (functions.settleableAt(one.id).call() == 0) == (not one.is_open)
        for round_index in (0, 1):
            votes = self.court.named("getRound", one.id, round_index)
            tally = one.tally(round_index)
            assert (votes["seats"], votes["guilty"], votes["notGuilty"]) == (
                tally.seats,
                tally.guilty,
                tally.not_guilty,
            )
            assert functions.roundStart(one.id, round_index).call() >= 0
            for juror in votes["jurors"]:
                functions.feeOf(one.id, round_index, juror).call()
        assert functions.verdictOf(one.id).call() == one.case(0).verdict

    def close(self) -> None:
        """Invariant 30: far past every window, one call of a stranger ends each dispute and question."""
        self.world.pass_to(self.world.now + 10 * WINDOW)
        self.conclude()
        for one in self.disputes:
            if one.is_open:
                self.settle(one)
            self.claim_fees(one)
        assert not self.questions
        assert not any(one.is_open or one.owed for one in self.disputes)
        self.check()
        assert self.court.held == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_disputes_in_any_order(court: Court, seed: int) -> None:
    """SPEC 7.135, 7.143, 7.148, 7.155, 7.156, 7.157"""
    random = Random(seed)
    docket = Docket(court, random)
    docket.publish()
    for step in range(104):
        statuses = {one.id: one.status for one in docket.disputes}
        docket.behave() if step // 26 % 2 == 0 else docket.misbehave()
        docket.check()
        for one in docket.disputes:
            before = statuses.get(one.id, OPENED)
            assert one.status in MOVES.get(before, {before})
    docket.close()
    wanted = ("opened", "drawn", "promised", "revealed", "asked")
    assert all(docket.happened[name] >= 2 for name in wanted), docket.happened
    assert docket.happened["done"] * 10 >= 3 * (docket.happened["done"] + docket.happened["refused"])
