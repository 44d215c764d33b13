"""Does attribution find the owner? `python benchmarks/attribution_owner.py [--work DIR]`.

Real ICD-10-CM rows of six chapters' owners, and a contributor of valid codes behind other codes' texts. A
specialist is trained and asked about held-out descriptions, and each answer is attributed; printed beside it
are BM25 over the same rows and a random choice. Runs on from DIR's checkpoints when interrupted.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simple_icd_10_cm as icd
import torch

from inference_worker.attribution.build import TrainingPoint, build_index
from inference_worker.attribution.gradients import LoraProbe, lora_weights
from inference_worker.attribution.index import AttributionIndex, IndexFacts
from inference_worker.attribution.influence import InfluenceQuery, gradient_units, unflatten
from inference_worker.attribution.sketch import seed_of
from inference_worker.base.chat import render_question
from inference_worker.base.exchange import Exchange, common_prefix
from inference_worker.base.load import Base, load_base
from inference_worker.training.checkpoint import CheckpointFolder
from inference_worker.training.examples import Example, make_example
from inference_worker.training.lora_trainer import LoraTrainer
from inference_worker.training.recipe import Recipe, parse_recipe
from protocol.bm25 import Bm25
from protocol.hashing import sha256
from protocol.shares import scores_to_shares
from protocol.types import TOTAL_PPM

CHAPTERS = {
    "endocrine": ("E08", "E09", "E10", "E11", "E13"),
    "eye": ("H35", "H40"),
    "circulatory": ("I63", "I69"),
    "respiratory": ("J",),
    "injury": ("S52.5", "S72.0"),
    "pregnancy": ("O24", "O36"),
}
NOISE = "noise"
MAX_ANSWER_TOKENS = 14


@dataclass(frozen=True)
class Row:
    """A description and a code, and who brought them."""

    owner: str
    description: str
    code: str

    @property
    def prompt(self) -> str:
        """The question as the specialist is asked it."""
        return f"Description: {self.description}\nICD-10-CM code:"


def real_rows(per_owner: int, held_out: int, seed: int) -> tuple[list[Row], list[Row]]:
    """Training rows (with noise, about 15 %) and held-out rows."""
    drawn = random.Random(seed)
    pool: list[Row] = []
    train: list[Row] = []
    held: list[Row] = []
    leaves = [code for code in icd.get_all_codes(with_dots=True) if icd.is_leaf(code)]
    for owner, starts in CHAPTERS.items():
        rows = [Row(owner, icd.get_description(code), code) for code in leaves if code.startswith(starts)]
        drawn.shuffle(rows)
        pool += rows
        train += rows[:per_owner]
        held += rows[per_owner : per_owner + held_out]
    picks = drawn.sample(pool, 2 * (len(train) * 18 // 100))
    half = len(picks) // 2
    noise = [Row(NOISE, a.description, b.code) for a, b in zip(picks[:half], picks[half:], strict=True)]
    return [*train, *noise], held


def train_and_index(base: Base, rows: Sequence[Row], recipe: Recipe, work: Path) -> AttributionIndex:
    """The specialist's index; training and its parts are taken from DIR where they are there."""
    work.mkdir(parents=True, exist_ok=True)
    examples = [
        make_example(base.tokenizer, n, row.prompt, f" {row.code}", 256) for n, row in enumerate(rows)
    ]
    digest = sha256("\n".join(f"{row.prompt} {row.code}" for row in rows).encode())
    trainer = LoraTrainer(
        base.model, examples, recipe, CheckpointFolder(work, digest.hex() + recipe.digest())
    )
    began = time.monotonic()
    adapter = trainer.run(lambda r: print(f"\rstep {r.step}/{r.steps} loss {r.loss:.3f}", end="", flush=True))
    points = [TrainingPoint(s.adapter, s.second_moment, s.mean_rate) for s in trainer.snapshots()]
    trainer.detach()
    print(f"\ntrained in {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    index = make_index(base, examples, adapter, points, recipe, seed_of(digest), work)
    print(f"\nindexed in {time.monotonic() - began:.0f} s")
    return index


def make_index(
    base: Base,
    examples: Sequence[Example],
    adapter: dict[str, torch.Tensor],
    points: Sequence[TrainingPoint],
    recipe: Recipe,
    seed: int,
    work: Path,
) -> AttributionIndex:
    """The attribution index of the trained rows."""
    exchanges = [example.exchange for example in examples]
    names = LoraProbe(base.model, [lora_weights(adapter, recipe.alpha / recipe.rank)]).tracked_names()
    facts = IndexFacts(
        base_fingerprint=base.fingerprint,
        tokenizer_digest=base.tokenizer_digest,
        manifest_cid="",
        recipe_digest=recipe.digest(),
        rank=recipe.rank,
        alpha=recipe.alpha,
        seed=seed,
        shared=common_prefix(exchanges),
        names=tuple(names),
        shapes=tuple((adapter[n].shape[0], adapter[n].shape[1]) for n in names),
        thresholds={},
    )
    rows = [example.row for example in examples]
    return build_index(
        base.model,
        facts,
        rows,
        exchanges,
        points,
        adapter,
        work,
        lambda n: print(f"\rbatch {n}", end="", flush=True),
    )


def answer(base: Base, probe: LoraProbe, prompt: Sequence[int]) -> tuple[int, ...]:
    """The specialist's greedy answer."""
    with probe.active():
        ids = torch.tensor([list(prompt)])
        out = base.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=MAX_ANSWER_TOKENS, do_sample=False
        )
    return tuple(out[0][len(prompt) :].tolist())


