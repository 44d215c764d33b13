"""The machine of channels, settlement and rewards with judges, holders and a guardian at work in it.

Beside what every economy does, statements and commitments are void, held, paused, made again; money of void
statements rolls over or is swept; rewards are relayed in batches and staked. Phases alternate: in one the
actors behave, so that epochs become final, in the next anything may happen.
"""

from collections import Counter
from random import Random

from protocol.types import Address
from scripts.deployment_plan import OPEN
from tests.contracts.epochs import Ledger
from tests.contracts.judged import HOLDER, JUDGE, void_commitment, void_statement
from tests.contracts.rewards.claims import claim_many, claim_to_stake
from tests.contracts.settlement.test_hold import hold, release
from tests.contracts.settlement.test_sweep import sweep
from tests.contracts.test_machine import STEPS, Economy
from tests.contracts.world import World, attempt, rewound

DISPUTES = (
    "void_a_statement",
    "void_a_statement",
    "void_a_commitment",
    "hold",
    "release",
    "release",
    "pause",
    "sweep",
    "relay",
    "stake_rewards",
    "wait_long",
    "abandon",
)
BEHAVING = (*STEPS, "stake_rewards", "relay")
# Successful calls over all seeds.
LEAST = {
    "paid": 30,
    "stated": 25,
    "claimed": 15,
    "final": 15,
    "statement void": 6,
    "commitment void": 3,
    "held": 4,
    "released": 4,
    "paused": 3,
    "relayed": 3,
    "staked": 2,
    "rolled over": 8,
    "swept": 1,
}


