"""Do recomputed receipts have the same shares? `python -m benchmarks.attribution_recompute --receipts 1000`.

A specialist for ICD-10-CM codes is trained, and its answers to many questions are attributed as the worker
does it: alone, on one thread. Each is computed anew in batches of eight and of three answers of different
lengths, in other orders, on one thread and on two, and, for a few, with the base in bf16. Printed is how many
have the very same shares, and how far their query codes lie apart. State is kept after each batch: the
command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import record
from benchmarks.attribution_owner import Row, real_rows, train_and_index
from inference_worker.attribution.build import sketch_at
from inference_worker.attribution.codes import Floats, QueryCode, encode_query
from inference_worker.attribution.gradients import LoraProbe, LoraWeights, lora_weights
from inference_worker.attribution.index import AttributionIndex
from inference_worker.attribution.influence import InfluenceQuery, Ledger, gradient_units, unflatten
from inference_worker.base.chat import render_answer, render_question
from inference_worker.base.exchange import Exchange
from inference_worker.base.fingerprint import read_record
from inference_worker.base.load import Base, load_base
from inference_worker.training.recipe import parse_recipe
from protocol.shares import scores_to_shares
from protocol.tolerance import CodeDistance, Tier, code_distance, likelihood_tier
from protocol.types import TOTAL_PPM

BASE = Path(".cache/base/smollm2-135m-instruct-fp32")
RECIPE = {
    "rank": 2, "alpha": 4, "passes": 3, "batch": 8, "learning_rate": "0.003", "checkpoints": 1,
    "target_modules": ["q_proj", "v_proj"],
}  # fmt: skip
BLOCK = 24
IN_16_BITS = 1
PPM = 1_000_000


@dataclass(frozen=True)
class Variation:
    """Another way to compute the same: answers in a batch, its order, threads of the processor."""

    name: str
    batch: int
    seed: int
    threads: int


VARIATIONS = (
    Variation("batches of 8, shuffled, 2 threads", 8, 1, 2),
    Variation("batches of 3, shuffled, 1 thread", 3, 2, 1),
)


class BatchedQuery:
    """The query codes of many answers at once: one checkpoint after the other, its adapter for all rows.

    `InfluenceQuery` has one answer and all checkpoints in a batch; the numbers must not depend on it.
    """

    def __init__(self, model: Any, index: AttributionIndex, dtype: torch.dtype = torch.float32) -> None:
        self._index = index
        scale = index.facts.alpha / index.facts.rank

        def weights(flat: Any) -> LoraWeights:
            found = lora_weights(unflatten(flat, index), scale)
            a = {path: tensor.to(dtype) for path, tensor in found.a.items()}
            return LoraWeights(a, {path: tensor.to(dtype) for path, tensor in found.b.items()}, scale)

        served = weights(index.head.served)
        base = LoraWeights(served.a, {path: torch.zeros_like(b) for path, b in served.b.items()}, scale)
        self._points = [LoraProbe(model, [weights(point.adapter)]) for point in index.checkpoints]
        self._ledger = [LoraProbe(model, [base]), LoraProbe(model, [served])]
        shared = index.facts.shared
        self._states = [probe.states(shared) for probe in (*self._points, *self._ledger)]
        length = self._points[0].parameter_count()
        self._sketches = [sketch_at(index.facts, n, length, "cpu") for n in range(len(index.checkpoints))]

    def codes(self, exchanges: Sequence[Exchange]) -> list[tuple[QueryCode, Ledger]]:
        """One code and its likelihoods for each answer of the batch."""
        skip, count = len(self._index.facts.shared), len(self._points)
        found = []
        for number, probe in enumerate(self._points):
            gradients, _ = probe.gradients(exchanges, skip, self._states[number])
            found.append([self._vector(number, gradient.float()) for gradient in gradients])
        ledger = zip(self._ledger, self._states[count:], strict=True)
        losses = [probe.losses(exchanges, skip, states) for probe, states in ledger]
        units = [point.unit for point in self._index.checkpoints]
        out = []
        for place, exchange in enumerate(exchanges):
            base, served = (-round(float(one[place].float().sum()) * PPM) for one in losses)
            vectors = [of_point[place] for of_point in found]
            out.append((encode_query(vectors, units), Ledger(base, served, len(exchange.answer))))
        return out

    def _vector(self, number: int, gradient: torch.Tensor) -> Floats:
        point = self._index.checkpoints[number]
        half_adam = torch.from_numpy(point.precondition.astype(np.float32))
        folded = self._sketches[number].fold(gradient[None], half_adam)[0].numpy()
        turned: Floats = point.fisher.astype(np.float64) @ folded
        return turned


def shares_of(index: AttributionIndex, query: QueryCode, ledger: Ledger) -> tuple[int, ...]:
    """Ppm by row in order, the unattributed part last; each row is its own cluster."""
    rows = range(int(index.rows[-1]) + 1)
    lane = gradient_units(index, query, ledger, np.arange(len(rows), dtype=np.uint32))
    units = dict(lane.units)
    return tuple(scores_to_shares([*(units.get(row, 0) for row in rows), lane.unattributed], TOTAL_PPM))


def distance(stated: QueryCode, found: QueryCode) -> CodeDistance:
    """Between two codes of one answer."""
    apart = code_distance(stated.codes.tobytes(), found.codes.tobytes(), stated.weights, found.weights)
    assert apart is not None
    return apart


@dataclass(frozen=True)
class Counted:
    """What one way of computing gave. `verified` are receipts with the same shares by the rule of `verify`:
    within tolerance, the stated code and likelihoods count; `same_bits` those with the same shares without
    it, of which others are off by `most_ppm` at most. Then codes by tier, the farthest code, and the largest
    difference of a likelihood in micro-nats.
    """

    receipts: int = 0
    verified: int = 0
    same_bits: int = 0
    identical: int = 0
    other_hardware: int = 0
    refused: int = 0
    most_ppm: int = 0
    most_unequal: int = 0
    largest: int = 0
    likelihood: int = 0


LARGEST = ("most_ppm", "most_unequal", "largest", "likelihood")
Coded = tuple[QueryCode, Ledger]


def compared(index: AttributionIndex, stated: Coded, shares: tuple[int, ...], found: Coded) -> Counted:
    """One receipt's count."""
    apart, raw = distance(stated[0], found[0]), shares_of(index, *found)
    moved = max(abs(stated[1].adapter - found[1].adapter), abs(stated[1].base - found[1].base))
    near = likelihood_tier(stated[1].gain, found[1].gain, stated[1].tokens) is not Tier.REFUSED
    code = found[0] if apart.tier is Tier.IDENTICAL else stated[0]
    verified = apart.tier is not Tier.REFUSED and near and shares_of(index, code, stated[1]) == shares
    return Counted(
        receipts=1,
        verified=int(verified),
        same_bits=int(raw == shares),
        most_ppm=max(abs(one - other) for one, other in zip(raw, shares, strict=True)),
        most_unequal=apart.unequal,
        largest=apart.largest,
        likelihood=moved,
        **{apart.tier.name.lower(): 1},
    )


