"""Greedy decoding by the runner alone, for tests that compare logits."""

import torch

from inference_worker.adapters.ingest import Caps, ingest
from inference_worker.adapters.packing import pack
from inference_worker.engine.model_runner import DecodeRow
from tests.inference_worker.adapters.peft_folders import FINGERPRINT, adapter_files, shape


def load_adapter(name, named=None, base=None, **options):
    checked = ingest(named or adapter_files(**options), shape(), FINGERPRINT, Caps(), base)
    return pack(name, checked, shape())


PROMPTS = [[65 + i, 66, 67 + (i * i) % 50, *range(70, 70 + 3 * i)] for i in range(8)]


def greedy(runner, batch, steps):
    """Tokens and logits of each (prompt, adapter) of a batch decoded together; logits are (steps+1,
    vocab)."""
    caches = [runner.new_cache(len(prompt) + steps + 1) for prompt, _ in batch]
    logits = [[runner.prefill(p, c, a)] for (p, a), c in zip(batch, caches, strict=True)]
    for _ in range(steps):
        rows = [
            DecodeRow(int(seen[-1].argmax()), c, a)
            for seen, c, (_, a) in zip(logits, caches, batch, strict=True)
        ]
        for seen, row in zip(logits, runner.decode(rows), strict=True):
            seen.append(row.clone())
    return [torch.stack(seen) for seen in logits]
