"""What a base in fewer bits loses against itself in fp32, token by token on a fixed public text.

`python -m inference_worker.evaluation.base_accuracy --base FOLDER` prints it for every dtype. The passages
are decoded side by side through the worker's own engine, each token given: the figures are those of serving.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from inference_worker.base.load import load_tokenizer
from inference_worker.engine.base_dtype import BaseDtype, kernel_of
from inference_worker.engine.model_runner import ModelRunner
from inference_worker.engine.runner import DecodeRow
from inference_worker.engine.weights import read_base

TEXT_FILE = Path(__file__).with_name("public_text.txt")
DTYPES: tuple[BaseDtype, ...] = ("bfloat16", "int8", "int4")
PASSAGE_TOKENS = 96


@dataclass(frozen=True)
class Accuracy:
    """One base against the reference over `tokens` predictions: mean |dlogit|, mean divergence in nats, share
    of equal most likely tokens, and its perplexity over the reference's."""

    tokens: int
    mean_logit_change: float
    divergence: float
    agreement: float
    perplexity_ratio: float


def compare(reference: torch.Tensor, logits: torch.Tensor, targets: torch.Tensor) -> Accuracy:
    """Both logits are (predictions, vocab) fp32, `targets` (predictions,) the tokens that followed."""
    right, other = F.log_softmax(reference.double(), -1), F.log_softmax(logits.double(), -1)
    losses = [float(F.nll_loss(scores, targets)) for scores in (right, other)]
    return Accuracy(
        tokens=len(targets),
        mean_logit_change=float((logits - reference).abs().mean()),
        divergence=float((right.exp() * (right - other)).sum(-1).mean()),
        agreement=float((logits.argmax(-1) == reference.argmax(-1)).float().mean()),
        perplexity_ratio=math.exp(losses[1] - losses[0]),
    )


def given_logits(runner: ModelRunner, passages: Sequence[Sequence[int]]) -> torch.Tensor:
    """Logits after each token but the last of passages of one length, (positions * passages, vocab)."""
    caches = [runner.new_cache(len(passage)) for passage in passages]
    first = [runner.prefill(p[:1], cache, None) for p, cache in zip(passages, caches, strict=True)]
    logits = [torch.stack(first)]
    for position in range(1, len(passages[0]) - 1):
        rows = [DecodeRow(p[position], cache, None) for p, cache in zip(passages, caches, strict=True)]
        logits.append(runner.decode(rows))
    return torch.cat(logits)


def targets_of(passages: Sequence[Sequence[int]]) -> torch.Tensor:
    """The tokens that `given_logits` predicts, in its order."""
    return torch.tensor([list(passage[1:]) for passage in passages]).t().flatten()


def encode_passages(base: Path, limit: int) -> list[list[int]]:
    """The beginnings of the text's paragraphs, all of one length in tokens."""
    tokenizer = load_tokenizer(base)
    paragraphs = TEXT_FILE.read_text(encoding="utf-8").split("\n\n")
    passages = [list(tokenizer.encode(p.strip(), add_special_tokens=False)) for p in paragraphs]
    length = min(limit, *(len(passage) for passage in passages))
    return [passage[:length] for passage in passages]


def measure(base: Path, dtypes: Sequence[BaseDtype], limit: int) -> list[str]:
    """One line of figures for each dtype, fp32 first; at most `limit` tokens of each passage."""
    passages = encode_passages(base, limit)
    targets, reference = targets_of(passages), torch.empty(0)
    lines = [
        f"{'dtype':10}{'bytes':>14}{'CPU s':>8}{'|dlogit|':>10}{'KL':>10}{'argmax':>9}{'perplexity':>12}"
    ]
    for dtype in ("float32", *dtypes):
        weights = read_base(base, kernel_of(dtype))
        began = time.process_time()
        logits = given_logits(ModelRunner(weights), passages)
        seconds = time.process_time() - began
        reference = reference if len(reference) else logits
        found = compare(reference, logits, targets)
        lines.append(
            f"{dtype:10}{weights.nbytes:>14,}{seconds:>8.1f}{found.mean_logit_change:>10.4f}"
            f"{found.divergence:>10.5f}{found.agreement:>9.2%}{found.perplexity_ratio:>12.4f}"
        )
    return lines


def main(arguments: Sequence[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="inference_worker.evaluation.base_accuracy", description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="folder of the converted base model")
    parser.add_argument("--dtype", choices=DTYPES, action="append", help="may be repeated; all unless given")
    parser.add_argument("--tokens", type=int, default=PASSAGE_TOKENS, help="of each passage at most")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    for line in measure(options.base, options.dtype or DTYPES, options.tokens):
        sys.stdout.write(line + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
