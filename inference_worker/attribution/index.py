"""The attribution index of one adapter: what it takes to ask which trained rows shaped an answer.

Its head is one file, facts in JSON and arrays raw: for each checkpoint the adapter, the preconditioner and
the damped Fisher. The codes of rows and decoys lie in segments of columns (`attribution/segment.py`). No
part holds text or a token of any row, so an index may be published even where rows are gated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from inference_worker.attribution.array_file import Array, decode_arrays, encode_arrays
from inference_worker.attribution.method import SKETCH_WIDTH
from inference_worker.attribution.segment import Segment
from inference_worker.attribution.throwaways import TensorShapes, Throwaways, check_throwaways
from inference_worker.errors import IndexCorrupt
from protocol.errors import ProtocolError
from protocol.fields import Fields
from protocol.index_pages import FLAG_INFORMATIVE, MAX_CHECKPOINTS, CodeShape
from protocol.types import TOTAL_PPM

VERSION = 2
MAX_SHARED_TOKENS = 4096
MAX_LAYERS = 1024


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


@dataclass(frozen=True)
class IndexFacts:
    """What the index belongs to. `shared` are the ids that all questions begin with; thresholds are in
    tokens by class; `kappa_ppm` is the part of what rows would get that they do get (`protocol.shrinkage`).
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
    kappa_ppm: int = TOTAL_PPM

    @property
    def tensors(self) -> TensorShapes:
        """What the adapter as served is made of."""
        return TensorShapes(self.names, self.shapes)


@dataclass(frozen=True)
class Head:
    """What an index is asked with: facts, the adapter as served, flat, the checkpoints from early to late,
    and the throw-away adapters where it has losses.
    """

    facts: IndexFacts
    served: npt.NDArray[np.float16]
    checkpoints: tuple[Checkpoint, ...]
    throwaways: Throwaways | None = None


@dataclass(frozen=True)
class AttributionIndex:
    """A head with the codes of its decoys and of its rows."""

    head: Head
    shape: CodeShape
    decoys: Segment
    segments: tuple[Segment, ...]

    @property
    def facts(self) -> IndexFacts:
        """The head's."""
        return self.head.facts

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """The head's."""
        return self.head.checkpoints

    def files(self) -> tuple[str, ...]:
        """The CIDs of its columns."""
        return tuple(cid for part in (self.decoys, *self.segments) for cid in part.files.files.values())

    @cached_property
    def rows(self) -> npt.NDArray[np.uint32]:
        """The manifest's numbers of all rows, ascending, in the order of their scores."""
        return _joined([segment.rows for segment in self.segments])

    @cached_property
    def informative(self) -> npt.NDArray[np.bool_]:
        """Which of these may earn."""
        flags = _joined([segment.flags for segment in self.segments])
        found: npt.NDArray[np.bool_] = flags & FLAG_INFORMATIVE != 0
        return found


def encode_head(head: Head) -> bytes:
    """The head as one file; equal heads give equal bytes."""
    arrays: dict[str, Array] = {"served": head.served}
    for number, point in enumerate(head.checkpoints):
        arrays[f"{number}/adapter"] = point.adapter
        arrays[f"{number}/precondition"] = point.precondition
        arrays[f"{number}/fisher"] = point.fisher
    units = [repr(point.unit) for point in head.checkpoints]
    facts = {"v": VERSION, "units": units, **facts_json(head.facts)}
    if head.throwaways is not None:
        facts["throwaways_from"] = head.throwaways.first_layer
        arrays |= {"throwaways": head.throwaways.flat, "throwaways/level": head.throwaways.level}
    return encode_arrays(facts, arrays)


def facts_json(facts: IndexFacts) -> dict[str, object]:
    """Plain values."""
    return {
        "base_fingerprint": facts.base_fingerprint,
        "tokenizer_digest": facts.tokenizer_digest,
        "manifest_cid": facts.manifest_cid,
        "recipe_digest": facts.recipe_digest,
        "rank": facts.rank,
        "alpha": facts.alpha,
        # 64-bit and real numbers go as text: JSON readers disagree on both.
        "seed": str(facts.seed),
        "shared": list(facts.shared),
        "names": list(facts.names),
        "shapes": [list(shape) for shape in facts.shapes],
        "thresholds": dict(facts.thresholds),
        "kappa_ppm": facts.kappa_ppm,
    }


def decode_head(data: bytes) -> Head:
    """Read a head; IndexCorrupt names what does not fit."""
    raw, arrays = decode_arrays(data)
    try:
        fields = Fields(raw, "index")
        fields.integer("v", VERSION, VERSION)
        units = [float(text) for text in fields.texts("units", MAX_CHECKPOINTS, 40)]
        facts = _read_facts(fields)
        first_layer = fields.integer("throwaways_from", 0, MAX_LAYERS) if "throwaways" in arrays else None
        fields.done()
        length = sum(a * b for a, b in facts.shapes)
        served = _take(arrays, "served", np.float16, length)
        points = tuple(_read_point(arrays, f"{n}/", unit, length) for n, unit in enumerate(units))
        throwaways = None if first_layer is None else _read_throwaways(arrays, facts, first_layer)
    except (ProtocolError, KeyError, ValueError) as error:
        raise IndexCorrupt("head", f"facts and arrays of version {VERSION}", str(error)) from error
    return Head(facts, served, points, throwaways)


def head_bytes(parameters: int, checkpoints: int, throwaways: int = 0) -> int:
    """What a head takes on disk, facts aside; `throwaways` is what its throw-away adapters take."""
    return 2 * (parameters * (1 + 2 * checkpoints) + checkpoints * SKETCH_WIDTH**2) + throwaways


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
        kappa_ppm=fields.integer("kappa_ppm", 0, TOTAL_PPM),
    )


def _read_point(arrays: Mapping[str, Array], prefix: str, unit: float, length: int) -> Checkpoint:
    return Checkpoint(
        _take(arrays, prefix + "adapter", np.float16, length),
        _take(arrays, prefix + "precondition", np.float16, length),
        _take(arrays, prefix + "fisher", np.float16, SKETCH_WIDTH, SKETCH_WIDTH),
        unit,
    )


def _read_throwaways(arrays: Mapping[str, Array], facts: IndexFacts, first_layer: int) -> Throwaways:
    flat, level = arrays["throwaways"], arrays["throwaways/level"]
    found = Throwaways(
        first_layer,
        _take(arrays, "throwaways", np.float16, *flat.shape),
        _take(arrays, "throwaways/level", np.float32, *level.shape),
    )
    return check_throwaways(found, facts.tensors)


def _joined(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _take(arrays: Mapping[str, Array], name: str, dtype: type[np.generic], *shape: int) -> Any:
    array = arrays[name]
    if array.dtype != dtype or array.shape != shape:
        raise IndexCorrupt(name, (dtype.__name__, shape), (array.dtype.name, array.shape))
    return array
