"""The guardian: pauses for a time, cancels, expires; the timelock alone appoints another."""

from typing import Any

import pytest
from web3.contract import Contract

from node.chain.deployment import load_artifact
from node.chain.keccak import keccak
from scripts.deployment_plan import DAY, PAUSABLE, Web3Deployer
from tests.contracts.governance.voting import Vote
from tests.contracts.world import REFUSALS, World, reverts

YEAR_AND_A_DAY = 366 * DAY


@pytest.fixture
def guardian(world: World) -> Contract:
    return world.contract("Guardian")


@pytest.fixture
def module(world: World) -> str:
    return world.contract("ModelRegistry").address


@pytest.fixture
def vote(world: World) -> Vote:
    world.send(world.token.functions.delegate(world.address("deployer")), "deployer")
    world.pass_to(world.now + 1)
    return Vote(world, world.token, "approve", [world.address("payer"), 1])


def pause(world: World, module: str, at: int | None = None) -> int:
    """When it was paused."""
    return world.send(world.contract("Guardian").functions.pause(module), "guardian", at).time


def test_a_pause_ends_by_itself(world: World, guardian: Contract, module: str) -> None:
    """SPEC 9.66: a pause lasts the pause limit, to the second."""
    paused_at = pause(world, module)
    until = paused_at + world.settings.pause_limit
    world.pass_to(until - 1)
    assert guardian.functions.isPaused(module).call()
    world.pass_to(until)
    assert not guardian.functions.isPaused(module).call()


def test_pauses_cannot_be_chained(world: World, guardian: Contract, module: str) -> None:
    """SPEC 9.66: after a pause a module runs for the cool-down at least, resumed early or not."""
    paused_at = pause(world, module)
    again = paused_at + world.settings.pause_limit + world.settings.pause_cool_down
    assert guardian.functions.pauseOf(module).call() == [paused_at + world.settings.pause_limit, again]
    world.send(guardian.functions.resume(module), "guardian")
    assert not guardian.functions.isPaused(module).call()
    with reverts("GuardianCoolingDown", module, again):
        pause(world, module, at=again - 1)
    assert pause(world, module, at=again + 1)


def test_only_listed_modules_can_be_paused(world: World, guardian: Contract) -> None:
    """SPEC 9.66: nothing else than what asks the guardian can be paused, not even in name."""
    for name in PAUSABLE:
        assert guardian.functions.isModule(world.contract(name).address).call()
    staking = world.staking.address
    for function in ("pause", "resume"):
        with reverts("GuardianUnknownModule", staking):
            world.send(guardian.functions[function](staking), "guardian")
    assert not guardian.functions.isPaused(staking).call()


def test_the_term_ends_to_the_second_and_pauses_with_it(
    world: World, guardian: Contract, module: str
) -> None:
    """SPEC 9.67: at the end of its term the guardian has no power, and no pause of its goes on."""
    end = guardian.functions.expiresAt().call()
    pause(world, module, at=end - 1)
    assert guardian.functions.isPaused(module).call()
    world.pass_to(end)
    assert not guardian.functions.isPaused(module).call()
    with reverts("GuardianExpired", end):
        pause(world, world.contract("DatanetRegistry").address)
    with reverts("GuardianExpired", end):
        world.send(guardian.functions.cancelProposal(1), "guardian")


def test_a_guardian_cancels_at_any_time_before_the_execution(
    world: World, guardian: Contract, vote: Vote
) -> None:
    """SPEC 9.68: pending, running, won or queued; what is cancelled never takes effect."""
    vote.cast()
    vote.close()
    vote.queue()
    world.send(guardian.functions.cancelProposal(vote.id), "guardian")
    assert vote.governor.functions.state(vote.id).call() == 2
    with reverts("GovernorUnexpectedProposalState"):
        vote.execute(at=world.now + 10 * world.settings.timelock_delay)


def test_nobody_else_cancels_a_running_vote(world: World, vote: Vote) -> None:
    """SPEC 9.68: the proposer may take a proposal back while the vote has not begun, and no later."""
    world.pass_to(vote.start + 1)
    for sender in ("deployer", "stranger", "guardian"):
        with reverts("GovernorUnableToCancel", vote.id, world.address(sender)):
            world.send(vote.governor.functions.cancel(vote.id), sender)


def test_a_vote_replaces_the_guardian_and_the_guardian_cannot_stop_it(
    world: World, guardian: Contract, vote: Vote
) -> None:
    """SPEC 9.67: a proposal that only directs the guardian is not the guardian's to cancel."""
    change = Vote(world, guardian, "appoint", [world.address("stranger"), 100])
    with reverts("GuardianOwnReplacement", change.id):
        world.send(guardian.functions.cancelProposal(change.id), "guardian")
    change.cast()
    change.close()
    change.queue()
    change.execute(at=change.eta)
    assert guardian.functions.guardian().call() == world.address("stranger")
    assert guardian.functions.expiresAt().call() == world.now + 100
    with reverts("GuardianNotGuardian", world.address("guardian")):
        pause(world, world.contract("ModelRegistry").address)


def own(world: World, name: str, *arguments: Any) -> Contract:
    """A contract beside the suite, with the deployer in the timelock's place."""
    address = Web3Deployer(world.web3, world.address("deployer")).deploy(name, *arguments)
    return world.web3.eth.contract(address=world.checksum(address), abi=load_artifact(name).abi)


