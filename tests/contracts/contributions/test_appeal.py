"""Appeals: by whom, until when, and how they end."""

from tests.contracts.datanets import (
    APPEALED,
    CID,
    CURATOR_STAKE,
    DECIDED,
    SETTLED,
    appeal,
    bond_of,
    contribution_of,
    decide,
    ledger_of,
    parameter,
    registry,
    spam,
    submit,
)
from tests.contracts.world import Mined, World, reverts


def uphold(world: World, contribution: int, sender: str = "node", at: int | None = None) -> Mined:
    return world.send(ledger_of(world).functions.uphold(contribution, CID), sender, at)


def overturn(
    world: World, contribution: int, accepted: int = 3, sender: str = "node", at: int | None = None
) -> Mined:
    call = ledger_of(world).functions.overturn(contribution, accepted, 3 - accepted, CID)
    return world.send(call, sender, at)


def test_an_appeal_is_the_contributors_once_and_in_time(world: World, datanet: int) -> None:
    """SPEC 1.69: before the decision's deadline, under a bond as large as the first."""
    contribution = submit(world, datanet, "contributor")
    with reverts("ContributionLedgerWrongStatus", contribution, 1):
        appeal(world, contribution)
    decide(world, contribution, 0, 3)
    with reverts("ContributionLedgerNotContributor"):
        appeal(world, contribution, "stranger")
    held = world.balance("contributor")
    deadline = contribution_of(world, contribution)["deadline"]
    mined = appeal(world, contribution, at=deadline - 1)
    found = contribution_of(world, contribution)
    assert (found["status"], found["deadline"]) == (APPEALED, mined.time + parameter(world, "appealWindow"))
    assert world.balance(ledger_of(world).address) == 2 * bond_of(world)
    assert world.balance("contributor") == held
    with reverts("ContributionLedgerWrongStatus", contribution, APPEALED):
        appeal(world, contribution)


def test_an_appeal_at_the_deadline_is_late(world: World, datanet: int) -> None:
    """SPEC 1.69: at the deadline the decision stands."""
    contribution = submit(world, datanet, "contributor")
    decide(world, contribution, 0, 3)
    deadline = contribution_of(world, contribution)["deadline"]
    with reverts("ContributionLedgerTooLate", contribution, deadline):
        appeal(world, contribution, at=deadline)


def test_who_decided_does_not_rule(world: World, datanet: int) -> None:
    """SPEC 1.70: another staked curator or the owner rules, never who decided, nor anybody else."""
    contribution = submit(world, datanet, "contributor")
    decide(world, contribution, 0, 3)
    with reverts("ContributionLedgerWrongStatus", contribution, DECIDED):
        uphold(world, contribution)
    appeal(world, contribution)
    for rule in (uphold, overturn):
        with reverts("ContributionLedgerOwnDecision", contribution, world.address("curator")):
            rule(world, contribution, sender="curator")
        with reverts("ContributionLedgerNotCurator", datanet, world.address("stranger")):
            rule(world, contribution, sender="stranger")
    world.send(registry(world).functions.setCurator(datanet, world.address("stranger"), True), "model_owner")
    with reverts("ContributionLedgerStakeTooLow", world.address("stranger"), 0, CURATOR_STAKE):
        uphold(world, contribution, sender="stranger")
    uphold(world, contribution, sender="model_owner")  # the owner needs no stake
    with reverts("ContributionLedgerWrongStatus", contribution, SETTLED):
        overturn(world, contribution)


def test_an_owner_who_decided_does_not_rule_either(world: World, datanet: int) -> None:
    """SPEC 1.70: the owner's own decision is somebody else's to judge."""
    world.stake("model_owner", CURATOR_STAKE)
    contribution = submit(world, datanet, "contributor")
    decide(world, contribution, 0, 3, "model_owner")
    appeal(world, contribution)
    with reverts("ContributionLedgerOwnDecision", contribution, world.address("model_owner")):
        uphold(world, contribution, sender="model_owner")


