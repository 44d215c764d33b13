"""The validity report of one adapter: how far its attribution agrees with retraining, on its own data.

Whole numbers only, in ppm, or in micro-nats of loss per answer token. It carries the losses of every
retraining, so that a later report goes on from them and anyone can compute the figures again. A report whose
kappa does not follow from its figures is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from protocol.canonical import canonical_json, parse_json
from protocol.errors import AttributionError
from protocol.fields import Fields
from protocol.hashing import to_hex
from protocol.shrinkage import Estimate, Shrinkage, shrinkage
from protocol.types import MAX_UINT32, MAX_UINT64, TOTAL_PPM

MAX_VALIDITY_BYTES = 1 << 20
MAX_RETRAININGS = 512
MAX_QUESTIONS = 256
MAX_LOSS = 10**9
"""micro-nats per answer token: 1,000 nats."""

Kind = Literal["whole", "half", "without"]
KINDS = ("whole", "half", "without")
ESTIMATORS = ("per question", "pooled")
DIGEST = r"0x[0-9a-f]{64}"


@dataclass(frozen=True, slots=True)
class Retraining:
    """One retraining on `rows` of the sampled rows, and each question's mean loss (micro-nats per answer
    token) after it. `number` counts halves from 0; `owner` is who was left out, "" for the other kinds.
    """

    kind: Kind
    number: int
    owner: str
    rows: int
    losses: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Rank correlation with the retrainings' losses, of the attribution and of two text searches beside it,
    on the same questions. `per question` averages each question's own; `pooled` ranks all pairs at once.
    """

    estimator: str
    retrainings: int
    attribution: Estimate
    bm25: Estimate
    repsim: Estimate
    over_bm25: Estimate
    over_repsim: Estimate


@dataclass(frozen=True, slots=True)
class Absence:
    """How much the held-out loss rises without an owner's rows (micro-nats per answer token)."""

    owner: str
    rows: int
    effect: Estimate


@dataclass(frozen=True, slots=True)
class Design:
    """What was done: `sampled` of `rows` trained rows, `passes` over them, questions drawn from a held-out
    file ("" for none), all by `seed`; how many decoys and general questions.
    """

    seed: int
    held_out_cid: str
    rows: int
    sampled: int
    passes: int
    decoys: int
    general: int


@dataclass(frozen=True, slots=True)
class ValidityReport:
    """Figures are None where they could not be measured: halves need two, contributors two, payouts two
    contributors and a question that pays; decoys and general questions need decoys and an index.
    """

    method_id: bytes
    manifest_cid: str
    adapter_sha256: str
    design: Design
    retrainings: tuple[Retraining, ...]
    halves: Agreement | None
    contributors: Agreement | None
    payouts: Estimate | None
    absences: tuple[Absence, ...]
    decoy_share: Estimate | None
    general_unattributed: Estimate | None

    @property
    def left_out(self) -> int:
        """Retrainings without a contributor."""
        return sum(one.kind == "without" for one in self.retrainings)

    @property
    def questions(self) -> int:
        """Held-out questions asked after each retraining."""
        return len(self.retrainings[0].losses) if self.retrainings else 0

    @property
    def shrinkage(self) -> Shrinkage:
        """kappa by the rule of `protocol.shrinkage`, from what payouts were measured at."""
        return shrinkage(self.payouts, self.left_out)


def encode_validity(report: ValidityReport) -> bytes:
    """Canonical JSON; its CID is what a bundle's manifest names."""
    shrunk = report.shrinkage
    return canonical_json(
        {
            "v": 1,
            "method_id": to_hex(report.method_id),
            "manifest_cid": report.manifest_cid,
            "adapter_sha256": report.adapter_sha256,
            # 64-bit numbers go as text: JSON readers disagree on them.
            "seed": str(report.design.seed),
            "held_out_cid": report.design.held_out_cid,
            "rows": report.design.rows,
            "sampled": report.design.sampled,
            "passes": report.design.passes,
            "decoys": report.design.decoys,
            "general": report.design.general,
            "retrainings": [_retraining_json(one) for one in report.retrainings],
            "halves": _agreement_json(report.halves),
            "contributors": _agreement_json(report.contributors),
            "payouts": _estimate_json(report.payouts),
            "absences": [
                {"owner": one.owner, "rows": one.rows, "effect": _estimate_json(one.effect)}
                for one in report.absences
            ],
            "decoy_share": _estimate_json(report.decoy_share),
            "general_unattributed": _estimate_json(report.general_unattributed),
            "rho_ppm": shrunk.rho_ppm,
            "kappa_ppm": shrunk.kappa_ppm,
        }
    )


