"""The GPU's bench where there is no GPU: its sums, its words, and one tiny run through all of its parts."""

import pytest
import torch

from benchmarks.openlora.gpu.__main__ import main
from benchmarks.openlora.gpu.bases import SHAPES, random_adapters, random_weights
from benchmarks.openlora.gpu.decode import measure
from benchmarks.openlora.gpu.plan import BASE, ONE, Case, Plan, Result, cases, shares
from benchmarks.openlora.gpu.report import table
from benchmarks.openlora.gpu.roofline import step_bytes
from benchmarks.openlora.gpu.session import Clock, measure_ours

CPU = torch.device("cpu")
TINY = Plan(rows=3, context=32, steps=3, warm=2, blobs=3, slots=6, arrivals=2, arrival_prompt=32)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_gpu_it_says_so_and_measures_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """SPEC 4.194"""
    assert main([]) == 0
    assert capsys.readouterr().out == "not run: no CUDA device\n"


def test_every_case_of_a_tiny_base_has_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    """SPEC 4.194"""
    results = shares(measure_ours("tiny", 8, CPU, TINY, 1e9, Clock(600.0)))
    assert [r.case for r in results if "of_allowed" in r.figures] == [case.name for case in cases(TINY)]
    assert not [r.remark for r in results if r.remark]
    by_case = {r.case: r.figures for r in results}
    assert by_case[BASE]["of_base"] == by_case[BASE]["of_allowed"] == 1.0
    assert by_case[ONE]["distinct"] == 1 and by_case["3 adapters, all distinct"]["distinct"] == 3
    assert by_case["cold loads"]["load_p50_ms"] > 0
    assert by_case["arrivals through the engine"]["ttft_p50_ms"] > 0
    drawn = table(results, {"device": "cpu"})
    assert all(result.case in drawn for result in results)


def test_what_the_time_does_not_allow_is_named() -> None:
    """SPEC 4.194"""
    results = measure_ours("tiny", 8, CPU, TINY, 1e9, Clock(-1.0))
    assert {r.remark for r in results} == {"not run: the time was used up"}
    assert "not run: the time was used up" in table(results, {})


@pytest.mark.parametrize("name", ["1b", "8b"])
def test_the_sizes_are_those_of_the_models_they_are_named_after(name: str) -> None:
    """SPEC 4.194: parameters and bytes of keys and values as their makers give them."""
    shape, tied = SHAPES[name], SHAPES[name].tied_head
    moved = step_bytes(shape, 2, rows=1, context=1, adapters=0)
    norms = (2 * shape.layers + 1) * shape.hidden
    parameters = moved.base // 2 + norms + (0 if tied else shape.vocab * shape.hidden)
    assert parameters == {"1b": 1_235_814_400, "8b": 8_030_261_248}[name]
    assert moved.cache == {"1b": 32_768, "8b": 131_072}[name]


def test_the_bytes_of_a_step_are_those_of_the_weights_it_multiplies() -> None:
    """SPEC 4.194"""
    shape = SHAPES["tiny"]
    weights = random_weights(shape, CPU, torch.bfloat16)
    products = [*(p for layer in weights.layers for p in layer.products), weights.head]
    assert step_bytes(shape, 2, 0, 0, 0).base == sum(t.nbytes for p in products for t in p.held)


def test_ids_beyond_the_blobs_repeat_their_bytes_and_nothing_else() -> None:
    """SPEC 4.194"""
    made = random_adapters(SHAPES["tiny"], 8, 7, 3, CPU)
    assert len({a.cid for a in made}) == 7
    assert len({a.blob.data_ptr() for a in made}) == 3
    assert not torch.equal(made[0].blob, made[1].blob) and made[0].blob.isfinite().all()


def test_the_share_that_bytes_allow() -> None:
    """SPEC 4.194: twice the bytes allow half the rate; a half of the rate is then all of what they allow."""

    def result(case: str, rate: float, moved: float) -> Result:
        return Result("8b", 8, "ours", case, {"tokens_per_second": rate, "bytes": moved})

    given = [result(BASE, 100.0, 10.0), result(ONE, 50.0, 20.0), Result("8b", 16, "ours", ONE, {})]
    _, one, none = shares(given)
    assert one.figures["of_base"] == 0.5 and one.figures["of_allowed"] == 1.0
    assert none == given[2]


def test_rows_that_end_are_followed_by_others_and_give_their_room_back() -> None:
    """SPEC 4.194"""
    from benchmarks.openlora.gpu.decode import make_bench

    weights = random_weights(SHAPES["tiny"], CPU, torch.bfloat16)
    adapters = random_adapters(SHAPES["tiny"], 8, 6, 3, CPU)
    bench = make_bench(weights, CPU, torch.bfloat16, TINY, adapters[0].nbytes, 1e9)
    free = bench.runner.free_pages
    figures = measure(bench, Case("churn", (0, 0, None), churn=1, further=(3, 4, 5)), adapters)
    assert bench.runner.free_pages == free
    assert 1 < figures["distinct"] <= 3
    assert not any(account.held for account in bench.runner.slots.residency.accounts().values())
