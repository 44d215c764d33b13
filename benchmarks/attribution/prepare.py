"""Makes a task folder: tokens, hidden states below the adapted layers, the cut head, the reference run.

Runs once for each set, in the project's own environment; whoever reads the folder needs no base model.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from benchmarks.attribution.model import Geometry
from benchmarks.attribution.rows import Row, RowSet, shuffled
from benchmarks.attribution.sets import Seeds
from benchmarks.attribution.task import Point, Task, read_task
from benchmarks.attribution.training import Recipe, train
from inference_worker.base.load import Base
from inference_worker.base.text_tokens import encode_text

ADAPTED_LAYERS = 2
RANK, ALPHA = 8, 16
# The head keeps the tokens of the set and so many others.
OTHER_TOKENS = 1500
_STATES_BATCH = 10
_MODULES = {
    "q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj",
    "norm_1": "input_layernorm", "norm_2": "post_attention_layernorm",
}  # fmt: skip


def is_prepared(rows: RowSet, seeds: Seeds, folder: Path) -> bool:
    """Whether the folder holds these rows under these seeds."""
    facts = folder / "facts.json"
    return facts.is_file() and json.loads(facts.read_text(encoding="utf-8"))["key"] == _key(rows, seeds)


def prepare(rows: RowSet, base: Base, seeds: Seeds, folder: Path, say: Callable[[str], None]) -> Task:
    """The task of a set, made anew."""
    # A folder appears under its name when it is whole.
    part = folder.with_name(folder.name + ".part")
    for old in (part, folder):
        shutil.rmtree(old, ignore_errors=True)
    part.mkdir(parents=True)
    say(f"{rows.name}: hidden states of {len(rows.train) + len(rows.queries)} texts")
    _write_texts(part, rows, base, seeds.head)
    _write_facts(part, rows, base, _key(rows, seeds))
    task = read_task(part)
    say(f"{rows.name}: reference training on {len(task.rows)} rows")
    model = task.model(None, seeds.init)
    for number, point in enumerate(train(model, task.rows, Recipe(**task.recipe), seeds.reference)):
        write_point(part / f"checkpoint-{number}.safetensors", point)
    part.rename(folder)
    return read_task(folder)


def tokens_of(tokenizer: Any, row: Row) -> tuple[list[int], int]:
    """Token ids of prompt, response and end of text, and where the response begins."""
    prompt = encode_text(tokenizer, row.prompt)
    whole = [*encode_text(tokenizer, row.prompt + row.response), int(tokenizer.eos_token_id)]
    start = 0
    while start < len(prompt) and prompt[start] == whole[start]:
        start += 1
    return whole, start


def kept_tokens(texts: Sequence[Sequence[int]], vocabulary: int, label: str) -> list[int]:
    """Tokens of the texts and OTHER_TOKENS drawn ones, ascending."""
    return sorted(
        {token for text in texts for token in text} | set(shuffled(label, vocabulary)[:OTHER_TOKENS])
    )


@torch.no_grad()
def states_below(model: Any, ids: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """For each text (tokens, width): what enters the first adapted layer."""
    found: list[torch.Tensor] = []
    layer = model.model.layers[len(model.model.layers) - ADAPTED_LAYERS]
    seen: list[torch.Tensor] = []
    hook = layer.register_forward_pre_hook(
        lambda _module, args, kwargs: seen.append(args[0] if args else kwargs["hidden_states"]),
        with_kwargs=True,
    )
    try:
        for at in range(0, len(ids), _STATES_BATCH):
            batch = ids[at : at + _STATES_BATCH]
            padded = torch.zeros(len(batch), max(map(len, batch)), dtype=torch.long)
            for row, own in enumerate(batch):
                padded[row, : len(own)] = torch.tensor(own)
            # Padding is on the right, where no real token looks.
            model.model(input_ids=padded, use_cache=False)
            found += [seen[-1][row, : len(own)].clone() for row, own in enumerate(batch)]
    finally:
        hook.remove()
    return found


def base_tensors(model: Any, kept: Sequence[int]) -> dict[str, torch.Tensor]:
    """Weights of the adapted layers, the last norm and the kept rows of the head, as `AdaptedTail` names
    them.
    """
    layers = model.model.layers[-ADAPTED_LAYERS:]
    found = {
        f"{number}.{ours}": layer.get_submodule(theirs).weight.detach().clone()
        for number, layer in enumerate(layers)
        for ours, theirs in _MODULES.items()
    }
    head = model.get_output_embeddings().weight.detach()[list(kept)]
    return {**found, "norm": model.model.norm.weight.detach().clone(), "head": head.clone()}


def geometry_of(config: Any) -> Geometry:
    """The base's shape with our adapter's."""
    theta = config.rope_parameters["rope_theta"]
    return Geometry(
        config.num_attention_heads, config.num_key_value_heads, theta, config.rms_norm_eps, RANK, ALPHA
    )


def write_point(path: Path, point: Point) -> None:
    """One checkpoint as a file that `task.read_point` reads."""
    tensors = {f"adapter.{name}": value for name, value in point.adapter.items()}
    tensors |= {f"moment.{name}": value for name, value in point.second_moment.items()}
    save_file(tensors, path, metadata={"rate": repr(point.rate)})


def _write_texts(folder: Path, rows: RowSet, base: Base, label: str) -> None:
    tokens = [[tokens_of(base.tokenizer, row) for row in part] for part in (rows.train, rows.queries)]
    kept = kept_tokens([ids for part in tokens for ids, _ in part], len(base.tokenizer), label)
    place = {token: number for number, token in enumerate(kept)}
    for name, part in zip(("rows", "queries"), tokens, strict=True):
        save_file(_items(base.model, part, place), folder / f"{name}.safetensors")
    save_file(base_tensors(base.model, kept), folder / "base.safetensors")


def _items(
    model: Any, part: Sequence[tuple[list[int], int]], place: dict[int, int]
) -> dict[str, torch.Tensor]:
    hidden = states_below(model, [ids for ids, _ in part])
    return {
        "hidden": torch.cat(hidden),
        "ids": torch.tensor([place[token] for ids, _ in part for token in ids], dtype=torch.int32),
        "lengths": torch.tensor([len(ids) for ids, _ in part], dtype=torch.int32),
        "starts": torch.tensor([start for _, start in part], dtype=torch.int32),
    }


def _key(rows: RowSet, seeds: Seeds) -> str:
    return f"{rows.digest()} {seeds.head} {seeds.init} {seeds.reference}"


def _write_facts(folder: Path, rows: RowSet, base: Base, key: str) -> None:
    facts = {
        "v": 1,
        "key": key,
        "set": rows.name,
        "names": rows.names,
        "base": base.fingerprint,
        "geometry": asdict(geometry_of(base.model.config)),
        "recipe": asdict(Recipe()),
        "rows": [[r.prompt, r.response, r.contributor] for r in rows.train],
        "queries": [[r.prompt, r.response, r.contributor] for r in rows.queries],
    }
    (folder / "facts.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
