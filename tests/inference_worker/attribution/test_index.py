import dataclasses

import numpy as np
import pytest
import torch

from inference_worker.attribution.array_file import decode_arrays, encode_arrays
from inference_worker.attribution.build import TrainingPoint, build_index, draw_decoys, units_of_work
from inference_worker.attribution.gradients import PREFIX
from inference_worker.attribution.index import AttributionIndex, IndexFacts, decode_index, encode_index
from inference_worker.attribution.influence import InfluenceQuery, gradient_units
from inference_worker.base.exchange import Exchange, common_prefix
from inference_worker.base.load import Base
from inference_worker.errors import IndexCorrupt
from tests.inference_worker.attribution.random_adapter import random_adapter

ROWS = [Exchange((1, 5, 6, 20 + n, 7), (40 + n, 60 + n % 5, 2)) for n in range(24)]


def tiny_index(base: Base, seed: int = 9) -> AttributionIndex:
    weights = random_adapter(base.model)
    tensors = {
        f"{PREFIX}{p}.lora_{side}.weight": t
        for side, named in (("A", weights.a), ("B", weights.b))
        for p, t in named.items()
    }
    moments = {name: torch.full_like(t, 1e-4) for name, t in tensors.items()}
    names = [f"{PREFIX}{path}.lora_{side}.weight" for path in weights.modules() for side in "AB"]
    shapes = tuple((tensors[n].shape[0], tensors[n].shape[1]) for n in names)
    facts = IndexFacts(
        base.fingerprint,
        base.tokenizer_digest,
        "bafk",
        "0x",
        4,
        8,
        seed,
        common_prefix(ROWS),
        tuple(names),
        shapes,
        {"latin": 4},
    )
    points = [TrainingPoint(tensors, moments, rate) for rate in (0.001, 0.0005)]
    done: list[int] = []
    index = build_index(base.model, facts, list(range(24)), ROWS, points, tensors, done.append)
    assert done == list(range(1, units_of_work(24, 2) + 1))
    return index


def test_an_index_is_a_function_of_its_inputs_and_survives_its_file(tiny_base: Base) -> None:
    """SPEC 5.29"""
    data = encode_index(tiny_index(tiny_base))
    assert data == encode_index(tiny_index(tiny_base)) == encode_index(decode_index(data))


def test_a_row_asked_for_itself_comes_first(tiny_base: Base) -> None:
    """SPEC 5.20, 5.22: through sketch, bits and int8, a row's own exchange still scores itself highest."""
    index = decode_index(encode_index(tiny_index(tiny_base)))
    index = dataclasses.replace(index, informative=np.ones(24, np.uint8))
    query = InfluenceQuery(tiny_base.model, index)
    clusters = {row: row for row in range(24)}
    first = 0
    for row in (0, 7, 13, 22):
        code, ledger = query.code(ROWS[row])
        units = gradient_units(
            index, code, dataclasses.replace(ledger, base=-90_000_000, adapter=0), clusters
        ).units
        assert code.digest() == query.code(ROWS[row])[0].digest()
        first += bool(units) and max(units, key=lambda pair: pair[1])[0] == row
    assert first == 4


def test_a_prompt_with_another_start_is_still_answered(tiny_base: Base) -> None:
    """SPEC 5.20"""
    index = tiny_index(tiny_base)
    code, ledger = InfluenceQuery(tiny_base.model, index).code(Exchange((9, 8, 7), (41, 2)))
    assert code.codes.any() and ledger.tokens == 2 and ledger.base < 0


def test_decoys_are_never_rows() -> None:
    """SPEC 5.24"""
    answers = {row.prompt: row.answer for row in ROWS}
    decoys = draw_decoys(ROWS, 5)
    assert decoys == draw_decoys(ROWS, 5) != draw_decoys(ROWS, 6)
    assert all(answers[decoy.prompt] != decoy.answer for decoy in decoys)
    assert draw_decoys([ROWS[0]] * 3, 5) == []


def test_damaged_files_are_refused(tiny_base: Base) -> None:
    """SPEC 5.29"""
    data = encode_index(tiny_index(tiny_base))
    for bad in (b"", b"PICKLE" + data[6:], data[: len(data) // 2], data[:8] + b"\xff" * 8 + data[16:]):
        with pytest.raises(IndexCorrupt):
            decode_index(bad)


def test_arrays_come_back_as_they_were() -> None:
    """SPEC 5.29"""
    arrays = {
        "a": np.arange(7, dtype=np.uint16),
        "b": np.ones((2, 3), dtype=np.float32),
        "c": np.zeros((0, 4), dtype=np.uint8),
    }
    facts, found = decode_arrays(encode_arrays({"v": 1}, arrays))
    assert facts == {"v": 1} and all(
        np.array_equal(found[n], arrays[n]) and not found[n].flags.writeable for n in arrays
    )
    with pytest.raises(IndexCorrupt):
        encode_arrays({}, {"o": np.array([object()])})
