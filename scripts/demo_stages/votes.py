"""Stage 9 of the demo: holders change the fee split, and the running node and its next receipt follow."""

import asyncio
import time
from dataclasses import replace
from typing import Any

from node.governance.proposals import Proposals, split_call
from protocol.hashing import to_hex
from protocol.parameters import Split
from protocol.types import ZERO_ADDRESS
from scripts.demo_stages.devnet import advance, advance_to
from scripts.demo_stages.material import questions
from scripts.demo_stages.people import OPEN
from scripts.demo_stages.serving import answer, client, settled
from scripts.demo_stages.world import World, checksummed

FOR = 1
SHIFT = 20_000
PATIENCE_SECONDS = 60.0


async def govern(world: World) -> dict[str, Any]:
    """Delegate, propose, vote, queue, execute; then one more paid answer under the new split."""
    before = world.core.parameters.current()
    proposal = await asyncio.to_thread(_carry, world, before.split)
    after = await _followed(world, before.version)
    model = world.journal["models"]["name"]
    reply = await answer(client(world), model, questions(world.size)[0].prompt, f"after-vote-{after}")
    record = await settled(world, reply.openledger["request_id"])
    if record.receipt.parameters_version != after:
        raise RuntimeError(f"the receipt names version {record.receipt.parameters_version}, not {after}")
    data = world.core.parameters.current().split.data
    world.console.say(
        f"   parameters version {before.version} → {after}; data's part {before.split.data} → {data} ppm"
    )
    left_open = await asyncio.to_thread(_leave_open, world)
    return {
        "proposal": str(proposal),
        "version_before": before.version,
        "version_after": after,
        "data_ppm_before": before.split.data,
        "data_ppm_after": data,
        "receipt": to_hex(record.receipt.request_id),
        "receipt_parameters_version": record.receipt.parameters_version,
        "open_proposal": str(left_open),
    }


def _shifted(split: Split, ppm: int) -> Split:
    """`ppm` from the operator to the data; back again where the operator has too little left."""
    change = ppm if split.operator > 2 * ppm else -2 * ppm
    return replace(split, operator=split.operator - change, data=split.data + change)


def _proposals(world: World, name: str) -> Proposals:
    return Proposals(
        world.chain.contract("OpenGovernor"), world.transactor(name), world.chain.deployment.block
    )


def _carry(world: World, split: Split) -> int:
    """One proposal through all its states; each step only where the chain says that it is due."""
    _delegate(world)
    vera = _proposals(world, "vera")
    description = f"Run {world.run}: move part of each fee between the operator and the data"
    known = [one for one in vera.list() if one.description == description]
    if not known:
        wanted = split_call(world.chain.contract("ProtocolParameters"), _shifted(split, SHIFT))
        proposal = vera.propose((wanted,), description)
        world.console.say(f"   Vera proposes: {description}")
    else:
        proposal = known[0].proposal_id
    while (state := vera.state(proposal).lower()) != "executed":
        _advance(world, vera, proposal, state)
    return proposal


def _advance(world: World, vera: Proposals, proposal: int, state: str) -> None:
    governor = world.chain.contract("OpenGovernor").functions
    if state == "pending":
        advance_to(world.chain, governor.proposalSnapshot(proposal).call() + 1)
    elif state == "active":
        if not governor.hasVoted(proposal, checksummed(world.people.address("vera"))).call():
            vera.vote(proposal, FOR, "data should earn more")
            world.console.say(
                "   Vera votes for it, with her own votes and those that Grace delegated to her"
            )
        advance_to(world.chain, governor.proposalDeadline(proposal).call() + 1)
    elif state == "succeeded":
        vera.queue(proposal)
        world.console.say("   queued in the timelock")
    elif state == "queued":
        advance_to(world.chain, governor.proposalEta(proposal).call() + 1)
        vera.execute(proposal)
        world.console.say("   executed")
    else:
        raise RuntimeError(f"proposal {proposal} is {state}")


def _delegate(world: World) -> None:
    token = world.chain.contract("OpenToken")
    vera = world.people.address("vera")
    for name in ("vera", "grace"):
        account = world.people.address(name)
        if token.functions.delegates(checksummed(account)).call().lower() == ZERO_ADDRESS:
            world.transactor(name).send(token.functions.delegate(checksummed(vera)))
    # A proposer's votes are those of a second ago, and some chains make many blocks a second.
    advance(world.chain, 2)
    votes = token.functions.getVotes(checksummed(vera)).call()
    world.console.say(f"   Vera holds {votes // OPEN} votes")


async def _followed(world: World, before: int) -> int:
    """The version that the running node obeys, once it is a new one."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while world.core.parameters.current().version <= before:
        if time.monotonic() > deadline:
            raise TimeoutError("the node did not take up the new parameters")
        await asyncio.sleep(0.2)
    return world.core.parameters.current().version


def _leave_open(world: World) -> int:
    """A second proposal, so that the reader of the page has something to vote on."""
    vera = _proposals(world, "vera")
    description = f"Run {world.run}, for you to decide: move another part of each fee to the data"
    for one in vera.list():
        if one.description == description:
            return one.proposal_id
    split = world.core.parameters.current().split
    proposal = vera.propose(
        (split_call(world.chain.contract("ProtocolParameters"), _shifted(split, 10_000)),), description
    )
    advance_to(
        world.chain, world.chain.contract("OpenGovernor").functions.proposalSnapshot(proposal).call() + 1
    )
    return proposal
