"""The timelock: the governor proposes and cancels, anyone executes, only itself changes itself."""

from tests.contracts.roles.rules import WORD, Rules, Scene, anyone, only

ROLE = WORD


def call(scene: Scene) -> list[object]:
    return [scene.at("OpenToken"), 0, b"", bytes(32), WORD]


def calls(scene: Scene) -> list[object]:
    return [[scene.at("OpenToken")], [0], [b""], bytes(32), WORD]


REFUSED = "AccessControlUnauthorizedAccount"
RULES: Rules = {
    "cancel": only("OpenGovernor", REFUSED, lambda s: [WORD], meets="TimelockUnexpectedOperationState"),
    "execute": anyone(call, meets="TimelockUnexpectedOperationState"),
    "executeBatch": anyone(calls, meets="TimelockUnexpectedOperationState"),
    "grantRole": only("OpenTimelock", REFUSED, lambda s: [ROLE, s.at("stranger")]),
    "revokeRole": only("OpenTimelock", REFUSED, lambda s: [ROLE, s.at("stranger")]),
    "renounceRole": anyone(lambda s: [ROLE, s.at("stranger")]),
    "onERC1155BatchReceived": anyone(lambda s: [s.at("stranger"), s.at("stranger"), [], [], b""]),
    "onERC1155Received": anyone(lambda s: [s.at("stranger"), s.at("stranger"), 0, 0, b""]),
    "onERC721Received": anyone(lambda s: [s.at("stranger"), s.at("stranger"), 0, b""]),
    "schedule": only("OpenGovernor", REFUSED, lambda s: [*call(s), s.world.settings.timelock_delay]),
    "scheduleBatch": only("OpenGovernor", REFUSED, lambda s: [*calls(s), s.world.settings.timelock_delay]),
    "updateDelay": only("OpenTimelock", "TimelockUnauthorizedCaller", lambda s: [1]),
}
