"""Decoded tokens per second of CPU time: our engine with no, one, 8 and 32 adapters in a batch, beside
PEFT's.

`python -m benchmarks.multi_lora --base DIR [--output FILE]`. All cases run in one process with one thread,
in turn within each repetition, so that whatever else the machine does falls on all of them alike. Ratios
are the result; the absolute figures belong to the machine named in the first line.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, DynamicCache

from inference_worker.adapters.ingest import CheckedAdapter, LoraPair
from inference_worker.adapters.packing import PackedAdapter, pack
from inference_worker.adapters.shape import PARENTS, BaseShape
from inference_worker.engine.linear import choose_linear
from inference_worker.engine.model_runner import DecodeRow, ModelRunner
from inference_worker.engine.weights import read_shape, read_weights

RANK, ALPHA = 8, 16
BATCH, STEPS, REPEATS = 32, 6, 5
PEFT_REGISTERED = 8
PROMPT_TOKENS = 24

# Decodes STEPS tokens for each row of a batch; returns CPU seconds and the last token of each row.
Decode = Callable[[], tuple[float, list[int]]]


def random_pairs(seed: int, shape: BaseShape) -> dict[tuple[int, str], LoraPair]:
    """A rank-8 adapter on all seven linears, with an effect of ordinary size."""
    generator = torch.Generator().manual_seed(seed)
    pairs = {}
    for layer in range(shape.layers):
        for module in PARENTS:
            inputs, outputs = shape.dims(module)
            down = torch.randn(RANK, inputs, generator=generator) / inputs**0.5
            up = torch.randn(outputs, RANK, generator=generator) * 0.02
            pairs[layer, module] = LoraPair(down, up, ALPHA / RANK)
    return pairs


def prompts() -> list[list[int]]:
    """One prompt a row, all of one length, so that PEFT's batch needs no padding."""
    return [[1000 + 37 * row + place for place in range(PROMPT_TOKENS)] for row in range(BATCH)]


def timed(step: Callable[[list[int]], list[int]], last: list[int]) -> tuple[float, list[int]]:
    """CPU seconds of STEPS steps. One step goes before: it fills caches and, in ours, places the adapters."""
    last = step(last)
    started = time.process_time()
    for _ in range(STEPS):
        last = step(last)
    return time.process_time() - started, last


def ours(runner: ModelRunner, chosen: Sequence[PackedAdapter | None]) -> Decode:
    """Our runner with one adapter, or None, for each row."""

    def decode() -> tuple[float, list[int]]:
        caches = [runner.new_cache(PROMPT_TOKENS + STEPS + 2) for _ in chosen]
        first = [
            int(runner.prefill(p, c, a).argmax()) for p, c, a in zip(prompts(), caches, chosen, strict=True)
        ]

        def step(last: list[int]) -> list[int]:
            rows = [DecodeRow(t, c, a) for t, c, a in zip(last, caches, chosen, strict=True)]
            tokens: list[int] = runner.decode(rows).argmax(-1).tolist()
            return tokens

        return timed(step, first)

    return decode


def peer(model: Any, names: list[str] | None) -> Decode:
    """transformers, with PEFT's mixed batch where adapter names are given."""
    options = {} if names is None else {"adapter_names": names}

    def decode() -> tuple[float, list[int]]:
        cache = DynamicCache(config=model.config)

        def forward(ids: torch.Tensor) -> list[int]:
            with torch.inference_mode():
                logits = model(
                    input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1, **options
                ).logits
            tokens: list[int] = logits[:, -1].argmax(-1).tolist()
            return tokens

        return timed(lambda last: forward(torch.tensor(last).unsqueeze(1)), forward(torch.tensor(prompts())))

    return decode


