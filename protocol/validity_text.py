"""A validity report in words that claim no more than its intervals allow: for model cards, pages and the
command line alike.
"""

from protocol.shrinkage import Estimate
from protocol.validity import Absence, Agreement, ValidityReport

PPM = 1_000_000


def sentences(report: ValidityReport) -> tuple[str, ...]:
    """The report as plain sentences, in order of weight."""
    told = [_measured_on(report)]
    if report.halves is not None:
        told.append(_agreement("retraining on random halves of the data", report.halves))
    if report.contributors is not None:
        told.append(_agreement("retraining without one contributor", report.contributors))
    told += [_absence(one) for one in report.absences]
    if report.decoy_share is not None:
        told.append(
            f"Made-up rows that were never trained on would have taken {percent(report.decoy_share)} of what "
            "an answer's rows can earn."
        )
    if report.general_unattributed is not None:
        told.append(
            f"On {report.design.general} general questions that have nothing to do with this data, "
            f"{percent(report.general_unattributed)} was left without a source."
        )
    return (*told, _consequence(report))


def decimal(found: Estimate) -> str:
    """`0.41 (0.12 to 0.63)`."""
    return f"{found.ppm / PPM:.2f} ({found.low_ppm / PPM:.2f} to {found.high_ppm / PPM:.2f})"


def percent(found: Estimate) -> str:
    """`0.4 % (0.0 to 1.1)`."""
    return f"{found.ppm / 10_000:.1f} % ({found.low_ppm / 10_000:.1f} to {found.high_ppm / 10_000:.1f})"


def _measured_on(report: ValidityReport) -> str:
    design = report.design
    if not report.retrainings:
        return "Nothing was retrained, so agreement with retraining is not measured here."
    return (
        f"Measured on {len(report.retrainings)} retrainings of up to {design.sampled} of {design.rows} rows, "
        f"{design.passes} pass{'' if design.passes == 1 else 'es'} each, and {report.questions} questions "
        "kept out of training. Brackets hold 95 % intervals; 1 is full agreement, 0 is none."
    )


def _agreement(what: str, found: Agreement) -> str:
    return (
        f"This attribution agrees with {what} at {decimal(found.attribution)}, measured on "
        f"{found.retrainings} retrainings; text search (BM25): {decimal(found.bm25)}, likeness of meaning "
        f"(RepSim): {decimal(found.repsim)}. {_against('text search', found.over_bm25)}"
    )


def _against(rival: str, difference: Estimate) -> str:
    if difference.low_ppm > 0:
        return f"It is better than {rival} by {decimal(difference)}."
    if difference.high_ppm < 0:
        return f"It is worse than {rival} by {decimal(difference)}."
    return f"No difference from {rival} is shown: {decimal(difference)}."


def _absence(one: Absence) -> str:
    effect = one.effect
    bounds = (
        f"{effect.ppm / PPM:+.3f} ({effect.low_ppm / PPM:+.3f} to {effect.high_ppm / PPM:+.3f}) nats a token"
    )
    if effect.low_ppm > 0:
        verdict = "is missed when absent"
    elif effect.high_ppm < 0:
        verdict = "is not missed: answers are likelier without"
    else:
        verdict = "is not shown to be missed"
    return f"Contributor {one.owner} ({one.rows} rows) {verdict}: loss changes by {bounds}."


def _consequence(report: ValidityReport) -> str:
    shrunk = report.shrinkage
    source = "measured here and elsewhere" if report.payouts is not None else "measured elsewhere"
    return (
        f"With the agreement {source} ({shrunk.rho_ppm / PPM:.2f}), {shrunk.kappa_ppm / 10_000:.0f} % of "
        "what an answer's rows would get goes to them; the rest goes by how much each contributor supplied."
    )