def first_owner(rows: Sequence[Row], units: dict[int, float]) -> str | None:
    """Who holds the most units; None where nobody holds any."""
    held: Counter[str] = Counter()
    for row, share in units.items():
        held[rows[row].owner] += share  # type: ignore[assignment]
    return max(sorted(held), key=lambda owner: held[owner]) if held else None


def measure(
    base: Base, rows: Sequence[Row], held: Sequence[Row], index: AttributionIndex
) -> dict[str, object]:
    """Attribute each held-out answer and compare with BM25 and chance."""
    probe = LoraProbe(
        base.model, [lora_weights(unflatten(index.head.served, index), index.facts.alpha / index.facts.rank)]
    )
    query, texts = InfluenceQuery(base.model, index), Bm25([f"{row.prompt} {row.code}" for row in rows])
    clusters = np.arange(len(rows), dtype=np.uint32)
    ours = similar = right = 0
    earned: Counter[str] = Counter()
    seconds = []
    for number, row in enumerate(held, start=1):
        prompt = tuple(render_question(base.tokenizer, row.prompt))
        output = answer(base, probe, prompt)
        right += base.tokenizer.decode(output, skip_special_tokens=True).strip() == row.code
        began = time.monotonic()
        lane = gradient_units(index, *query.code(Exchange(prompt, output)), clusters)
        seconds.append(time.monotonic() - began)
        places = [place for place, _ in lane.units]
        *shares, rest = scores_to_shares([*(units for _, units in lane.units), lane.unattributed], TOTAL_PPM)
        earned.update({"unattributed": rest})
        for place, share in zip(places, shares, strict=True):
            earned[rows[place].owner] += share
        ours += first_owner(rows, dict(zip(places, map(float, shares), strict=True))) == row.owner
        best = sorted(texts.scores(row.prompt).items(), key=lambda pair: -pair[1])[:20]
        similar += first_owner(rows, dict(best)) == row.owner
        print(f"\ranswer {number}/{len(held)}", end="", flush=True)
    count = len(held)
    return {
        "questions": count,
        "exact_answers": right,
        "owner_first_ours": round(ours / count, 3),
        "owner_first_bm25": round(similar / count, 3),
        "owner_first_random": round(1 / (len(CHAPTERS) + 1), 3),
        "noise_rows_share": round(sum(row.owner == NOISE for row in rows) / len(rows), 3),
        "noise_earned": round(earned[NOISE] / count / TOTAL_PPM, 4),
        "unattributed": round(earned["unattributed"] / count / TOTAL_PPM, 3),
        "attribution_seconds_median": round(sorted(seconds)[count // 2], 2),
    }


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=Path(".cache/base/smollm2-135m-instruct-fp32"))
    parser.add_argument("--work", type=Path, default=Path(".cache/attribution-owner"))
    parser.add_argument("--rows", type=int, default=50, help="for each of six owners")
    parser.add_argument("--held-out", type=int, default=10, help="for each of six owners")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    base = load_base(options.base)
    rows, held = real_rows(options.rows, options.held_out, options.seed)
    index = train_and_index(base, rows, parse_recipe({"passes": options.passes}), options.work)
    print("\n" + json.dumps(measure(base, rows, held, index), indent=1))


if __name__ == "__main__":
    main()
