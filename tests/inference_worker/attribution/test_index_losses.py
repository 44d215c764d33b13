"""An index with the losses of its rows: from the build to the units that are paid."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from inference_worker.attribution.build import Covariance, draw_decoys
from inference_worker.attribution.codes import QueryCode
from inference_worker.attribution.covariance import encode_table
from inference_worker.attribution.gradients import PREFIX, layer_of
from inference_worker.attribution.index import (
    AttributionIndex,
    IndexFacts,
    decode_head,
    encode_head,
)
from inference_worker.attribution.index_cost import index_cost
from inference_worker.attribution.index_files import IndexFiles
from inference_worker.attribution.index_store import open_index, store_index
from inference_worker.attribution.influence import InfluenceQuery, Ledger, gradient_units
from inference_worker.attribution.loss_scan import combine, scan_losses
from inference_worker.attribution.method import method_id
from inference_worker.attribution.segment import scan_index
from inference_worker.attribution.stacked_losses import StackedLosses
from inference_worker.attribution.throwaways import Throwaways
from inference_worker.base.load import Base, load_base
from inference_worker.errors import IndexCorrupt
from protocol.attribution import Lane, LaneUnits, merge
from protocol.manifest import GRANTED, Manifest, ManifestRow
from protocol.types import Address
from tests.inference_worker.attribution.random_adapter import random_adapter
from tests.inference_worker.attribution.test_index import COUNT, ROWS, Build

K, FIRST = 16, 1
GAIN = Ledger(base=-90_000_000, adapter=0, tokens=3)
CID = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
ALONE = np.arange(COUNT, dtype=np.uint32)


def measured(base: Base, facts: IndexFacts) -> Covariance:
    """Random adapters on the upper layers, and the losses that they give the rows."""
    drawn = np.random.default_rng(5)
    kept = [name for name in facts.names if layer_of(name) >= FIRST]
    whole = [random_adapter(base.model, seed=number) for number in range(K)]
    rows = []
    for one in whole:
        tensors = {
            f"{PREFIX}{path}.lora_{side}.weight": named[path]
            for side, named in (("A", one.a), ("B", one.b))
            for path in named
        }
        rows.append(np.concatenate([tensors[name].flatten().numpy() for name in kept]))
    flat = (np.stack(rows) * drawn.uniform(0.5, 1.5, (K, 1))).astype(np.float16)
    throwaways = Throwaways(FIRST, flat, np.zeros(K, np.float32))
    probe = StackedLosses(base.model, throwaways.weights(facts.tensors, 2.0), facts.shared)
    losses = np.stack([probe.losses(one) for one in [*ROWS, *draw_decoys(ROWS, facts.seed)]])
    table = encode_table(losses, COUNT)
    return Covariance(replace(throwaways, level=table.level), table)


@dataclass(frozen=True)
class Built:
    """An index as it was built and as it was opened again, with what asks it."""

    made: AttributionIndex
    index: AttributionIndex
    asked: InfluenceQuery
    bytes: int


@pytest.fixture(scope="module")
def base(tiny_base_dir: Path) -> Base:
    return load_base(tiny_base_dir, verify=False)


@pytest.fixture(scope="module")
def whole_and_cut(base: Base, tmp_path_factory: pytest.TempPathFactory) -> list[Built]:
    """The same rows in one segment, and in several."""
    build, found = Build(base), []
    covariance = measured(base, build.facts)
    for size in (COUNT, 10):
        work = tmp_path_factory.mktemp("index")
        made = build(work, segment_rows=size, covariance=covariance)
        files = IndexFiles(work / "files")
        index = open_index(files, store_index(files, made))
        taken = sum(files.path(cid).stat().st_size for cid in index.files())
        found.append(Built(made, index, InfluenceQuery(base.model, index), taken))
    return found


def test_an_index_with_losses_comes_back_and_takes_what_was_said(whole_and_cut: list[Built]) -> None:
    """SPEC 5.150"""
    whole = whole_and_cut[0]
    made, opened = whole.made.head.throwaways, whole.index.head.throwaways
    assert made is not None and opened is not None and whole.index.shape.losses == K
    assert np.array_equal(opened.flat, made.flat) and np.array_equal(opened.level, made.level)
    said = index_cost(COUNT, 2, whole.made.facts.tensors.parameters, K, made.flat.nbytes).index
    assert 0 <= len(encode_head(whole.made.head)) + whole.bytes - said < 1 << 14


def test_scores_are_the_two_parts_at_the_codes_weight(whole_and_cut: list[Built]) -> None:
    """SPEC 5.145, 5.151: for rows and decoys, and the digest binds the losses' code and its weight."""
    cut = whole_and_cut[1]
    query, _ = cut.asked.code(ROWS[7])
    plain = without_losses(query)
    assert query.loss_weight > 0 and len(query.losses) == K
    losses = [one.losses for one in cut.index.segments if one.losses is not None]
    signs = scan_index(plain, cut.index.segments)
    moved = np.concatenate([scan_losses(query.losses, one) for one in losses])
    assert np.array_equal(scan_index(query, cut.index.segments), combine(signs, moved))
    decoys = cut.index.decoys
    assert decoys.losses is not None
    null = scan_index(plain, (decoys,)) + query.loss_weight * scan_losses(query.losses, decoys.losses)
    assert np.array_equal(scan_index(query, (decoys,)), null)
    changed = (plain, replace(query, loss_weight=query.loss_weight + 1), replace(query, losses=-query.losses))
    assert query.digest() not in [other.digest() for other in changed]


