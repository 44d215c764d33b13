"""What a base in fewer bits loses: measured as naive arithmetic does, and little on the real one."""

import math

import pytest
import torch

from inference_worker.engine.base_dtype import kernel_of
from inference_worker.engine.model_runner import ModelRunner
from inference_worker.engine.weights import read_base
from inference_worker.evaluation.base_accuracy import (
    compare,
    encode_passages,
    given_logits,
    main,
    targets_of,
)
from tests.inference_worker.tiny_base import real_base_folder


def random_logits(seed, rows=20, vocab=50):
    return torch.randn(rows, vocab, generator=torch.Generator().manual_seed(seed)) * 3


def test_a_base_loses_nothing_against_itself():
    """SPEC 4.174"""
    logits = random_logits(1)
    found = compare(logits, logits.clone(), torch.arange(20))
    assert (found.mean_logit_change, found.divergence, found.agreement) == (0, 0, 1)
    assert (found.perplexity_ratio, found.tokens) == (1, 20)


def test_figures_equal_naive_ones():
    """SPEC 4.174"""
    right, other, targets = random_logits(1), random_logits(2), torch.arange(20)
    p, q = ([[math.exp(v) for v in row] for row in logits.tolist()] for logits in (right, other))
    p, q = ([[v / sum(row) for v in row] for row in table] for table in (p, q))
    divergences = [
        sum(a * math.log(a / b) for a, b in zip(*rows, strict=True)) for rows in zip(p, q, strict=True)
    ]
    losses = [sum(-math.log(row[t]) for row, t in zip(table, targets, strict=True)) / 20 for table in (p, q)]
    equal = sum(a.index(max(a)) == b.index(max(b)) for a, b in zip(p, q, strict=True))
    found = compare(right, other, targets)
    assert found.divergence == pytest.approx(sum(divergences) / 20, rel=1e-5)
    assert found.perplexity_ratio == pytest.approx(math.exp(losses[1] - losses[0]), rel=1e-5)
    assert found.agreement == pytest.approx(equal / 20)


def test_given_tokens_get_the_logits_of_their_own_prefix(tiny_base_dir):
    """SPEC 4.174"""
    runner = ModelRunner(read_base(tiny_base_dir, kernel_of("float32")))
    passages = encode_passages(tiny_base_dir, 7)[:3]
    logits = given_logits(runner, passages).view(6, 3, -1)
    targets = targets_of(passages).view(6, 3)
    for place, passage in enumerate(passages):
        assert targets[:, place].tolist() == passage[1:]
        for end in range(1, 7):
            alone = runner.prefill(passage[:end], runner.new_cache(8), None)
            assert (logits[end - 1, place] - alone).abs().max() <= 1e-4


def test_the_command_prints_a_line_for_each_dtype(tiny_base_dir, capsys):
    """SPEC 4.174"""
    assert main(["--base", str(tiny_base_dir), "--dtype", "bfloat16", "--tokens", "6"]) == 0
    heading, exact, narrow = capsys.readouterr().out.splitlines()
    assert heading.split()[0] == "dtype"
    assert exact.split()[0] == "float32" and exact.split()[3:] == ["0.0000", "0.00000", "100.00%", "1.0000"]
    assert narrow.split()[0] == "bfloat16" and 0 < float(narrow.split()[3]) < 0.1


@pytest.fixture(scope="module")
def real():
    """The real base's folder, three passages, and their fp32 logits."""
    folder = real_base_folder()
    passages = encode_passages(folder, 24)[:3]
    return folder, passages, given_logits(ModelRunner(read_base(folder, kernel_of("float32"))), passages)


@pytest.mark.parametrize(("dtype", "divergence"), [("bfloat16", 0.003), ("int8", 0.025), ("int4", 0.008)])
def test_the_real_base_loses_little(real, dtype, divergence):
    """SPEC 4.174: within three times what was measured on the whole text."""
    folder, passages, exact = real
    narrow = given_logits(ModelRunner(read_base(folder, kernel_of(dtype))), passages)
    found = compare(exact, narrow, targets_of(passages))
    assert 0 < found.divergence <= divergence and found.agreement >= 0.85
