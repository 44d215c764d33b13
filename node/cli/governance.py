"""`openledger governance`: from a proposal to a parameter in force."""

from typing import TYPE_CHECKING

import click

from node.cli.session import Session, json_option, open_amount

if TYPE_CHECKING:
    from node.governance.proposals import Proposals

SUPPORT = {"against": 0, "for": 1, "abstain": 2}


@click.group("governance")
def group() -> None:
    """Propose, vote, queue and execute."""


@group.command("list")
@json_option
@click.pass_obj
def list_proposals(session: Session) -> None:
    """Every proposal with its state and votes."""
    session.show(
        [
            {
                "id": str(one.proposal_id),
                "state": one.state,
                "title": one.description.partition("\n")[0],
                "for": open_amount(one.in_favour),
                "against": open_amount(one.against),
                "abstain": open_amount(one.abstain),
                "voting_ends": one.vote_end,
            }
            for one in _proposals(session, None).list()
        ]
    )


@group.command("propose")
@click.argument("title")
@click.option("--split", type=int, nargs=6, help="Ppm: burn, treasury, model owner, operator, stakers, data.")
@click.option("--set", "values", type=(str, int), multiple=True, help="A parameter and its new value.")
@click.option("--why", default="", help="The reasons, shown below the title.")
@click.option("--key", default="operator", show_default=True, help="The key that proposes.")
@json_option
@click.pass_obj
def propose(
    session: Session,
    title: str,
    split: tuple[int, ...] | None,
    values: tuple[tuple[str, int], ...],
    why: str,
    key: str,
) -> None:
    """Open a proposal called TITLE that changes the split, parameters, or both."""
    from node.chain.keccak import keccak
    from node.cli.access import open_chain
    from node.errors import InvalidInput
    from node.governance.proposals import split_call, value_call
    from protocol.parameters import Split

    parameters = open_chain(session.config).contract("ProtocolParameters")
    try:
        calls = [split_call(parameters, Split(*split))] if split else []
    except ValueError as error:
        raise InvalidInput(str(error)) from error
    calls += [
        value_call(parameters, keccak(name.encode("ascii", "replace")), value) for name, value in values
    ]
    number = _proposals(session, key).propose(tuple(calls), f"{title}\n{why}".strip())
    session.show({"id": str(number), "title": title, "calls": len(calls)})


@group.command("vote")
@click.argument("proposal", type=int)
@click.argument("support", type=click.Choice(list(SUPPORT)))
@click.option("--reason", default="", help="Public, optional.")
@click.option("--key", default="operator", show_default=True, help="The key that votes.")
@json_option
@click.pass_obj
def vote(session: Session, proposal: int, support: str, reason: str, key: str) -> None:
    """Vote on PROPOSAL with the power that was delegated before it started."""
    _proposals(session, key).vote(proposal, SUPPORT[support], reason)
    session.show({"id": str(proposal), "vote": support})


@group.command("override")
@click.argument("proposal", type=int)
@click.argument("node")
@click.argument("support", type=click.Choice(list(SUPPORT)))
@click.option("--reason", default="", help="Public, optional.")
@click.option("--key", default="operator", show_default=True, help="The key that staked on NODE.")
@json_option
@click.pass_obj
def override(session: Session, proposal: int, node: str, support: str, reason: str, key: str) -> None:
    """Vote your own part of the stake on NODE, whatever the node itself votes."""
    from node.cli.access import open_chain
    from protocol.types import parse_address

    power = open_chain(session.config).contract("VotingPower")
    _proposals(session, key).override(power, proposal, parse_address(node), SUPPORT[support], reason)
    session.show({"id": str(proposal), "node": node, "vote": support})


@group.command("parameters")
@json_option
@click.pass_obj
def parameters(session: Session) -> None:
    """Every parameter in force, and what it is for."""
    from node.cli.access import open_chain
    from node.governance.parameters import ParameterMirror
    from protocol.tunables import TUNABLES

    mirror = ParameterMirror(open_chain(session.config).contract("ProtocolParameters"))
    values = mirror.tunables(mirror.refresh())
    session.show(
        [
            {
                "name": one.name,
                "kind": one.kind.name.lower(),
                "value": str(values[one.name]),
                "meaning": one.meaning,
            }
            for one in TUNABLES
        ]
    )


@group.command("queue")
@click.argument("proposal", type=int)
@click.option("--key", default="operator", show_default=True, help="The key that pays for the transaction.")
@json_option
@click.pass_obj
def queue(session: Session, proposal: int, key: str) -> None:
    """Hand a won PROPOSAL to the timelock."""
    proposals = _proposals(session, key)
    proposals.queue(proposal)
    session.show({"id": str(proposal), "state": proposals.state(proposal)})


@group.command("execute")
@click.argument("proposal", type=int)
@click.option("--key", default="operator", show_default=True, help="The key that pays for the transaction.")
@json_option
@click.pass_obj
def execute(session: Session, proposal: int, key: str) -> None:
    """Put a queued PROPOSAL into effect."""
    proposals = _proposals(session, key)
    proposals.execute(proposal)
    session.show({"id": str(proposal), "state": proposals.state(proposal)})


def _proposals(session: Session, key: str | None) -> "Proposals":
    """With a key for sending; without, for reading only."""
    from node.cli.access import open_chain, sender, spectator
    from node.governance.proposals import Proposals

    chain = open_chain(session.config)
    transactor = spectator(chain) if key is None else sender(session.config, chain, key)
    return Proposals(chain.contract("OpenGovernor"), transactor, chain.deployment.block)
