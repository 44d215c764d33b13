"""The evidence of a gradient lane, computed anew: the query's code and the likelihood within tolerance, what
follows from them to the bit.

A code that differs no more than other hardware makes it differ is put aside, and rows are scored under the
one that the receipt binds; so hardware changes no share, and a lie about a score has nowhere to hide.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from node.attribution.findings import Finding
from protocol.errors import EncodingError
from protocol.influence import Influence
from protocol.lanes import Lane
from protocol.query_code import decode_code
from protocol.tolerance import CodeDistance, Tier, code_distance, likelihood_tier
from protocol.wire import AttributeResult

CODE = "the receipt's, or one within other hardware"
GAIN = "the receipt's, or within 100 micro-nats a token"

UnderCode = Callable[[bytes], Awaitable[AttributeResult]]
"""Asks for the same attribution under a given query code."""


@dataclass(frozen=True)
class Rechecked:
    """A member's result beside the section that its receipt binds, and what was found of code and gain."""

    result: AttributeResult
    findings: tuple[Finding, ...]


async def recheck(
    stated: Influence, code: bytes | None, result: AttributeResult, tokens: int, under: UnderCode
) -> Rechecked:
    """`code` is the stated query code's bytes, None where they are not at hand; `tokens` the answer's."""
    if not result.influence:
        return Rechecked(result, (Finding("query code", False, CODE, "this worker took no gradient"),))
    found = result.influence[0]
    if found.query_code_hash == stated.query_code_hash:
        told = Finding("query code", True, CODE, Tier.IDENTICAL.value)
    elif code is None:
        told = Finding("query code", None, CODE, "another, and the stated one's bytes are not at hand")
    else:
        apart = distance(code, result.query_codes[0])
        told = _code_finding(apart)
        if apart is not None and apart.tier is Tier.OTHER_HARDWARE:
            result = await under(code)
    gain = _gain_finding(stated, found, tokens)
    if gain.agrees and result.influence:
        result = with_gain(result, stated)
    return Rechecked(result, (told, gain))


def distance(stated: bytes, found: bytes) -> CodeDistance | None:
    """Between two codes as bytes, those of the losses included; None where the shapes differ or one is no
    code.
    """
    try:
        one, other = decode_code(stated), decode_code(found)
        if one.shape != other.shape:
            return None
    except EncodingError:
        return None
    return code_distance(
        b"".join(one.codes) + one.losses,
        b"".join(other.codes) + other.losses,
        (*one.weights, one.loss_weight),
        (*other.weights, other.loss_weight),
    )


def with_gain(result: AttributeResult, stated: Influence) -> AttributeResult:
    """The result with the stated likelihood gain, and the gradient lane that follows from it."""
    section = result.influence[0]
    section = replace(section, measured=replace(section.measured, gain=stated.measured.gain))
    lanes = tuple(section.lane() if lane.lane is Lane.GRADIENT else lane for lane in result.lanes)
    return replace(result, lanes=lanes, influence=(section,))


def _code_finding(apart: CodeDistance | None) -> Finding:
    if apart is None:
        return Finding("query code", False, CODE, "one of another shape")
    verdict = f"{apart.tier.value}: {apart.told()}"
    return Finding("query code", apart.tier is not Tier.REFUSED, CODE, verdict)


def _gain_finding(stated: Influence, found: Influence, tokens: int) -> Finding:
    tier = likelihood_tier(stated.measured.gain, found.measured.gain, tokens)
    told = f"{tier.value}: {found.measured.gain} micro-nats, stated {stated.measured.gain}"
    return Finding("likelihood gain", tier is not Tier.REFUSED, GAIN, told)
