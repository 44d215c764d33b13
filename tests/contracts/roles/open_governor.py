"""The governor: holders propose and vote, anyone queues and executes, only the timelock changes it."""

from tests.contracts.governance.voting import FOR, Vote
from tests.contracts.roles.rules import Rules, Scene, anyone, only

BY_VOTE = "GovernorOnlyExecutor"
# The timelock may call only what a proposal that is being executed names.
UNPROPOSED = "Panic"
NO_DEPOSIT = "GovernorDisabledDeposit"


def prepare_last(scene: Scene) -> None:
    """A proposal that can be executed, one that can be queued, one being voted on."""
    world = scene.world
    world.send(world.token.functions.delegate(world.address("deployer")), "deployer")
    world.pass_to(world.now + 1)
    votes = [Vote(world, world.token, "approve", [world.address("node"), n]) for n in (1, 2)]
    for vote in votes:
        vote.cast()
    votes[1].close()
    votes[0].queue()
    world.pass_to(votes[0].eta)
    world.send(world.token.functions.transfer(world.address("stranger"), 10**24), "deployer")
    world.send(world.token.functions.delegate(world.address("stranger")), "stranger")
    world.pass_to(world.now + 1)
    running = Vote(world, world.token, "approve", [world.address("node"), 3])
    world.pass_to(running.start + 1)
    scene["queued"], scene["won"], scene["running"] = *votes, running


def _cast(scene: Scene) -> list[object]:
    return [scene["running"].id, FOR]


def _signed(scene: Scene) -> list[object]:
    return [scene["running"].id, FOR, scene.at("payer")]


RULES: Rules = {
    "cancel(uint256)": only("Guardian", "GovernorUnableToCancel", lambda s: [s["running"].id]),
    "cancel(address[],uint256[],bytes[],bytes32)": only(
        "Guardian", "GovernorUnableToCancel", lambda s: [*s["running"].arguments]
    ),
    "castVote": anyone(_cast),
    "castVoteWithReason": anyone(lambda s: [*_cast(s), "because"]),
    "castVoteWithReasonAndParams": anyone(lambda s: [*_cast(s), "because", b""]),
    "castVoteBySig": anyone(lambda s: [*_signed(s), bytes(65)], meets="GovernorInvalidSignature"),
    "castVoteWithReasonAndParamsBySig": anyone(
        lambda s: [*_signed(s), "because", b"", bytes(65)], meets="GovernorInvalidSignature"
    ),
    "execute(uint256)": anyone(lambda s: [s["queued"].id]),
    "execute(address[],uint256[],bytes[],bytes32)": anyone(lambda s: [*s["queued"].arguments]),
    "queue(uint256)": anyone(lambda s: [s["won"].id]),
    "queue(address[],uint256[],bytes[],bytes32)": anyone(lambda s: [*s["won"].arguments]),
    "propose": anyone(lambda s: [[s.at("OpenToken")], [0], [b""], "another"]),
    "onERC1155BatchReceived": anyone(lambda s: [s.at("node"), s.at("node"), [], [], b""], meets=NO_DEPOSIT),
    "onERC1155Received": anyone(lambda s: [s.at("node"), s.at("node"), 0, 0, b""], meets=NO_DEPOSIT),
    "onERC721Received": anyone(lambda s: [s.at("node"), s.at("node"), 0, b""], meets=NO_DEPOSIT),
    "tallyUpdated": only("VotingPower", "OpenGovernorNotVotingPower", lambda s: [s["running"].id]),
    "relay": only("OpenTimelock", BY_VOTE, lambda s: [s.at("OpenToken"), 0, b""], meets=UNPROPOSED),
    "setLateQuorumVoteExtension": only("OpenTimelock", BY_VOTE, lambda s: [1], meets=UNPROPOSED),
    "setProposalGuardian": only("OpenTimelock", BY_VOTE, lambda s: [s.at("stranger")], meets=UNPROPOSED),
    "setProposalThreshold": only("OpenTimelock", BY_VOTE, lambda s: [1], meets=UNPROPOSED),
    "setVotingDelay": only("OpenTimelock", BY_VOTE, lambda s: [1], meets=UNPROPOSED),
    "setVotingPeriod": only("OpenTimelock", BY_VOTE, lambda s: [1], meets=UNPROPOSED),
    "updateQuorumNumerator": only("OpenTimelock", BY_VOTE, lambda s: [1], meets=UNPROPOSED),
    "updateTimelock": only("OpenTimelock", BY_VOTE, lambda s: [s.at("stranger")], meets=UNPROPOSED),
}
