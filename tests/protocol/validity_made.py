"""A validity report with every part in it."""

from protocol.shrinkage import Estimate
from protocol.validity import Absence, Agreement, Design, Retraining, ValidityReport

OWNERS = ("0x" + "aa" * 20, "0x" + "bb" * 20)


def estimate(ppm: int) -> Estimate:
    return Estimate(ppm, ppm - 100_000, ppm + 100_000)


def made_report(
    adapter_sha256: str = "0x" + "12" * 32, manifest_cid: str = "bafy-manifest"
) -> ValidityReport:
    figures = [estimate(ppm) for ppm in (400_000, 300_000, 350_000, 100_000, -50_000)]
    losses = (1_500_000, 2_000_000, 900_000)
    return ValidityReport(
        method_id=b"\x07" * 32,
        manifest_cid=manifest_cid,
        adapter_sha256=adapter_sha256,
        design=Design(2**63 + 5, "bafy-questions", 40, 20, 2, 96, 16),
        retrainings=(
            *(Retraining("half", k, "", 10, losses) for k in range(4)),
            Retraining("whole", 0, "", 20, losses),
            *(Retraining("without", 0, owner, 12, losses) for owner in OWNERS),
        ),
        halves=Agreement("per question", 4, *figures),
        contributors=Agreement("pooled", 2, *figures),
        payouts=estimate(600_000),
        absences=tuple(Absence(owner, 8, estimate(200_000 * n)) for n, owner in enumerate(OWNERS)),
        decoy_share=Estimate(4_000, 0, 9_000),
        general_unattributed=Estimate(980_000, 950_000, 1_000_000),
    )