def test_how_rows_are_cut_into_segments_changes_no_unit(whole_and_cut: list[Built]) -> None:
    """SPEC 5.151"""
    found = []
    for one in whole_and_cut:
        query, _ = one.asked.code(ROWS[3])
        found.append((query.digest(), gradient_units(one.index, query, GAIN, ALONE)))
    assert found[0] == found[1] and found[0][1].units


def test_losses_reach_the_units_and_splitting_an_owner_changes_nothing(whole_and_cut: list[Built]) -> None:
    """SPEC 5.151: units go by rows; whoever owns them, each row's share is the same, and so is any sum."""
    one, differ = whole_and_cut[0], 0
    for row in (0, 5, 11, 22):
        query, _ = one.asked.code(ROWS[row])
        lane = gradient_units(one.index, query, GAIN, ALONE)
        differ += lane != gradient_units(one.index, without_losses(query), GAIN, ALONE)
        together = shares(lane, ["0x" + "11" * 20] * COUNT)
        apart = shares(lane, [f"0x{place % 5 + 1:040x}" for place in range(COUNT)])
        assert [(r, ppm) for r, _, ppm in together] == [(r, ppm) for r, _, ppm in apart]
    assert differ


def without_losses(query: QueryCode) -> QueryCode:
    return replace(query, losses=np.zeros(0, np.int8), loss_weight=0)


def shares(lane: LaneUnits, owners: list[str]) -> list[tuple[int, str, int]]:
    rows = tuple(
        ManifestRow(place, f"0x{place:064x}", Address(owner), place, "CC0-1.0", GRANTED, False, CID)
        for place, owner in enumerate(owners)
    )
    manifest = Manifest(1, 1, 0, rows, ())
    report = merge([lane], {Lane.GRADIENT: 1_000_000, Lane.SPAN: 0}, manifest, method_id(True))
    return [(entry.row, entry.owner, entry.ppm) for entry in report.entries]


def test_with_and_without_losses_are_two_methods() -> None:
    """SPEC 5.151"""
    assert method_id(True) != method_id(False) and len(method_id(True)) == 32


def test_a_head_whose_adapters_do_not_fit_its_losses_is_refused(
    whole_and_cut: list[Built], tmp_path: Path
) -> None:
    """SPEC 5.150"""
    made = whole_and_cut[0].made
    own = made.head.throwaways
    assert own is not None
    fewer = replace(own, flat=own.flat[:14], level=own.level[:14])
    with pytest.raises(IndexCorrupt):
        decode_head(encode_head(replace(made.head, throwaways=fewer)))
    files = IndexFiles(tmp_path)
    with pytest.raises(IndexCorrupt, match="throw-away adapters"):
        open_index(files, store_index(files, replace(made, head=replace(made.head, throwaways=None))))
