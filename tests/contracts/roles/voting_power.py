"""The tally: the governor counts, everyone votes what they staked themselves."""

from tests.contracts.governance.voting import FOR
from tests.contracts.roles.rules import Rules, Scene, anyone, only


def vote(scene: Scene) -> list[object]:
    return [scene["running"].id, scene.at("node"), FOR, "because"]


RULES: Rules = {
    "count": only(
        "OpenGovernor",
        "VotingPowerNotGovernor",
        lambda s: [s["running"].id, s.at("stranger"), FOR, 1],
    ),
    "castOverrideVote": anyone(vote, by="node"),
}
