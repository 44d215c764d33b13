"""The access manager: the timelock alone directs it; wiring the parameters anew waits even for that."""

from tests.contracts.roles.rules import Rules, Scene, anyone, nobody, only

ACCOUNT, UNSCHEDULED = "AccessManagerUnauthorizedAccount", "AccessManagerNotScheduled"
PARAMETERS, GUARDIANS = 1, 2
DELAY = 10_000


def set_value(scene: Scene) -> bytes:
    data: str = scene.world.parameters.encode_abi("setValue", [b"\x01" * 32, 1])
    return bytes.fromhex(data[2:])


RULES: Rules = {
    "cancel": anyone(
        lambda s: [s.at("stranger"), s.at("ProtocolParameters"), set_value(s)], meets=UNSCHEDULED
    ),
    "consumeScheduledOp": nobody(
        "Unknown|AccessManagerUnauthorizedConsume", lambda s: [s.at("stranger"), set_value(s)]
    ),
    # What it passes on is checked as if the caller had called it.
    "execute": only(
        "OpenTimelock",
        "AccessManagerUnauthorizedCall",
        lambda s: [s.at("ProtocolParameters"), set_value(s)],
        meets="ProtocolParametersUnknownKey",
    ),
    "schedule": anyone(
        lambda s: [s.at("ProtocolParameters"), set_value(s), 0], meets="AccessManagerUnauthorizedCall"
    ),
    "multicall": anyone(lambda s: [[]]),
    "grantRole": only("OpenTimelock", ACCOUNT, lambda s: [PARAMETERS, s.at("stranger"), DELAY]),
    "revokeRole": only("OpenTimelock", ACCOUNT, lambda s: [PARAMETERS, s.at("stranger")]),
    "renounceRole": anyone(lambda s: [PARAMETERS, s.at("stranger")]),
    "labelRole": only("OpenTimelock", ACCOUNT, lambda s: [PARAMETERS, "name"]),
    "setGrantDelay": only("OpenTimelock", ACCOUNT, lambda s: [PARAMETERS, DELAY]),
    "setRoleAdmin": only(
        "OpenTimelock", ACCOUNT, lambda s: [PARAMETERS, GUARDIANS], meets="OpenAccessManagerAdminIsFixed"
    ),
    "setRoleGuardian": only("OpenTimelock", ACCOUNT, lambda s: [PARAMETERS, GUARDIANS]),
    "setTargetAdminDelay": only("OpenTimelock", ACCOUNT, lambda s: [s.at("ProtocolParameters"), DELAY]),
    "setTargetClosed": only(
        "OpenTimelock", ACCOUNT, lambda s: [s.at("ProtocolParameters"), True], meets=UNSCHEDULED
    ),
    "setTargetFunctionRole": only(
        "OpenTimelock", ACCOUNT, lambda s: [s.at("ProtocolParameters"), [], PARAMETERS], meets=UNSCHEDULED
    ),
    "updateAuthority": only(
        "OpenTimelock", ACCOUNT, lambda s: [s.at("ProtocolParameters"), s.at("stranger")], meets=UNSCHEDULED
    ),
}
