"""A vote from text to effect: propose, vote, queue, execute; each a transaction, each state read from the
governor.

This node's proposals change parameters only; whatever else a governor can do is done with other tools.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from web3.contract import Contract

from node.chain.transactor import Transactor
from node.errors import InvalidInput, NotFound
from protocol.parameters import Split
from protocol.types import Address

STATES = ("pending", "active", "canceled", "defeated", "succeeded", "queued", "expired", "executed")
AGAINST, FOR, ABSTAIN = 0, 1, 2


@dataclass(frozen=True)
class Call:
    """One call that a proposal makes when it is executed."""

    target: str
    calldata: bytes


@dataclass(frozen=True)
class Proposal:
    """A proposal as the governor sees it; votes in wei of OPEN, times in unix seconds."""

    proposal_id: int
    state: str
    proposer: str
    description: str
    calls: tuple[Call, ...]
    vote_start: int
    vote_end: int
    against: int
    in_favour: int
    abstain: int


def split_call(parameters: Contract, split: Split) -> Call:
    """The call that puts a new split of prices in force."""
    shares = (split.burn, split.treasury, split.model_owner, split.operator, split.stakers, split.data)
    return Call(parameters.address, _calldata(parameters, "setSplit", (shares,)))


def value_call(parameters: Contract, key: bytes, value: int) -> Call:
    """The call that sets one bounded parameter; `key` is keccak256 of its name."""
    return Call(parameters.address, _calldata(parameters, "setValue", (key, value)))


def _calldata(contract: Contract, function: str, arguments: tuple[object, ...]) -> bytes:
    return bytes.fromhex(contract.encode_abi(function, args=list(arguments)).removeprefix("0x"))


class Proposals:
    """One account's dealings with the governor."""

    def __init__(self, governor: Contract, transactor: Transactor, first_block: int) -> None:
        self._governor = governor
        self._transactor = transactor
        self._first_block = first_block

    def propose(self, calls: tuple[Call, ...], description: str) -> int:
        """Open a proposal; return its id, which its content determines."""
        if not calls:
            raise InvalidInput("a proposal must call something")
        functions = self._governor.functions
        targets, values = [call.target for call in calls], [0] * len(calls)
        calldatas = [call.calldata for call in calls]
        digest = self._governor.w3.keccak(text=description)
        proposal_id: int = functions.getProposalId(targets, values, calldatas, digest).call()
        self._transactor.send(functions.propose(targets, values, calldatas, description))
        return proposal_id

    def vote(self, proposal_id: int, support: int, reason: str = "") -> Any:
        """Cast this account's votes: AGAINST, FOR or ABSTAIN."""
        return self._transactor.send(
            self._governor.functions.castVoteWithReason(proposal_id, support, reason)
        )

    def override(
        self, power: Contract, proposal_id: int, node: Address, support: int, reason: str = ""
    ) -> Any:
        """Cast this account's own part of the stake on `node`, whatever the node votes or voted."""
        where = self._governor.w3.to_checksum_address(node)
        return self._transactor.send(power.functions.castOverrideVote(proposal_id, where, support, reason))

    def queue(self, proposal_id: int) -> Any:
        """Hand a won proposal to the timelock."""
        return self._transactor.send(self._governor.functions.queue(proposal_id))

    def execute(self, proposal_id: int) -> Any:
        """Put a queued proposal into effect once the timelock's delay is over."""
        return self._transactor.send(self._governor.functions.execute(proposal_id))

    def state(self, proposal_id: int) -> str:
        """One of STATES."""
        return STATES[self._governor.functions.state(proposal_id).call()]

    def list(self) -> tuple[Proposal, ...]:
        """Every proposal since the deployment, oldest first."""
        events = self._governor.events.ProposalCreated().get_logs(from_block=self._first_block)
        return tuple(self._proposal(event["args"]) for event in events)

    def get(self, proposal_id: int) -> Proposal:
        """One proposal; NotFound where the governor has none of that id."""
        for proposal in self.list():
            if proposal.proposal_id == proposal_id:
                return proposal
        raise NotFound("no such proposal", proposal_id=proposal_id)

    def _proposal(self, created: Any) -> Proposal:
        proposal_id = created["proposalId"]
        against, in_favour, abstain = self._governor.functions.proposalVotes(proposal_id).call()
        return Proposal(
            proposal_id=proposal_id,
            state=self.state(proposal_id),
            proposer=created["proposer"].lower(),
            description=created["description"],
            calls=tuple(
                Call(target, bytes(calldata))
                for target, calldata in zip(created["targets"], created["calldatas"], strict=True)
            ),
            vote_start=created["voteStart"],
            # Late quorum may extend the vote, so that the deadline is asked for, not taken from the event.
            vote_end=self._governor.functions.proposalDeadline(proposal_id).call(),
            against=against,
            in_favour=in_favour,
            abstain=abstain,
        )