def test_a_ruling_comes_before_its_deadline(world: World, datanet: int) -> None:
    """SPEC 1.70: at the deadline nobody rules any more."""
    contribution = submit(world, datanet, "contributor")
    decide(world, contribution, 0, 3)
    appeal(world, contribution)
    deadline = contribution_of(world, contribution)["deadline"]
    with reverts("ContributionLedgerTooLate", contribution, deadline):
        uphold(world, contribution, at=deadline)


def test_an_upheld_decision_burns_the_appeals_bond(world: World, datanet: int) -> None:
    """SPEC 1.70: and the first bond comes back, as the decision was no verdict of spam."""
    contribution = submit(world, datanet, "contributor")
    decide(world, contribution, 1, 2)
    appeal(world, contribution)
    before, supply = world.balance("contributor"), world.supply()
    deadline = contribution_of(world, contribution)["deadline"]
    mined = uphold(world, contribution, at=deadline - 1)
    bond = bond_of(world)
    assert world.balance("contributor") - before == bond
    assert supply - world.supply() == bond
    (event,) = world.events(mined, ledger_of(world), "ContributionSettled")
    assert event == {"id": contribution, "refunded": bond, "burnt": bond}
    found = contribution_of(world, contribution)
    assert (found["accepted"], found["rejected"], found["curator"]) == (1, 2, world.address("curator"))


def test_upheld_spam_burns_both_bonds(world: World, datanet: int) -> None:
    """SPEC 1.68 and 1.70"""
    contribution = submit(world, datanet, "contributor")
    spam(world, contribution)
    found = contribution_of(world, contribution)
    assert (found["spam"], found["accepted"], found["rejected"]) == (True, 0, 3)
    appeal(world, contribution)
    supply = world.supply()
    uphold(world, contribution)
    assert supply - world.supply() == 2 * bond_of(world)
    assert world.balance(ledger_of(world).address) == 0


def test_an_overturned_decision_costs_its_curator(world: World, datanet: int) -> None:
    """SPEC 1.70: both bonds go back; what was at risk is burnt, so that nobody lives off another's error."""
    contribution = submit(world, datanet, "contributor")
    spam(world, contribution)
    appeal(world, contribution)
    at_risk = contribution_of(world, contribution)["atRisk"]
    assert at_risk == CURATOR_STAKE // 100
    staked = world.staking.functions.ownStake(world.address("curator")).call()
    before, supply = world.balance("contributor"), world.supply()
    mined = overturn(world, contribution, accepted=2)
    assert world.balance("contributor") - before == 2 * bond_of(world)
    assert staked - world.staking.functions.ownStake(world.address("curator")).call() == at_risk
    assert supply - world.supply() == at_risk
    (ruled,) = world.events(mined, ledger_of(world), "AppealRuled")
    assert (ruled["overturned"], ruled["slashed"], ruled["ruler"]) == (True, at_risk, world.address("node"))
    found = contribution_of(world, contribution)
    assert (found["status"], found["spam"]) == (SETTLED, False)
    assert (found["accepted"], found["rejected"], found["curator"]) == (2, 1, world.address("node"))
    counted = ledger_of(world).functions.rowsDecided
    assert counted(datanet, world.address("curator")).call() == 0
    assert counted(datanet, world.address("node")).call() == 3


def test_a_curator_who_left_is_still_slashed(world: World, datanet: int) -> None:
    """SPEC 1.70: stake on its way out pays too, and want of stake never blocks a ruling."""
    contribution = submit(world, datanet, "contributor")
    decide(world, contribution, 0, 3)
    appeal(world, contribution)
    curator = world.address("curator")
    shares = world.staking.functions.sharesOf(curator, curator).call()
    world.send(world.staking.functions.unbond(curator, shares), "curator")
    mined = overturn(world, contribution)
    (ruled,) = world.events(mined, ledger_of(world), "AppealRuled")
    assert ruled["slashed"] == CURATOR_STAKE // 100


def test_an_overturning_ruling_makes_the_batch_too(world: World, datanet: int) -> None:
    """SPEC 1.24: accepted + rejected rows make the batch."""
    contribution = submit(world, datanet, "contributor")
    decide(world, contribution, 0, 3)
    appeal(world, contribution)
    with reverts("ContributionLedgerRowsDoNotSum", 3, 1, 3):
        world.send(ledger_of(world).functions.overturn(contribution, 3, 1, CID), "node")
