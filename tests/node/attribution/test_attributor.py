"""Attribution waits for a worker that is away, and calls unknown what it cannot know."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from node.attribution import attributor
from node.attribution.attributor import Attributor, Versions, decode_row_tokens
from node.blobs.store import BlobStore
from node.errors import WorkerUnreachable
from node.serving.model import ServedModel
from node.serving.worker_client import WorkerRefused
from node.store.blocks import BlockTable
from node.store.database import open_database
from protocol.attribution import Lane, LaneUnits
from protocol.canonical import canonical_json
from protocol.cid import cid_of_raw
from protocol.errors import FieldError
from protocol.manifest import GRANTED, Manifest, ManifestRow, encode_manifest
from protocol.parameters import DEFAULTS
from protocol.types import TOTAL_PPM, Address
from protocol.wire import AttributeRequest, AttributeResult

OWNER = Address("0x" + "aa" * 20)
CID = cid_of_raw(b"row").text
MANIFEST = Manifest(
    1, 1, 0, (ManifestRow(0, "0x" + "11" * 32, OWNER, 0, "CC0-1.0", GRANTED, False, CID),), ()
)
RIGHT = AttributeResult(b"\1" * 32, (LaneUnits(Lane.GRADIENT, ((0, 1),), 0, ran=True),), (), ("a", "b"))
WRONG = AttributeResult(b"\1" * 32, (LaneUnits(Lane.GRADIENT, ((9, 1),), 0, ran=True),), (), ("a", "b"))


class ScriptedAsker:
    """Answers in turn as told; the last answer stays."""

    def __init__(self, *answers: AttributeResult | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[AttributeRequest] = []

    async def attribute(self, model: ServedModel, request: AttributeRequest) -> AttributeResult:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(BlockTable(open_database(tmp_path / "node.sqlite")))


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributor, "backoff_seconds", lambda *_: 0.0)


async def attribute(
    asker: ScriptedAsker,
    blobs: BlobStore,
    revoked: frozenset[tuple[int, bytes]] = frozenset(),
    **changes: object,
) -> attributor.Attribution:
    manifest = blobs.put(encode_manifest(MANIFEST)).text
    fields = {"adapter_cid": CID, "index_cid": CID, "manifest_cid": manifest, "tokens_cid": None, **changes}
    model = ServedModel(
        "m", 1, OWNER, "0x", datanet_version_key=1, in_rate=1, out_rate=1, fixed_price=1, royalties=(),
        min_span_tokens=0, **fields,  # type: ignore[arg-type]
    )  # fmt: skip
    weights = DEFAULTS.lane_weights
    attributor_ = Attributor(asker, Versions(blobs), lambda *row: row in revoked)
    return await attributor_.attribute(b"\1" * 32, 4, model, (1, 2), (3, 4), weights)


@pytest.mark.parametrize("absences", [0, 1, 7])
async def test_attribution_waits_until_a_worker_is_back(blobs: BlobStore, absences: int) -> None:
    """SPEC 5.42"""
    asker = ScriptedAsker(*[WorkerUnreachable("away")] * absences, RIGHT)
    found = await attribute(asker, blobs)
    assert [(entry.row, entry.owner) for entry in found.report.entries] == [(0, OWNER)]
    assert len(asker.asked) == absences + 1
    assert len(set(asker.asked)) == 1


@pytest.mark.parametrize(
    "answers", [(WRONG,), (WorkerRefused("no index"),), (WRONG, WorkerRefused("no"), WRONG)]
)
async def test_an_answer_whose_report_is_refused_is_unattributed_and_says_why(
    blobs: BlobStore, answers: Sequence[AttributeResult | Exception]
) -> None:
    """SPEC 5.42"""
    found = await attribute(ScriptedAsker(*answers), blobs)
    assert (found.report.entries, found.report.unattributed_ppm) == ((), TOTAL_PPM)
    assert found.evidence["reason"]


async def test_a_right_report_after_a_wrong_one_counts(blobs: BlobStore) -> None:
    """SPEC 5.42"""
    found = await attribute(ScriptedAsker(WRONG, WorkerUnreachable("away"), RIGHT), blobs)
    assert len(found.report.entries) == 1


async def test_a_model_without_a_datanet_asks_nobody(blobs: BlobStore) -> None:
    """SPEC 5.42"""
    asker = ScriptedAsker(RIGHT)
    found = await attribute(asker, blobs, manifest_cid=None)
    assert found.report.unattributed_ppm == TOTAL_PPM
    assert asker.asked == []


def test_row_tokens_are_read_strictly() -> None:
    """SPEC 5.41"""
    good = {"v": 1, "tokenizer_digest": "0x" + "22" * 32, "rows": [[0, [1, 2]], [5, []]]}
    assert decode_row_tokens(canonical_json(good)) == {0: (1, 2), 5: ()}
    for rows in ([[0]], [[-1, []]], [[0, [-1]]], [{}], [[0, "12"]]):
        with pytest.raises(FieldError):
            decode_row_tokens(canonical_json({**good, "rows": rows}))


async def test_a_row_withdrawn_since_its_version_earns_nothing(blobs: BlobStore) -> None:
    """SPEC 5.64: the chain is asked for each answer; what the row was found for is unattributed."""
    found = await attribute(ScriptedAsker(RIGHT), blobs, frozenset({(1, b"\x11" * 32)}))
    assert (found.report.entries, found.report.unattributed_ppm) == ((), TOTAL_PPM)
    assert found.report.lists.gradient == (1 << 64 | 1,)
    other = await attribute(ScriptedAsker(RIGHT), blobs, frozenset({(2, b"\x11" * 32), (1, b"\x12" * 32)}))
    assert [entry.row for entry in other.report.entries] == [0]
