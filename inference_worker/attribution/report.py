"""One answer's attribution as the message that goes back to the node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inference_worker.attribution.method import method_id
from protocol.attribution import Lane, LaneUnits
from protocol.influence import Influence
from protocol.retrieval import Ablations
from protocol.spans import Match, cover
from protocol.wire import AttributeResult


@dataclass(frozen=True)
class Scored:
    """What the gradient lane was computed from, and the bytes of the query's code."""

    influence: Influence
    code: bytes


def make_report(
    lanes: Sequence[LaneUnits],
    matches: Sequence[Match],
    texts: Sequence[str],
    ablations: Ablations | None = None,
    losses: bool = False,
    scored: Scored | None = None,
) -> AttributeResult:
    """Lanes in lane order, the credited matches, the answer's text by token, and the evidence of the
    retrieval and the gradient lane where they ran; `losses` says whether they took part.
    """
    ordered = tuple(sorted(lanes, key=lambda found: found.lane))
    influence, codes = ((), ()) if scored is None else ((scored.influence,), (scored.code,))
    return AttributeResult(
        method_id(losses), ordered, cover(matches), tuple(texts), ablations, influence, codes
    )


def did_not_run(lane: Lane) -> LaneUnits:
    """A lane that could not be computed; its whole weight stays unattributed."""
    return LaneUnits(lane, (), 0, ran=False)


def token_texts(tokenizer: Any, output: Sequence[int]) -> list[str]:
    """The text that each token adds, so that the pieces joined are the answer as decoded.

    A token inside a multi-byte character adds nothing; the one that completes it adds the character.
    """
    pieces: list[str] = []
    shown = ""
    for end in range(1, len(output) + 1):
        text = tokenizer.decode(list(output[:end]), skip_special_tokens=True)
        whole = text.rstrip("\ufffd") if end < len(output) else text
        pieces.append(whole[len(shown) :] if whole.startswith(shown) else "")
        shown = whole if whole.startswith(shown) else shown
    return pieces