def peft_model(base: Path, folder: Path, shape: BaseShape) -> Any:
    """The base with PEFT_REGISTERED adapters loaded from folders that PEFT can read."""
    config = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": ALPHA, "lora_dropout": 0.0,
        "bias": "none", "target_modules": list(PARENTS), "base_model_name_or_path": str(base),
        "inference_mode": True,
    }  # fmt: skip
    model: Any = AutoModelForCausalLM.from_pretrained(str(base), dtype=torch.float32).eval()
    for seed in range(PEFT_REGISTERED):
        place = folder / f"a{seed}"
        place.mkdir()
        tensors = {}
        for (layer, module), pair in random_pairs(seed, shape).items():
            prefix = f"base_model.model.model.layers.{layer}.{PARENTS[module]}.{module}"
            tensors[f"{prefix}.lora_A.weight"], tensors[f"{prefix}.lora_B.weight"] = pair.down, pair.up
        save_file(tensors, str(place / "adapter_model.safetensors"))
        (place / "adapter_config.json").write_text(json.dumps(config))
        if seed == 0:
            model = PeftModel.from_pretrained(model, str(place), adapter_name="a0")
        else:
            model.load_adapter(str(place), adapter_name=f"a{seed}")
    return model.eval()


def cases_of(base: Path, folder: Path) -> dict[str, Decode]:
    """Every case by name. Two cases on the same adapters must end in the same tokens."""
    shape = read_shape(base)
    runner = ModelRunner(read_weights(base, choose_linear()[1]))
    packed = [pack(f"a{seed}", CheckedAdapter(random_pairs(seed, shape)), shape) for seed in range(BATCH)]
    plain = AutoModelForCausalLM.from_pretrained(str(base), dtype=torch.float32).eval()
    mixed = peft_model(base, folder, shape)
    return {
        "base only": ours(runner, [None] * BATCH),
        "1 adapter": ours(runner, [packed[0]] * BATCH),
        "8 adapters": ours(runner, [packed[row % 8] for row in range(BATCH)]),
        "32 adapters": ours(runner, packed[:BATCH]),
        "transformers base only": peer(plain, None),
        "PEFT 8 adapters": peer(mixed, [f"a{row % 8}" for row in range(BATCH)]),
    }


def measure(cases: dict[str, Decode]) -> tuple[dict[str, list[float]], dict[str, list[int]]]:
    """Tokens per CPU second of each case and repetition, and the tokens that each case ended in."""
    rates: dict[str, list[float]] = {name: [] for name in cases}
    ended: dict[str, list[int]] = {}
    for _ in range(REPEATS):
        for name, decode in cases.items():
            seconds, ended[name] = decode()
            rates[name].append(BATCH * STEPS / seconds)
    return rates, ended


def report(rates: dict[str, list[float]], ended: dict[str, list[int]]) -> str:
    """The table: median, lowest and highest rate, and the median's ratio to our base-only case."""
    lines = [
        f"machine: {cpu_model()}, {os.cpu_count()} cores, one thread used, load {os.getloadavg()[0]:.1f}",
        f"torch {torch.__version__}, {choose_linear()[0]}, fp32, rank {RANK} on all linears, batch {BATCH}, "
        f"{STEPS} decode steps after {PROMPT_TOKENS} prompt tokens, median of {REPEATS}",
        f"{'case':<24}{'tok/CPU-s':>10}{'low':>8}{'high':>8}{'ratio':>8}",
    ]
    reference = statistics.median(rates["base only"])
    for name, found in rates.items():
        middle = statistics.median(found)
        lines.append(
            f"{name:<24}{middle:>10.1f}{min(found):>8.1f}{max(found):>8.1f}{middle / reference:>8.2f}"
        )
    gain = statistics.median(rates["8 adapters"]) / statistics.median(rates["PEFT 8 adapters"])
    same = sum(a == b for a, b in zip(ended["8 adapters"], ended["PEFT 8 adapters"], strict=True))
    lines.append(f"8 adapters, ours over PEFT with {PEFT_REGISTERED} registered: {gain:.2f}x")
    lines.append(f"rows that end in PEFT's token: {same} of {BATCH}")
    return "\n".join(lines) + "\n"


def cpu_model() -> str:
    """The processor's name as the kernel gives it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown CPU"
    )


def main() -> int:
    """Measure, print, and write to --output if given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=Path(".cache/base/smollm2-135m-instruct-fp32"))
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        text = report(*measure(cases_of(options.base, Path(folder))))
    print(text, end="")
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