class Disputed(Economy):
    """Ghosts: what is void, when each first window ends, what holds an epoch, what was swept."""

    def __init__(self, world: World, ledger: Ledger, random: Random) -> None:
        super().__init__(world, ledger, random)
        self.void: set[tuple[int, str]] = set()
        self.fell: set[int] = set()
        self.first_window: dict[int, int] = {}
        self.holds: dict[int, list[int]] = {}
        self.paused_until = 0
        self.swept = 0
        self.final: list[tuple[int, bytes, int]] = []
        world.stake("node", OPEN, staker="contributor")

    # What the base machine does, in a world with voids

    def state_oldest(self, node: str) -> None:
        for epoch, who in sorted(self.void):
            if who == node and (epoch, who) in self.funded:
                self.roll_over(epoch, node)
                return
        super().state_oldest(node)

    def commit(self) -> None:
        before = len(self.committed)
        super().commit()
        if len(self.committed) > before:
            window = self.world.settings.challenge_window
            self.first_window.setdefault(self.committed[-1], self.world.now + window)

    def claim(self) -> None:
        # The first epoch may have been final with nothing in it.
        if self.final_epochs and self.ledger.commitments[self.final_epochs - 1].cumulative:
            super().claim()

    def finalize(self) -> None:
        if self.final_epochs == len(self.committed):
            return
        epoch = self.committed[self.final_epochs]
        _, refusal = attempt(lambda: self.ledger.finalize(epoch))
        now = self.world.now + 1
        if refusal == "EpochSettlementPaused":
            assert now <= self.paused_until + 1
        elif refusal == "EpochSettlementHeld":
            assert self.holds[epoch]
        elif not refusal:
            self.happened["final"] += 1
            assert not self.holds.get(epoch) or self.world.now >= max(self.holds[epoch])
            assert self.world.now >= self.paused_until
            self.final.append(tuple(self.world.settlement.functions.latestFinal().call()))
        else:
            assert refusal == "EpochSettlementWindowOpen"

    # Disputes

    def void_a_statement(self) -> None:
        """A judge, or a holder after the time of the judges."""
        open_epochs = set(self.statements) - set(self.committed[: self.final_epochs])
        standing = [(epoch, node) for epoch in sorted(open_epochs) for node in self.statements[epoch]]
        if not standing:
            return
        (epoch, node), by = self.random.choice(standing), self.random.choice((JUDGE, HOLDER))
        mined, refusal = attempt(lambda: void_statement(self.world, epoch, node, by=by))
        late = epoch in self.fell and self.world.now + (mined is None) >= self.first_window[epoch]
        if refusal:
            assert (refusal, by, late) == ("EpochSettlementNotChallengeable", JUDGE, True)
            return
        assert by == HOLDER or not late
        self.happened["statement void"] += 1
        del self.statements[epoch][node]
        self.void.add((epoch, node))
        if epoch in self.committed:
            self.fall(epoch)

    def void_a_commitment(self) -> None:
        """One that is not final falls with all upon it; a final one never does."""
        if not self.committed:
            return
        place = self.random.randrange(len(self.committed))
        epoch = self.committed[place]
        is_final = place < self.final_epochs
        _, refusal = attempt(lambda: void_commitment(self.world, epoch))
        assert refusal == ("EpochSettlementAlreadyFinal" if is_final else "")
        if not is_final:
            self.happened["commitment void"] += 1
            self.fall(epoch)

    def fall(self, epoch: int) -> None:
        place = self.committed.index(epoch)
        self.fell.update(self.committed[place:])
        del self.committed[place:], self.ledger.commitments[place:]

    def hold(self) -> None:
        open_epochs = sorted(set(self.statements) - set(self.committed[: self.final_epochs]))
        if not open_epochs:
            return
        epoch = self.random.choice(open_epochs)
        mined, refusal = attempt(lambda: hold(self.world, epoch))
        if mined is None:
            assert refusal == "EpochSettlementWindowOver"
            return
        self.happened["held"] += 1
        self.holds.setdefault(epoch, []).append(mined.time + self.world.settings.unbonding_period)

    def release(self) -> None:
        held = [epoch for epoch, holds in self.holds.items() if holds]
        if held:
            epoch = self.random.choice(held)
            release(self.world, epoch)
            self.holds[epoch].pop(0)
            self.happened["released"] += 1

    def pause(self) -> None:
        guardian = self.world.contract("Guardian").functions
        call = guardian.pause(self.world.settlement.address)
        mined, _ = attempt(lambda: self.world.send(call, "guardian"))
        if mined is not None:
            self.happened["paused"] += 1
            self.paused_until = mined.time + self.world.settings.pause_limit

    def sweep(self) -> None:
        """Money that nobody stated in its time; nothing else."""
        if not self.funded:
            return
        epoch, node = self.random.choice(sorted(self.funded))
        since = self.ledger.end_of(epoch + 1) + self.world.settings.abandoned_after
        mined, refusal = attempt(lambda: sweep(self.world, epoch, node))
        if self.world.now + (mined is None) < since:
            assert refusal == "EpochSettlementNotAbandoned"
        elif node in self.statements.get(epoch, {}):
            assert refusal == "EpochSettlementAlreadyStated"
        else:
            assert mined is not None, refusal
            self.happened["swept"] += 1
            self.swept += self.funded.pop((epoch, node))

    # Rewards

    def relay(self) -> None:
        """A stranger claims for everybody at once."""
        if not self.final_epochs:
            return
        final = self.ledger.commitments[self.final_epochs - 1]
        if final.cumulative:
            claim_many(self.ledger, final, [account for account, _ in final.cumulative])
            self.paid = dict(final.cumulative)
            self.happened["relayed"] += 1

    def stake_rewards(self) -> None:
        """The contributor stakes what is new."""
        if not self.final_epochs:
            return
        final = self.ledger.commitments[self.final_epochs - 1]
        who = self.world.plain("contributor")
        cumulative = dict(final.cumulative).get(who, 0)
        if cumulative > self.paid.get(who, 0):
            before = self.world.balance("contributor")
            claim_to_stake(self.ledger, final, "contributor", "node")
            assert self.world.balance("contributor") == before
            self.paid[Address(who)] = cumulative
            self.happened["staked"] += 1

    def wait_long(self) -> None:
        self.world.pass_to(self.world.now + self.random.choice((300, 700, 4_000)))

    def abandon(self) -> None:
        """Money that its node leaves alone for too long."""
        self.pay()
        self.world.pass_to(self.world.now + self.world.settings.abandoned_after + 300)
        self.sweep()

    def settle_disputes(self) -> None:
        while any(self.holds.values()):
            self.release()
        self.world.pass_to(max(self.world.now, self.paused_until) + 1)

    # What always holds

    def check(self) -> None:
        super().check()
        self.what_is_final_stays_final()
        assert sum(self.paid.values()) <= (self.final[-1][2] if self.final else 0)

    def the_vault_holds_what_is_unpaid(self) -> None:
        unpaid = sum(self.claimed.values()) - sum(self.paid.values()) - self.swept
        assert self.world.balance(self.world.distributor.address) == unpaid
        assert self.world.distributor.functions.totalClaimed().call() == sum(self.paid.values())

    def what_is_final_stays_final(self) -> None:
        functions = self.world.settlement.functions
        assert [one[0] for one in self.final] == self.committed[: len(self.final)]
        totals = [0] + [one[2] for one in self.final]
        assert totals == sorted(totals)
        for epoch, root, total in self.final[-3:]:
            record = functions.getCommitment(epoch).call()
            assert (record[1], record[2], record[6]) == (root, total, True)
        if self.final:
            assert self.world.distributor.functions.finalRoot().call() == self.final[-1][1]


def play(world: World, seed: int) -> Counter[str]:
    """One economy from the first payment to the last claim; what happened in it."""
    random = Random(seed)
    economy = Disputed(world, Ledger(world), random)
    for phase in range(8):
        behaving = phase % 2 == 0
        if behaving:
            economy.settle_disputes()
        for _ in range(25):
            disputing = not behaving and random.random() < 0.4
            getattr(economy, random.choice(DISPUTES if disputing else BEHAVING))()
            economy.check()
    economy.settle_disputes()
    economy.wind_down()
    economy.check()
    assert world.balance(world.distributor.address) == 0
    assert sum(economy.paid.values()) + economy.swept == sum(economy.claimed.values()) > 0
    return economy.happened


def test_disputes_in_any_order_conserve_money_and_finality(courthouse: World) -> None:
    """SPEC 7.60, 7.61, 7.62, 7.66, 7.68, 8.21: with voids, holds, pauses and sweeps between all else, the
    vault holds exactly what is owed, what is final stays, and in the end every wei is paid or swept.
    """
    happened: Counter[str] = Counter()
    for seed in range(4):
        with rewound(courthouse) as world:
            happened += play(world, seed)
    assert all(happened[what] >= least for what, least in LEAST.items()), happened
