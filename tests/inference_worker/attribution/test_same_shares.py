"""Real gradients in other batches, orders and thread counts make the same shares; 16 bits do not pass."""

from pathlib import Path

import pytest
import torch

from benchmarks.attribution_recompute import (
    BatchedQuery,
    Counted,
    Variation,
    added,
    distance,
    recompute,
    run,
    shares_of,
    varied,
)
from inference_worker.attribution.index import AttributionIndex
from inference_worker.attribution.index_files import IndexFiles
from inference_worker.attribution.index_store import fetch_index, open_index
from inference_worker.attribution.influence import InfluenceQuery
from inference_worker.base.exchange import Exchange
from inference_worker.base.load import load_base
from protocol.tolerance import Tier, likelihood_tier
from tests.inference_worker.attribution.trained_model import TrainedModel
from tests.inference_worker.tiny_base import real_base_folder
from tests.inference_worker.training.test_jobs import CODES


@pytest.fixture(scope="module")
def index(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> AttributionIndex:
    files = IndexFiles(tmp_path_factory.mktemp("indexes"))
    fetch_index(files, str(trained.result["index_cid"]), trained.blobs)
    return open_index(files, str(trained.result["index_cid"]))


@pytest.fixture(scope="module")
def exchanges(trained: TrainedModel) -> list[Exchange]:
    """Every question with its own answer and with another one's, which differ in length."""
    asked = [trained.request(place) for place in range(len(CODES))]
    answers = [one.output_ids for one in asked]
    return [
        Exchange(one.prompt_ids, answer)
        for place, one in enumerate(asked)
        for answer in (answers[place], answers[place - 5] * 2)
    ]


def test_batches_orders_and_threads_change_no_share(
    trained: TrainedModel, index: AttributionIndex, exchanges: list[Exchange]
) -> None:
    """SPEC 5.170: and move few numbers of a code by one, which is within other hardware."""
    model = trained.base.model
    alone, batched = InfluenceQuery(model, index), BatchedQuery(model, index)
    counted = recompute(index, alone, batched, exchanges[::2], None)
    for one in counted.values():
        assert (one.receipts, one.verified, one.refused) == (len(CODES),) * 2 + (0,), one
        assert one.most_ppm <= 100 and one.likelihood <= 100


def test_a_base_in_16_bits_is_refused_as_evidence(
    trained: TrainedModel, index: AttributionIndex, exchanges: list[Exchange]
) -> None:
    """SPEC 5.170"""
    lower = load_base(trained.base_dir, verify=False)
    lower.model.to(torch.bfloat16)
    query, alone = BatchedQuery(lower.model, index, torch.bfloat16), InfluenceQuery(trained.base.model, index)
    other = 0
    for place, code, ledger in varied(query, exchanges[:6], Variation("bf16", 1, 0, 1)):
        stated = alone.code(exchanges[place])
        assert distance(stated[0], code).tier is Tier.REFUSED
        other += shares_of(index, code, ledger) != shares_of(index, *stated)
    assert other


def test_another_answers_code_is_refused(
    trained: TrainedModel, index: AttributionIndex, exchanges: list[Exchange]
) -> None:
    """SPEC 5.170"""
    alone = InfluenceQuery(trained.base.model, index)
    (first, ledger), (second, _) = (alone.code(exchange) for exchange in exchanges[:2])
    assert distance(first, second).tier is Tier.REFUSED
    assert likelihood_tier(ledger.adapter, ledger.adapter + 10**6, ledger.tokens) is Tier.REFUSED


def test_counts_of_blocks_add_up() -> None:
    """SPEC 5.170"""
    one = {"a": Counted(2, 2, 1, 1, 1, 0, 1, 3, 1, 7)}
    two = {"a": Counted(1, 0, 0, 0, 0, 1, 9, 90, 12, 3)}
    assert added(one, two) == {"a": Counted(3, 2, 1, 1, 1, 1, 9, 90, 12, 7)}
    assert added({}, one) == one


@pytest.mark.slow
def test_receipts_of_the_real_base_have_the_same_shares_however_they_are_computed(
    tmp_path: Path,
) -> None:
    """SPEC 5.170: a few of what `python -m benchmarks.attribution_recompute` counts."""
    counted, _ = run(8, tmp_path, real_base_folder())
    for name, one in counted.items():
        assert (one.verified == one.receipts and not one.refused) or name == "bf16", (name, one)
    assert counted["bf16"].refused == counted["bf16"].receipts
