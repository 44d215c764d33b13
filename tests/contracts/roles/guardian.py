"""The guardian contract: its account pauses and cancels, the timelock appoints."""

from tests.contracts.roles.open_access_manager import set_value
from tests.contracts.roles.rules import Rules, Scene, only

REFUSED = "GuardianNotGuardian"


def operation(scene: Scene) -> list[object]:
    return [scene.at("stranger"), scene.at("ProtocolParameters"), set_value(scene)]


RULES: Rules = {
    "appoint": only("OpenTimelock", "GuardianNotTimelock", lambda s: [s.at("stranger"), 1]),
    "pause": only("guardian", REFUSED, lambda s: [s.at("ModelRegistry")], paused="GuardianCoolingDown"),
    "resume": only(("guardian", "OpenTimelock"), REFUSED, lambda s: [s.at("ModelRegistry")]),
    "cancelProposal": only("guardian", REFUSED, lambda s: [s["running"].id]),
    "cancelOperation": only("guardian", REFUSED, operation, meets="AccessManagerNotScheduled"),
}
