"""The attribution index of one adapter: what it takes to ask which trained rows shaped an answer.

One content-addressed file: facts in JSON, arrays raw. For each checkpoint it holds the adapter, the
preconditioner, the damped Fisher, and for each row 128 bytes of signs with one 16-bit magnitude. It holds
no text and no token of any row, so it may be published even where rows are gated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from inference_worker.attribution.array_file import Array, decode_arrays, encode_arrays
from inference_worker.attribution.method import SKETCH_WIDTH
from inference_worker.attribution.scan import Column
from inference_worker.attribution.tiles import tile_bits, tile_magnitudes
from inference_worker.errors import IndexCorrupt
from protocol.errors import ProtocolError
from protocol.fields import Fields

MAX_SHARED_TOKENS = 4096


@dataclass(frozen=True)
class Codes:
    """Sketches of rows at one checkpoint: packed sign bits (rows, width/8) and magnitudes (rows,)."""

    bits: npt.NDArray[np.uint8]
    magnitude: npt.NDArray[np.uint16]

    @cached_property
    def column(self) -> Column:
        """The same, as the scan reads it; laid out on first use."""
        return Column(tile_bits(self.bits), tile_magnitudes(self.magnitude))


@dataclass(frozen=True)
class Checkpoint:
    """One point of training. `unit` is what magnitude 1 stands for, times the mean learning rate of its
    part.

    `adapter` and `precondition` are flat, in the order of `IndexFacts.names`; `fisher` is (width, width).
    """

    adapter: npt.NDArray[np.float16]
    precondition: npt.NDArray[np.float16]
    fisher: npt.NDArray[np.float16]
    unit: float
    rows: Codes
    decoys: Codes


@dataclass(frozen=True)
class IndexFacts:
    """What the index belongs to. `shared` are the ids that all questions begin with; thresholds are in
    tokens by class.
    """

    base_fingerprint: str
    tokenizer_digest: str
    manifest_cid: str
    recipe_digest: str
    rank: int
    alpha: int
    seed: int
    shared: tuple[int, ...]
    names: tuple[str, ...]
    shapes: tuple[tuple[int, int], ...]
    thresholds: Mapping[str, int]


@dataclass(frozen=True)
class AttributionIndex:
    """Facts, the manifest indexes of the rows in order, which of them (and of the decoys) are
    informative, the adapter as served, flat, and the checkpoints from early to late.
    """

    facts: IndexFacts
    rows: npt.NDArray[np.uint32]
    informative: npt.NDArray[np.uint8]
    informative_decoys: npt.NDArray[np.uint8]
    served: npt.NDArray[np.float16]
    checkpoints: tuple[Checkpoint, ...]


def encode_index(index: AttributionIndex) -> bytes:
    """The index as one file; equal indexes give equal bytes."""
    facts = index.facts
    arrays: dict[str, Array] = {
        "rows": index.rows,
        "informative": index.informative,
        "informative_decoys": index.informative_decoys,
        "served": index.served,
    }
    for number, point in enumerate(index.checkpoints):
        for name, array in _arrays_of(point).items():
            arrays[f"{number}/{name}"] = array
    return encode_arrays(
        {
            "v": 1,
            "base_fingerprint": facts.base_fingerprint,
            "tokenizer_digest": facts.tokenizer_digest,
            "manifest_cid": facts.manifest_cid,
            "recipe_digest": facts.recipe_digest,
            "rank": facts.rank,
            "alpha": facts.alpha,
            # 64-bit and real numbers go as text: JSON readers disagree on both.
            "seed": str(facts.seed),
            "units": [repr(point.unit) for point in index.checkpoints],
            "shared": list(facts.shared),
            "names": list(facts.names),
            "shapes": [list(shape) for shape in facts.shapes],
            "thresholds": dict(facts.thresholds),
        },
        arrays,
    )


def decode_index(data: bytes) -> AttributionIndex:
    """Read an index; IndexCorrupt names what does not fit."""
    raw, arrays = decode_arrays(data)
    try:
        fields = Fields(raw, "index")
        fields.integer("v", 1, 1)
        units = [float(text) for text in fields.texts("units", 3, 40)]
        facts = _read_facts(fields)
        fields.done()
        length = sum(a * b for a, b in facts.shapes)
        rows = _take(arrays, "rows", np.uint32, arrays["rows"].size)
        flags = _take(arrays, "informative", np.uint8, len(rows))
        decoys = _take(arrays, "informative_decoys", np.uint8, arrays["informative_decoys"].size)
        served = _take(arrays, "served", np.float16, length)
        points = tuple(
            _read_point(arrays, f"{n}/", unit, length, (len(rows), len(decoys)))
            for n, unit in enumerate(units)
        )
    except (ProtocolError, KeyError, ValueError) as error:
        raise IndexCorrupt("index", "facts and arrays of version 1", str(error)) from error
    return AttributionIndex(facts, rows, flags, decoys, served, points)


def _arrays_of(point: Checkpoint) -> dict[str, Array]:
    return {
        "adapter": point.adapter,
        "precondition": point.precondition,
        "fisher": point.fisher,
        "rows.bits": point.rows.bits,
        "rows.magnitude": point.rows.magnitude,
        "decoys.bits": point.decoys.bits,
        "decoys.magnitude": point.decoys.magnitude,
    }


def _read_facts(fields: Fields) -> IndexFacts:
    shapes = fields.value("shapes")
    if not isinstance(shapes, list) or not all(isinstance(s, list) and len(s) == 2 for s in shapes):
        raise fields.wrong("shapes", "must be pairs")
    thresholds = fields.value("thresholds")
    if not isinstance(thresholds, dict) or not all(isinstance(v, int) for v in thresholds.values()):
        raise fields.wrong("thresholds", "must be numbers by class")
    return IndexFacts(
        base_fingerprint=fields.text("base_fingerprint", 66),
        tokenizer_digest=fields.text("tokenizer_digest", 66),
        manifest_cid=fields.text("manifest_cid", 128),
        recipe_digest=fields.text("recipe_digest", 66),
        rank=fields.integer("rank", 1, 64),
        alpha=fields.integer("alpha", 1, 4096),
        seed=int(fields.text("seed", 20)),
        shared=fields.integers("shared", MAX_SHARED_TOKENS, 0, 2**32 - 1),
        names=fields.texts("names", 1 << 14, 256),
        shapes=tuple((int(a), int(b)) for a, b in shapes),
        thresholds=thresholds,
    )


def _read_point(
    arrays: Mapping[str, Array], prefix: str, unit: float, length: int, counts: tuple[int, int]
) -> Checkpoint:
    return Checkpoint(
        _take(arrays, prefix + "adapter", np.float16, length),
        _take(arrays, prefix + "precondition", np.float16, length),
        _take(arrays, prefix + "fisher", np.float16, SKETCH_WIDTH, SKETCH_WIDTH),
        unit,
        _codes(arrays, prefix + "rows", counts[0]),
        _codes(arrays, prefix + "decoys", counts[1]),
    )


def _codes(arrays: Mapping[str, Array], group: str, count: int) -> Codes:
    bits = _take(arrays, f"{group}.bits", np.uint8, count, SKETCH_WIDTH // 8)
    return Codes(bits, _take(arrays, f"{group}.magnitude", np.uint16, count))


def _take(arrays: Mapping[str, Array], name: str, dtype: type[np.generic], *shape: int) -> Any:
    array = arrays[name]
    if array.dtype != dtype or array.shape != shape:
        raise IndexCorrupt(name, (dtype.__name__, shape), (array.dtype.name, array.shape))
    return array
