"""Datanets: everyone may found one, its owner names curators, they publish."""

from tests.contracts.datanets import CID, create, publish, registry
from tests.contracts.roles.rules import WORD, Rules, Scene, anyone, only


def prepare(scene: Scene) -> None:
    """A Datanet with a version, offered to another owner."""
    scene["datanet"] = create(scene.world, "curator")
    scene["version"] = publish(scene.world, scene["datanet"], "curator")
    offer = registry(scene.world).functions.transferOwnership(scene["datanet"], scene.at("model_owner"))
    scene.world.send(offer, "curator")


CURATORS = ("curator", "other_staker")
NOT_OWNER, NOT_CURATOR, PAUSED = (
    "DatanetRegistryNotOwner",
    "DatanetRegistryNotCurator",
    "DatanetRegistryPaused",
)
RULES: Rules = {
    "createDatanet": anyone(lambda s: ["letters", bytes(32), False, "CC0-1.0", CID], paused=PAUSED),
    "setCurator": only("curator", NOT_OWNER, lambda s: [s["datanet"], s.at("stranger"), True]),
    "transferOwnership": only("curator", NOT_OWNER, lambda s: [s["datanet"], s.at("stranger")]),
    "acceptOwnership": only("model_owner", "DatanetRegistryNotPendingOwner", lambda s: [s["datanet"]]),
    "publishVersion": only(
        CURATORS, NOT_CURATOR, lambda s: [s["datanet"], 0, WORD, WORD, 1, CID], paused=PAUSED
    ),
    "publishVersionWithLabour": only(
        CURATORS,
        NOT_CURATOR,
        lambda s: [s["datanet"], 0, WORD, WORD, 1, CID, [s["labour"]], [1_000_000]],
        paused=PAUSED,
    ),
    "registerTokenChunks": only(CURATORS, NOT_CURATOR, lambda s: [s["datanet"], s["version"], WORD, WORD, 1]),
    # Its row is proven by its arguments; here none of it was revoked.
    "flagRevoked": anyone(
        lambda s: [s["datanet"], s["version"], (WORD, s.at("node"), 0, True), (0, 1, [])],
        meets="DatanetRegistryRowNotRevoked",
    ),
}
