"""Contributions: everyone offers, the Datanet's curators decide, the contributor appeals and revokes."""

from node.chain.keccak import keccak
from scripts.deployment_plan import OPEN
from tests.contracts.datanets import (
    CID,
    DIGESTS,
    appeal,
    appoint,
    bond_of,
    decide,
    ledger_of,
    membership,
    revoke,
    submit,
)
from tests.contracts.roles.rules import WORD, Rules, Scene, anyone, only

FRESH = tuple(keccak(b"fresh %d" % place) for place in range(3))


def prepare(scene: Scene) -> None:
    """One that can be settled, with a row revoked; one that nobody decided in time; a copy of the first."""
    world, datanet = scene.world, scene["datanet"]
    appoint(world, datanet, "curator", "curator", "other_staker")
    scene["settled"] = submit(world, datanet, "contributor")
    scene["copy"] = submit(world, datanet, "payer")
    scene["late"] = submit(world, datanet, "contributor", FRESH)
    decide(world, scene["settled"], 2, 1)
    revoke(world, scene["settled"], "contributor")
    scene["decided_at"] = world.now
    world.fund("stranger", 100 * OPEN, ledger_of(world))


def prepare_last(scene: Scene) -> None:
    """What has deadlines: one to decide, one to appeal against, one appealed."""
    world, datanet = scene.world, scene["datanet"]
    names = ("open", "decided", "appealed")
    for name in names:
        scene[name] = submit(world, datanet, "contributor", (keccak(name.encode()),))
    decide(world, scene["decided"], 1, 0)
    decide(world, scene["appealed"], 0, 1)
    appeal(world, scene["appealed"])
    world.fund("contributor", bond_of(world), ledger_of(world))


def copies(scene: Scene) -> list[object]:
    pairs = (("settled", "contributor"), ("copy", "payer"))
    return [DIGESTS[0], *(membership(scene.world, scene[name], who, DIGESTS[0]) for name, who in pairs)]


def offer(scene: Scene) -> list[object]:
    return [scene["datanet"], WORD, 1, CID, False]


NOT_CURATOR, NOT_CONTRIBUTOR = "ContributionLedgerNotCurator", "ContributionLedgerNotContributor"
PAUSED = "ContributionLedgerPaused"
# The curator that decided may not rule on it.
NOT_RULER = f"{NOT_CURATOR}|ContributionLedgerOwnDecision"
RULES: Rules = {
    "submit": anyone(offer, paused=PAUSED),
    "submitWithPermit": anyone(lambda s: [*offer(s), 2**60, 27, WORD, WORD], paused=PAUSED),
    "withdraw": only("contributor", NOT_CONTRIBUTOR, lambda s: [s["late"]]),
    "decide": only(("curator", "other_staker"), NOT_CURATOR, lambda s: [s["open"], 1, 0, CID]),
    "decideSpam": only(("curator", "other_staker"), NOT_CURATOR, lambda s: [s["open"], CID]),
    "appeal": only("contributor", NOT_CONTRIBUTOR, lambda s: [s["decided"], CID]),
    "uphold": only("other_staker", NOT_RULER, lambda s: [s["appealed"], CID]),
    "overturn": only("other_staker", NOT_RULER, lambda s: [s["appealed"], 1, 0, CID]),
    "settle": anyone(lambda s: [s["settled"]]),
    "proveDuplicate": anyone(copies),
    "revoke": only(
        "contributor",
        NOT_CONTRIBUTOR,
        lambda s: [DIGESTS[0], membership(s.world, s["settled"], "contributor", DIGESTS[0])],
    ),
    "grant": only("contributor", NOT_CONTRIBUTOR, lambda s: [s["datanet"], DIGESTS[1]]),
}