def questions(base: Base, rows: Sequence[Row], count: int, seed: int) -> list[Exchange]:
    """`count` exchanges: questions with their own answers first, then with those of others."""
    drawn = random.Random(seed)
    asked = [(row.prompt, row.code) for row in rows]
    while len(asked) < count:
        asked.append((drawn.choice(rows).prompt, drawn.choice(rows).code))
    return [
        Exchange(
            tuple(render_question(base.tokenizer, prompt)), tuple(render_answer(base.tokenizer, f" {code}"))
        )
        for prompt, code in asked[:count]
    ]


def varied(
    query: BatchedQuery, exchanges: Sequence[Exchange], way: Variation
) -> Iterator[tuple[int, QueryCode, Ledger]]:
    """Each answer's place, code and likelihoods, computed in another way."""
    torch.set_num_threads(way.threads)
    order = random.Random(way.seed).sample(range(len(exchanges)), len(exchanges))
    for at in range(0, len(order), way.batch):
        places = order[at : at + way.batch]
        for place, found in zip(places, query.codes([exchanges[p] for p in places]), strict=True):
            yield place, *found
    torch.set_num_threads(1)


def recompute(
    index: AttributionIndex,
    alone: InfluenceQuery,
    batched: BatchedQuery,
    exchanges: Sequence[Exchange],
    in_16_bits: BatchedQuery | None,
) -> dict[str, Counted]:
    """One block of receipts, computed in every way."""
    torch.set_num_threads(1)
    stated = [alone.code(exchange) for exchange in exchanges]
    shares = [shares_of(index, *one) for one in stated]
    ways = [(way.name, batched, exchanges, way) for way in VARIATIONS]
    if in_16_bits is not None:
        few = exchanges[:IN_16_BITS]
        ways.append(("bf16", in_16_bits, few, Variation("bf16", 1, 0, 1)))
    counted: dict[str, Counted] = {}
    for name, query, asked, way in ways:
        for place, *found in varied(query, asked, way):
            one = compared(index, stated[place], shares[place], (found[0], found[1]))
            counted = added(counted, {name: one})
    return counted


