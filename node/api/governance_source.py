"""Proposals, parameters and stakes as the pages show them, read from the chain."""

import re
from dataclasses import fields
from typing import Any

from web3.exceptions import Web3Exception

from node.api.display import amount, duration, percent
from node.api.site_data import Governance, Parameter, Proposal, StakedNode, Staking
from node.chain.rpc import Chain
from node.governance.parameters import ParameterMirror
from node.governance.proposals import Proposal as OnChain
from node.governance.proposals import Proposals
from node.store.receipts import ReceiptStore
from protocol.attribution import Lane
from protocol.parameters import Parameters, Split
from protocol.tunables import TUNABLES, Kind

SHOWN_BEFORE = {"labourPpm", "gradientWeight", "spanWeight", "retrievalWeight"}
EXPLANATIONS = {
    "burn": "burnt, so that paying oneself always costs",
    "treasury": "to the treasury that governance holds",
    "model_owner": "to the model's owner, parents' royalties first",
    "operator": "to the node that answered",
    "stakers": "to those who stake on that node",
    "data": "to the datapoints' contributors and their curators",
}


class GovernanceSource:
    """Reads OpenGovernor, ProtocolParameters and NodeStaking; sends nothing."""

    def __init__(
        self,
        chain: Chain,
        proposals: Proposals,
        parameters: ParameterMirror,
        receipts: ReceiptStore,
        node: str,
    ) -> None:
        self._chain = chain
        self._proposals = proposals
        self._parameters = parameters
        self._receipts = receipts
        self._own = node
        self._governor = chain.contract("OpenGovernor")
        self._staking = chain.contract("NodeStaking")

    def governance(self) -> Governance:
        """Every proposal, newest first, and the parameters in force."""
        now = self._chain.head().timestamp
        self._parameters.refresh()
        current = self._parameters.current()
        listed = tuple(self._proposal(one, now) for one in reversed(self._proposals.list()))
        others = _others(self._parameters.tunables(current.version))
        return Governance(listed, (*_parameters(current), *others), current.version, now)

    def staking(self) -> Staking:
        """Every node that was ever staked on or authorised a signer, by stake."""
        nodes = sorted((self._node(address) for address in self._known()), key=lambda one: -one.total_stake)
        return Staking(tuple(nodes), int(self._staking.functions.unbondingPeriod().call()))

    def _known(self) -> list[str]:
        first = self._chain.deployment.block
        staked = self._staking.events.Staked().get_logs(from_block=first)
        authorised = self._staking.events.SignerAuthorized().get_logs(from_block=first)
        return list(dict.fromkeys(str(event["args"]["node"]) for event in (*staked, *authorised)))

    def _node(self, address: str) -> StakedNode:
        total = int(self._staking.functions.totalStake(self._chain.web3.to_checksum_address(address)).call())
        own = address.lower() == self._own
        return StakedNode(
            address.lower(), "this node" if own else "", total, self._receipts.totals()[0] if own else None
        )

    def _proposal(self, one: OnChain, now: int) -> Proposal:
        title, _, body = one.description.partition("\n")
        functions = self._governor.functions
        # The quorum of a snapshot in the future cannot be asked for yet; the present one is the best
        # estimate.
        quorum = functions.quorum(min(one.vote_start, now - 1)).call()
        return Proposal(
            proposal_id=str(one.proposal_id),
            title=title.removeprefix("# ").strip() or "Untitled",
            body=body.strip(),
            state=one.state,
            votes_for=one.in_favour,
            votes_against=one.against,
            votes_abstain=one.abstain,
            quorum=int(quorum),
            snapshot=one.vote_start,
            deadline=one.vote_end,
            executable_at=int(functions.proposalEta(one.proposal_id).call()) if one.state == "queued" else 0,
            actions=tuple(self._action(call.target, call.calldata) for call in one.calls),
        )

    def _action(self, target: str, calldata: bytes) -> str:
        """A call in words where the target is one of ours, else as it is."""
        names = {str(address): name for name, address in self._chain.deployment.contracts.items()}
        name = names.get(target.lower())
        if name is None:
            return f"{target}: 0x{calldata.hex()}"
        try:
            function, arguments = self._chain.contract(name).decode_function_input(calldata)
        except (ValueError, Web3Exception):
            return f"{name}: 0x{calldata.hex()}"
        return f"{name}.{function.fn_name}({', '.join(_spelled(value) for value in arguments.values())})"


def _spelled(value: Any) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, dict):
        return ", ".join(f"{name} {_spelled(inner)}" for name, inner in value.items())
    if isinstance(value, tuple | list):
        return "(" + ", ".join(_spelled(inner) for inner in value) + ")"
    return str(value)


def _others(values: dict[str, int]) -> list[Parameter]:
    """What a vote can set beside the split, labour and lanes."""
    return [
        Parameter(_in_words(one.name), _valued(one.kind, values[one.name]), one.meaning)
        for one in TUNABLES
        if one.name not in SHOWN_BEFORE
    ]


def _in_words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Ppm")).lower()


def _valued(kind: Kind, value: int) -> str:
    if kind is Kind.PPM:
        return percent(value)
    if kind is Kind.WEI:
        return f"{amount(value)} OPEN"
    if kind is Kind.SECONDS:
        return duration(value)
    return f"0x{value:040x}" if kind is Kind.ACCOUNT else str(value)


def _parameters(current: Parameters) -> list[Parameter]:
    shown = [
        Parameter(
            field.name.replace("_", " "),
            percent(getattr(current.split, field.name)),
            EXPLANATIONS[field.name],
        )
        for field in fields(Split)
    ]
    shown.append(
        Parameter("labour", percent(current.labour_ppm), "part of data for curators, evaluators and cleaners")
    )
    for lane in (Lane.GRADIENT, Lane.SPAN, Lane.RETRIEVAL):
        meaning = f"weight of the {lane.name.lower()} lane in an attribution"
        shown.append(Parameter(f"{lane.name.lower()} weight", percent(current.lane_weights[lane]), meaning))
    return shown
