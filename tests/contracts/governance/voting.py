"""A proposal as a test walks it through its states."""

from web3.contract import Contract

from node.chain.keccak import keccak
from tests.contracts.world import World

AGAINST, FOR, ABSTAIN = 0, 1, 2
DESCRIPTION = "raise the data share"


class Vote:
    """One proposal of one call, walked through its states."""

    def __init__(self, world: World, target: Contract, call: str, arguments: list[object]) -> None:
        self.world = world
        self.governor = world.contract("OpenGovernor")
        data = target.encode_abi(call, arguments)
        self.arguments = [target.address], [0], [data], keccak(DESCRIPTION.encode())
        self._propose([target.address], [0], [data])

    def _propose(self, targets: list[str], values: list[int], data: list[str]) -> None:
        call = self.governor.functions.propose(targets, values, data, DESCRIPTION)
        (event,) = self.world.events(self.world.send(call, "deployer"), self.governor, "ProposalCreated")
        self.id, self.start, self.end = event["proposalId"], event["voteStart"], event["voteEnd"]

    def cast(self, voter: str = "deployer", support: int = FOR) -> None:
        if self.world.now <= self.start:
            self.world.pass_to(self.start + 1)
        self.world.send(self.governor.functions.castVote(self.id, support), voter)

    def close(self) -> None:
        self.world.pass_to(self.governor.functions.proposalDeadline(self.id).call() + 1)

    def queue(self) -> None:
        self.world.send(self.governor.functions.queue(*self.arguments), "stranger")

    def execute(self, at: int | None = None) -> None:
        self.world.send(self.governor.functions.execute(*self.arguments), "stranger", at)

    @property
    def eta(self) -> int:
        return int(self.governor.functions.proposalEta(self.id).call())