def added(before: Mapping[str, Counted], more: Mapping[str, Counted]) -> dict[str, Counted]:
    """Two counts as one."""
    total = dict(before)
    for name, one in more.items():
        old, new = asdict(total.get(name, Counted())), asdict(one)
        total[name] = Counted(
            **{key: max(old[key], new[key]) if key in LARGEST else old[key] + new[key] for key in new}
        )
    return total


def text_of(counted: Mapping[str, Counted], receipts: int, seconds: float) -> str:
    """The table that is printed and kept."""
    heads = ("receipts", "verified", "same bits", "most ppm", "same code", "within", "refused")
    lines = [
        f"{receipts} receipts, computed alone on one thread and then anew; {seconds:.0f} s",
        f"{'computed':<34}{''.join(f'{one:>10}' for one in heads)}{'numbers':>9}{'by':>4}{'micro-nats':>11}",
    ]
    for name, one in counted.items():
        figures = (one.receipts, one.verified, one.same_bits, one.most_ppm)
        tiers = (one.identical, one.other_hardware, one.refused)
        lines.append(
            f"{name:<34}{''.join(f'{figure:>10}' for figure in (*figures, *tiers))}"
            f"{one.most_unequal:>9}{one.largest:>4}{one.likelihood:>11}"
        )
    return "\n".join(lines) + "\n"


def run(receipts: int, work: Path, folder: Path) -> tuple[dict[str, Counted], float]:
    """All blocks that are not in `work` yet, on the base in `folder`; returns counts and seconds of all."""
    base = load_base(folder)
    rows, _ = real_rows(per_owner=8, held_out=0, seed=5)
    index = train_and_index(base, rows, parse_recipe(RECIPE), work)
    asked = questions(base, rows, receipts, seed=6)
    kept = work / "counted.json"
    state = json.loads(kept.read_text()) if kept.is_file() else {"done": 0, "seconds": 0.0, "ways": {}}
    counted = {name: Counted(**one) for name, one in state["ways"].items()}
    lower = load_base(folder, verify=False)
    lower.model.to(torch.bfloat16)
    in_16_bits = BatchedQuery(lower.model, index, torch.bfloat16)
    alone, batched = InfluenceQuery(base.model, index), BatchedQuery(base.model, index)
    for at in range(state["done"], receipts, BLOCK):
        began = time.monotonic()
        counted = added(counted, recompute(index, alone, batched, asked[at : at + BLOCK], in_16_bits))
        state = {
            "done": min(at + BLOCK, receipts),
            "seconds": state["seconds"] + time.monotonic() - began,
            "ways": {name: asdict(one) for name, one in counted.items()},
        }
        kept.write_text(json.dumps(state))
        print(f"{state['done']} of {receipts} in {state['seconds']:.0f} s", flush=True)
    return counted, float(state["seconds"])


def main() -> int:
    """Run, print, and keep the result; 1 where shares differ or bf16 is not refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--receipts", type=int, default=1000)
    parser.add_argument("--work", type=Path, default=Path(".cache/attribution-recompute"))
    parser.add_argument("--base", type=Path, default=BASE, help="folder of the base model")
    parser.add_argument("--name", default="attribution_recompute", help="of the result's file")
    given = parser.parse_args()
    machine, commit = record.machine(), record.commit()
    counted, seconds = run(given.receipts, given.work, given.base)
    base = str(read_record(given.base)["name"])
    text = f"base {base}; " + text_of(counted, given.receipts, seconds)
    print(text)
    document = {
        "machine": asdict(machine),
        "commit": commit,
        "base": base,
        "receipts": given.receipts,
        "seconds": round(seconds),
        "recipe": RECIPE,
        "ways": {name: asdict(one) for name, one in counted.items()},
    }
    record.write(given.name, document, text)
    exact = all(one.verified == one.receipts for name, one in counted.items() if name != "bf16")
    return 0 if exact and counted["bf16"].refused == counted["bf16"].receipts else 1


if __name__ == "__main__":
    raise SystemExit(main())
