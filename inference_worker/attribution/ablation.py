"""What the rows in a prompt added to its answer: log-likelihoods with some of them left out.

Teacher-forced under the served adapter in fp32: one pass over all sets of rows that `protocol.retrieval` asks
for, in batches of alike lengths behind the tokens that all of them begin with. The rows that say what chance
looks like are drawn from the same version. What comes of it is integers, from which anybody gets the lane.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from inference_worker.attribution.gradients import LoraProbe, lora_weights
from inference_worker.attribution.index import AttributionIndex
from inference_worker.attribution.influence import PPM, unflatten
from inference_worker.base.context import row_ids
from inference_worker.base.exchange import Exchange, common_prefix, token_losses
from inference_worker.base.load import Base
from inference_worker.blobs.node_blobs import Blobs
from inference_worker.errors import RequestInvalid
from protocol.context import Context, row_text
from protocol.lanes import Lane, LaneUnits
from protocol.manifest import Manifest, decode_row
from protocol.retrieval import (
    MAX_MEASURED_TOKENS,
    Ablations,
    Null,
    Order,
    draw_nulls,
    masks_of,
    null_places,
    orders_of,
    retrievable_rows,
    retrieval_lane,
    seed_of,
)
from protocol.wire import AttributeRequest

CID_CHARS = 59
BATCH = 8

Ids = tuple[int, ...]
Found = tuple[LaneUnits, Ablations | None]


@dataclass(frozen=True)
class OpenRows:
    """The rows of a version that may stand in a prompt, ascending, and their CIDs one after the other; 63
    bytes a row.
    """

    rows: array[int]
    cids: bytes

    def cid(self, row: int) -> str:
        """Where a row's bytes are. Raises RequestInvalid for a row that may not stand in a prompt."""
        place = bisect_left(self.rows, row)
        if place == len(self.rows) or self.rows[place] != row:
            raise RequestInvalid("context", row, "rows of the version that are open")
        return self.cids[CID_CHARS * place : CID_CHARS * (place + 1)].decode("ascii")


def open_rows_of(manifest: Manifest) -> OpenRows:
    """The retrievable rows of a version."""
    rows = array("I", retrievable_rows(manifest))
    return OpenRows(rows, "".join(manifest.rows[row].cid for row in rows).encode("ascii"))


def retrieved_units(
    base: Base,
    index: AttributionIndex,
    blobs: Blobs,
    open_rows: OpenRows,
    request: AttributeRequest,
    context: Context,
) -> Found:
    """The retrieval lane with its measurements. Raises RequestInvalid where a row does not stand in the
    prompt where the request says that it does.

    The lane does not run where the version has too few other rows to say what chance looks like, or where
    prompt and answer are so long that measuring would take more than MAX_MEASURED_TOKENS.
    """
    prompt, output = request.prompt_ids, request.output_ids
    seed = seed_of(request.index_cid, request.manifest_cid, prompt, output)
    drawn = draw_nulls(open_rows.rows, context.indexes, seed)
    if not drawn:
        return LaneUnits(Lane.RETRIEVAL, (), 0, ran=False), None
    orders = orders_of(len(context.rows), seed)

    def ids_of(row: int) -> Ids:
        return row_ids(base.tokenizer, row_text(decode_row(blobs.get(open_rows.cid(row)))))

    for placed in context.rows:
        if ids_of(placed.row) != prompt[placed.start : placed.end]:
            raise RequestInvalid("context", placed, "places at which the rows stand")
    nulls = [(row, ids_of(row)) for row in drawn]
    prompts = ablated_prompts(prompt, context, orders, nulls)
    if sum(len(one) + len(output) - context.start for one in prompts) > MAX_MEASURED_TOKENS:
        return LaneUnits(Lane.RETRIEVAL, (), 0, ran=False), None
    found = measure(base.model, served_probe(base.model, index), prompt, context, output, orders, nulls)
    return retrieval_lane(context.indexes, found, orders, len(output)), found


def served_probe(model: Any, index: AttributionIndex) -> LoraProbe:
    """The model under the adapter as it is served."""
    scale = index.facts.alpha / index.facts.rank
    return LoraProbe(model, [lora_weights(unflatten(index.head.served, index), scale)])


def measure(
    model: Any,
    probe: LoraProbe,
    prompt: Ids,
    context: Context,
    output: Ids,
    orders: Sequence[Order],
    nulls: Sequence[tuple[int, Ids]],
) -> Ablations:
    """All log-likelihoods that `orders` and `nulls` (row, ids) need, in micro-nats."""
    masks, places = masks_of(orders), null_places(orders)
    prompts = ablated_prompts(prompt, context, orders, nulls)
    distinct = tuple(dict.fromkeys(prompts))
    measured = dict(zip(distinct, log_likelihoods(probe, distinct, output), strict=True))
    values = [measured[one] for one in prompts]
    pairs = zip(values[len(masks) :: 2], values[len(masks) + 1 :: 2], strict=True)
    return Ablations(
        base=_under_base(model, Exchange(prompts[0], output)),
        values=tuple(zip(masks, values, strict=False)),
        nulls=tuple(
            Null(row, place, alone, instead)
            for (row, _), place, (alone, instead) in zip(nulls, places, pairs, strict=True)
        ),
    )


def ablated_prompts(
    prompt: Ids, context: Context, orders: Sequence[Order], nulls: Sequence[tuple[int, Ids]]
) -> list[Ids]:
    """The prompt with each set of rows, by ascending mask; then for each null with it alone and beside the
    others.
    """
    prompts = [context.keep(prompt, _places(mask)) for mask in masks_of(orders)]
    for (_, ids), place in zip(nulls, null_places(orders), strict=True):
        prompts += [context.replace(prompt, place, ids, alone) for alone in (True, False)]
    return prompts


def log_likelihoods(probe: LoraProbe, prompts: Sequence[Ids], output: Ids) -> list[int]:
    """Of the same output after each prompt, in micro-nats; what all prompts begin with is run once."""
    exchanges = [Exchange(prompt, output) for prompt in prompts]
    shared = common_prefix(exchanges)
    states, found = probe.states(shared), [0] * len(exchanges)
    for places in _batches(exchanges):
        losses = probe.losses([exchanges[place] for place in places], len(shared), states)
        for place, loss in zip(places, losses, strict=True):
            found[place] = _micronats(loss)
    return found


def _batches(exchanges: Sequence[Exchange]) -> list[list[int]]:
    """Places of alike lengths together, BATCH at a time."""
    order = sorted(range(len(exchanges)), key=lambda place: (exchanges[place].length, place))
    return [order[at : at + BATCH] for at in range(0, len(order), BATCH)]


@torch.no_grad()
def _under_base(model: Any, exchange: Exchange) -> int:
    (loss,) = token_losses(model, [exchange], 0, ())
    return _micronats(loss)


def _micronats(losses: torch.Tensor) -> int:
    return -round(float(losses.double().sum()) * PPM)


def _places(mask: int) -> list[int]:
    return [place for place in range(mask.bit_length()) if mask >> place & 1]