def decode_validity(data: bytes) -> ValidityReport:
    """The inverse of `encode_validity`; a ProtocolError for anything it would not have written."""
    fields = Fields(parse_json(data, MAX_VALIDITY_BYTES, max_depth=5), "validity")
    fields.integer("v", 1, 1)
    report = ValidityReport(
        fields.hexadecimal("method_id", 32),
        fields.text("manifest_cid", 128),
        fields.text("adapter_sha256", 66, DIGEST),
        _read_design(fields),
        tuple(_read_retraining(one) for one in fields.objects("retrainings", MAX_RETRAININGS)),
        _read_agreement(fields, "halves"),
        _read_agreement(fields, "contributors"),
        _read_estimate(fields, "payouts", -TOTAL_PPM),
        tuple(_read_absence(one) for one in fields.objects("absences", MAX_RETRAININGS)),
        _read_estimate(fields, "decoy_share", 0),
        _read_estimate(fields, "general_unattributed", 0),
    )
    told = (
        fields.integer("rho_ppm", -TOTAL_PPM, TOTAL_PPM),
        fields.integer("kappa_ppm", 0, TOTAL_PPM),
    )
    fields.done()
    _check(report, told)
    return report


def _check(report: ValidityReport, told: tuple[int, int]) -> None:
    lengths = {len(one.losses) for one in report.retrainings}
    if len(lengths) > 1:
        raise AttributionError(f"retrainings answer different numbers of questions: {sorted(lengths)}")
    names = [(one.kind, one.number, one.owner) for one in report.retrainings]
    if len(set(names)) != len(names):
        raise AttributionError(f"a retraining appears twice: {names}")
    if report.payouts is not None and report.left_out < 2:
        raise AttributionError(f"payouts measured on {report.left_out} left-out contributors, needs 2")
    shrunk = report.shrinkage
    if told != (shrunk.rho_ppm, shrunk.kappa_ppm):
        raise AttributionError(
            f"rho and kappa are {told}, the figures give {shrunk.rho_ppm, shrunk.kappa_ppm}"
        )


def _read_design(fields: Fields) -> Design:
    return Design(
        seed=fields.decimal("seed", MAX_UINT64),
        held_out_cid=fields.text("held_out_cid", 128),
        rows=fields.integer("rows", 1, MAX_UINT32),
        sampled=fields.integer("sampled", 0, MAX_UINT32),
        passes=fields.integer("passes", 0, MAX_UINT32),
        decoys=fields.integer("decoys", 0, MAX_UINT32),
        general=fields.integer("general", 0, MAX_UINT32),
    )


def _retraining_json(one: Retraining) -> dict[str, object]:
    return {
        "kind": one.kind,
        "number": one.number,
        "owner": one.owner,
        "rows": one.rows,
        "losses": list(one.losses),
    }


def _read_retraining(fields: Fields) -> Retraining:
    kind = cast(Kind, fields.choice("kind", KINDS))
    read = Retraining(
        kind,
        fields.integer("number", 0, MAX_RETRAININGS),
        fields.address("owner") if kind == "without" else fields.text("owner", 0),
        fields.integer("rows", 1, MAX_UINT32),
        fields.integers("losses", MAX_QUESTIONS, 0, MAX_LOSS),
    )
    fields.done()
    return read


def _read_absence(fields: Fields) -> Absence:
    owner, rows = fields.address("owner"), fields.integer("rows", 1, MAX_UINT32)
    read = Absence(owner, rows, _estimate(fields, "effect", -MAX_LOSS, MAX_LOSS))
    fields.done()
    return read


def _agreement_json(found: Agreement | None) -> dict[str, object] | None:
    if found is None:
        return None
    figures = ("attribution", "bm25", "repsim", "over_bm25", "over_repsim")
    return {
        "estimator": found.estimator,
        "retrainings": found.retrainings,
        **{name: _estimate_json(getattr(found, name)) for name in figures},
    }


def _read_agreement(fields: Fields, name: str) -> Agreement | None:
    if fields.absent(name):
        return None
    child, whole = fields.child(name), TOTAL_PPM
    read = Agreement(
        child.choice("estimator", ESTIMATORS),
        child.integer("retrainings", 2, MAX_RETRAININGS),
        *(_estimate(child, one, -whole, whole) for one in ("attribution", "bm25", "repsim")),
        *(_estimate(child, one, -2 * whole, 2 * whole) for one in ("over_bm25", "over_repsim")),
    )
    child.done()
    return read


def _estimate_json(found: Estimate | None) -> list[int] | None:
    return None if found is None else [found.ppm, found.low_ppm, found.high_ppm]


def _read_estimate(fields: Fields, name: str, low: int) -> Estimate | None:
    return None if fields.absent(name) else _estimate(fields, name, low, TOTAL_PPM)


def _estimate(fields: Fields, name: str, low: int, high: int) -> Estimate:
    figures = fields.integers(name, 3, low, high)
    if len(figures) != 3:
        raise fields.wrong(name, f"must be a figure and its interval, not {len(figures)} numbers")
    return Estimate(*figures)
