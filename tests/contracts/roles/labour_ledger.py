"""Labour other than rows: signed by who did it, accepted by a curator."""

from tests.contracts.datanets import CID, accept, labour_record, labour_tuple, sign_labour
from tests.contracts.roles.rules import Rules, Scene, anyone, only


def prepare(scene: Scene) -> None:
    scene["labour"] = accept(scene.world, labour_record(scene.world, scene["datanet"]))


def record(scene: Scene) -> list[object]:
    made = labour_record(scene.world, scene["datanet"], "payer", work_cid=CID, deadline=2**60)
    return [labour_tuple(made), sign_labour(scene.world, made, "payer")]


RULES: Rules = {
    "accept": only(("curator", "other_staker"), "LabourLedgerNotCurator", record),
    "recordReview": anyone(lambda s: [s["datanet"], s.at("curator")]),
    "fixShares": only(
        "DatanetRegistry",
        "LabourLedgerNotRegistry",
        lambda s: [s["datanet"], s["version"], [s["labour"]], [1_000_000]],
    ),
}
