"""What the retrieval lane pays for: rows with the answer, rows like them, rows that have nothing to say.

`python -m benchmarks.attribution_retrieval --base FOLDER` asks questions of which one row holds the answer,
with that row, the most alike other row and two drawn ones in the prompt, in an order drawn by the seed. Two
sets: `made` (facts about places that do not exist, on which the threshold was chosen) and `icd-10-cm`
(official codes, which only confirms). The base answers without training: the adapter is one that adds
nothing, so all that is measured is what the rows add. Log-likelihoods are kept in the result.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.record import commit, machine, write
from inference_worker.attribution.ablation import measure
from inference_worker.attribution.gradients import LoraProbe, LoraWeights
from inference_worker.base.chat import render_answer
from inference_worker.base.context import place_in_chat, row_ids
from inference_worker.base.load import Base, load_base
from node.datanet.icd10 import row_of, select_codes
from protocol.bm25 import Bm25
from protocol.context import ContextRow, row_text
from protocol.hashing import sha256
from protocol.manifest import Row
from protocol.retrieval import draw_nulls, orders_of, retrieval_lane, shapley_sums

SEED = "openledger-retrieval"
VERSION_ROWS = 200
KINDS = ("answer", "alike", "drawn", "drawn")
RELATIONS = (
    ("Who founded {}?", "{} was founded by {}.", "person"),
    ("Which river flows past {}?", "The river {1} flows past {0}.", "name"),
    ("What is mined in {}?", "In {} they mine {}.", "metal"),
    ("How tall is the tower of {}?", "The tower of {} is {} metres tall.", "number"),
    ("What colour is the flag of {}?", "The flag of {} is {}.", "colour"),
    ("In which month is the fair of {}?", "The fair of {} is held in {}.", "month"),
)
METALS = ("cobalt", "tin", "silver", "nickel", "zinc", "lead", "copper", "iron")
COLOURS = ("teal", "crimson", "ochre", "violet", "amber", "indigo", "olive", "scarlet")
MONTHS = ("March", "April", "May", "June", "July", "August", "September", "October")


@dataclass(frozen=True)
class Case:
    """A question, the answer that is scored, and the row that holds it."""

    question: str
    answer: str
    row: int


def made(count: int, draw: random.Random) -> tuple[list[str], list[Case]]:
    """Rows about places that do not exist, and a question to each of the first `count`."""
    rows, cases, names = [], [], _names(draw)
    for number in range(VERSION_ROWS):
        question, told, kind = RELATIONS[number % len(RELATIONS)]
        place = next(names)
        values = {
            "person": f"{next(names)} {next(names)}",
            "name": next(names),
            "metal": draw.choice(METALS),
            "number": str(draw.randrange(30, 400)),
            "colour": draw.choice(COLOURS),
            "month": draw.choice(MONTHS),
        }
        answer = told.format(place, values[kind])
        rows.append(row_text(Row("qa", question.format(place), answer, {})))
        cases.append(Case(question.format(place), answer, number))
    return rows, cases[:count]


def icd(count: int, draw: random.Random) -> tuple[list[str], list[Case]]:
    """Official codes, and a question to each of the first `count`."""
    rows = [row_of(code) for code in select_codes(VERSION_ROWS, SEED)]
    cases = [Case(row.prompt, row.completion, place) for place, row in enumerate(rows)]
    return [row_text(row) for row in rows], cases[:count]


def _names(draw: random.Random) -> Any:
    starts, ends = ("Van", "Tarn", "Quill", "Har", "Dun", "Bel", "Cor", "Sel", "Nor", "Fen"), (
        "doria", "holm", "mere", "row", "wick", "garth", "rin", "wyn", "haven", "moor",
    )  # fmt: skip
    seen: set[str] = set()
    while True:
        name = draw.choice(starts) + draw.choice("aeiou") + draw.choice(ends)
        name = name if name not in seen else name + draw.choice("aeiou") + draw.choice(ends)
        if name not in seen:
            seen.add(name)
            yield name


def adds_nothing(base: Base) -> LoraProbe:
    """The base under an adapter of zeros."""
    path = "model.layers.0.self_attn.q_proj"
    outputs, inputs = base.model.get_submodule(path).weight.shape
    zeros = LoraWeights({path: torch.zeros(1, inputs)}, {path: torch.zeros(outputs, 1)}, 1.0)
    return LoraProbe(base.model, [zeros])


def run_case(base: Base, probe: LoraProbe, rows: Sequence[str], index: Bm25, case: Case) -> dict[str, Any]:
    """One answer: who stood in the prompt, what each added (nats), what each earned (part of the lane)."""
    seed = sha256(f"{SEED} {case.row}".encode())
    draw = random.Random(seed)
    alike = next(row for row in index.nearest(case.question, 8) if row != case.row)
    others = draw.sample([row for row in range(len(rows)) if row not in (case.row, alike)], 2)
    placed = list(zip((case.row, alike, *others), KINDS, strict=True))
    draw.shuffle(placed)
    context_rows = [ContextRow(row, rows[row]) for row, _ in placed]
    prompt, context = place_in_chat(base.tokenizer, [("user", case.question)], context_rows)
    output = tuple(render_answer(base.tokenizer, case.answer))
    orders = orders_of(len(placed), seed)
    drawn = draw_nulls(range(len(rows)), context.indexes, seed)
    nulls = [(row, row_ids(base.tokenizer, rows[row])) for row in drawn]
    began = time.process_time()
    found = measure(base.model, probe, prompt, context, output, orders, nulls)
    seconds = time.process_time() - began
    lane = retrieval_lane(context.indexes, found, orders, len(output))
    whole = lane.unattributed + sum(units for _, units in lane.units)
    earned = {row: units / whole for row, units in lane.units}
    parts = [part / len(orders) / 1e6 for part in shapley_sums(dict(found.values), orders)]
    return {
        "kinds": [kind for _, kind in placed],
        "added": [round(part, 3) for part in parts],
        "earned": [round(earned.get(row, 0.0), 4) for row, _ in placed],
        "tokens": [len(prompt), len(output)],
        "cpu_seconds": round(seconds, 2),
        "ablations": found.to_json(),
    }


def summary(cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over answers; `false_payment` is what drawn rows got of all that rows got."""
    kinds = [(kind, part) for case in cases for kind, part in zip(case["kinds"], case["earned"], strict=True)]
    paid = {name: sum(part for kind, part in kinds if kind == name) / len(cases) for name in set(KINDS)}
    best = [case["kinds"][max(range(len(KINDS)), key=lambda n: case["earned"][n])] for case in cases]
    return {
        "answers": len(cases),
        **{f"earned_{name}": round(part, 4) for name, part in sorted(paid.items())},
        "false_payment": round(paid["drawn"] / max(sum(paid.values()), 1e-9), 4),
        "drawn_rows_paid": round(sum(p > 0 for k, p in kinds if k == "drawn") / (2 * len(cases)), 4),
        "answer_first": round(best.count("answer") / len(cases), 4),
        "cpu_seconds_median": statistics.median(case["cpu_seconds"] for case in cases),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--answers", type=int, default=20)
    asked = parser.parse_args()
    base, results, lines = load_base(asked.base, verify=False), {}, []
    probe = adds_nothing(base)
    for name, make in (("made", made), ("icd-10-cm", icd)):
        rows, cases = make(asked.answers, random.Random(SEED))
        index = Bm25(rows)
        found = [run_case(base, probe, rows, index, case) for case in cases]
        results[name] = {**summary(found), "cases": found}
        lines.append(f"{name} {json.dumps(summary(found))}")
        print(lines[-1], flush=True)
    circumstances = {"commit": commit(), "machine": asdict(machine()), "seed": SEED}
    write("attribution-retrieval", {**circumstances, "sets": results}, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
