"""The engine on a GPU: `python -m benchmarks.openlora.gpu`.

Bases of 1B and 8B with random weights, adapters of rank 8 and 16 for 1, 64 and 1,000 ids, a batch of 64, and
PEFT beside them. Prints one table and writes `benchmarks/results/openlora-gpu.json` and its text. Where there
is no CUDA device it says so and measures nothing.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product

import torch

from benchmarks.openlora.gpu.plan import Plan, Result, shares
from benchmarks.openlora.gpu.report import table
from benchmarks.openlora.gpu.roofline import bandwidth
from benchmarks.openlora.gpu.session import Clock, measure_ours, measure_peft
from benchmarks.record import commit, machine, write
from inference_worker.engine.device.place import DeviceAbsent, describe, open_device

_TINY = Plan(rows=4, context=32, steps=4, warm=2, blobs=4, slots=8, arrivals=2, arrival_prompt=32)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.openlora.gpu")
    parser.add_argument("--bases", default="1b,8b", help="which of 1b, 8b, tiny")
    parser.add_argument("--ranks", default="8,16")
    parser.add_argument("--seconds", type=float, default=450.0, help="begin no further case after so long")
    parser.add_argument("--peers", choices=("peft", "none"), default="peft")
    parser.add_argument("--quick", action="store_true", help="tiny steps and nothing written")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu tries the plumbing")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    options = parse(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        print("not run: no CUDA device")
        return 0
    try:
        device = open_device(options.device)
    except DeviceAbsent as absent:
        print(f"not run: {absent}")
        return 0
    plan = _TINY if options.quick else Plan()
    clock, begun, at = Clock(options.seconds), machine(), commit()
    speed = bandwidth(device)
    facts = {**describe(device), "torch": torch.__version__, "copy_bytes_per_second": speed}
    clock.say(f"{facts['device']}: copies move {speed / 1e12:.2f} TB/s")
    results: list[Result] = []
    bases, ranks = options.bases.split(","), [int(rank) for rank in options.ranks.split(",")]
    for base, rank in product(bases, ranks):
        results += measure_ours(base, rank, device, plan, speed, clock)
        _free(device)
    for base in bases if options.peers == "peft" else ():
        results += measure_peft(base, max(ranks), device, plan, clock)
        _free(device)
    results = shares(results)
    text = table(results, facts)
    print(text, end="")
    if not options.quick:
        document = {
            "name": "openlora-gpu",
            "commit": at,
            "machine": asdict(begun),
            "device": facts,
            "plan": asdict(plan),
            "results": [asdict(result) for result in results],
            "seconds": time.monotonic() - clock.began,
        }
        print(f"written: {write('openlora-gpu', document, text)}")
    return 0


def _free(device: torch.device) -> None:
    """Give back the memory of what was measured last; captured steps are freed only as garbage."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


if __name__ == "__main__":
    raise SystemExit(main())