@pytest.mark.parametrize(("term", "accepted"), [(YEAR_AND_A_DAY, True), (YEAR_AND_A_DAY + 1, False)])
def test_no_term_is_longer_than_a_year_and_a_day(world: World, term: int, accepted: bool) -> None:
    """SPEC 9.67: each term ends within a year and a day of its beginning."""
    someone = world.address("deployer")
    alone = own(world, "Guardian", (someone, someone, someone, 10, 10), someone, 1, [])
    if not accepted:
        with reverts("GuardianTermTooLong", term, YEAR_AND_A_DAY):
            world.send(alone.functions.appoint(someone, term), "deployer")
        return
    mined = world.send(alone.functions.appoint(someone, term), "deployer")
    assert alone.functions.expiresAt().call() == mined.time + term


@pytest.fixture
def manager(world: World) -> Contract:
    """An access manager whose timelock is the deployer and whose guardian is the challenger."""
    deployer, guard = world.address("deployer"), world.address("challenger")
    return own(world, "OpenAccessManager", deployer, guard, world.parameters.address, (50, 70, 90))


PARAMETERS, GUARDIANS = 1, 2


def grant(world: World, manager: Contract, role: int, actor: str, delay: int) -> Any:
    return world.send(manager.functions.grantRole(role, world.address(actor), delay), "deployer")


def test_no_account_but_the_timelock_becomes_admin_or_acts_at_once(world: World, manager: Contract) -> None:
    """SPEC 9.69: the admin is the timelock for ever; all others have delays, and no role its own admin."""
    someone, timelock = world.address("stranger"), world.address("deployer")
    with reverts("OpenAccessManagerOnlyAdmin", timelock, someone):
        grant(world, manager, 0, "stranger", 10_000)
    with reverts("OpenAccessManagerDelayTooShort", PARAMETERS, someone, 49, 50):
        grant(world, manager, PARAMETERS, "stranger", 49)
    with reverts("OpenAccessManagerAdminIsFixed", PARAMETERS):
        world.send(manager.functions.setRoleAdmin(PARAMETERS, GUARDIANS), "deployer")
    mined = grant(world, manager, PARAMETERS, "stranger", 50)
    assert manager.functions.getAccess(PARAMETERS, someone).call()[:2] == [mined.time + 70, 50]
    assert manager.functions.hasRole(0, timelock).call() == [True, 0]


def test_wiring_the_parameters_anew_waits(world: World, manager: Contract) -> None:
    """SPEC 9.69: the parameters' own admin delay holds from the first block, for the timelock too."""
    target = world.parameters.address
    assert manager.functions.getTargetAdminDelay(target).call() == 90
    selector = keccak(b"setValue(bytes32,uint256)")[:4]
    rewire = manager.functions.setTargetFunctionRole(target, [selector], GUARDIANS)
    with reverts("AccessManagerNotScheduled"):
        world.send(rewire, "deployer")
    data = rewire._encode_transaction_data()
    mined = world.send(manager.functions.schedule(manager.address, data, 0), "deployer")
    with reverts("AccessManagerNotReady"):
        world.send(rewire, "deployer", at=mined.time + 89)
    world.send(rewire, "deployer", at=mined.time + 90)
    public = manager.functions.setTargetFunctionRole(target, [selector], 2**64 - 1)
    mined = world.send(
        manager.functions.schedule(manager.address, public._encode_transaction_data(), 0), "deployer"
    )
    with reverts("OpenAccessManagerOpenToAll", target, selector):
        world.send(public, "deployer", at=mined.time + 90)


def test_what_a_holder_scheduled_the_guardian_cancels(world: World, manager: Contract) -> None:
    """SPEC 9.69: a role's guardian cancels what its holders scheduled, and can do nothing else."""
    mined = grant(world, manager, PARAMETERS, "stranger", 50)
    world.pass_to(mined.time + 70)
    target = world.parameters.address
    data = world.parameters.encode_abi("setValue", [keccak(b"maxBatch"), 2])
    with reverts("AccessManagerUnauthorizedCall"):
        world.send(manager.functions.schedule(target, data, 0), "challenger")
    world.send(manager.functions.schedule(target, data, 0), "stranger")
    cancel = manager.functions.cancel(world.address("stranger"), target, data)
    with reverts("AccessManagerUnauthorizedCancel"):
        world.send(cancel, "payer")
    world.send(cancel, "challenger")
    with reverts("AccessManagerNotScheduled"):
        world.send(manager.functions.execute(target, data), "stranger", at=world.now + 60)


def test_delays_are_never_none(world: World) -> None:
    """SPEC 9.69: an access manager without delays cannot be made."""
    deployer, factory = world.address("deployer"), load_artifact("OpenAccessManager")
    made = world.web3.eth.contract(abi=factory.abi, bytecode=factory.bytecode)
    for delays in ((0, 1, 1), (1, 0, 1), (1, 1, 0)):
        data = made.constructor(deployer, deployer, deployer, delays).data_in_transaction
        refused = keccak(b"OpenAccessManagerZeroDelay()")[:4]
        with pytest.raises(REFUSALS) as found:
            world.web3.eth.call({"from": deployer, "data": data})
        assert refused.hex() in str(found.value) or repr(refused)[2:-1] in str(found.value)
