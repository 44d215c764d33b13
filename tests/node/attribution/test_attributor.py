"""Attribution waits for a worker that is away, and calls unknown what it cannot know."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from time import monotonic

import pytest

from node.attribution import attributor
from node.attribution.attributor import Attributor, Versions, decode_row_tokens
from node.attribution.waiting import Bounds, Wait, Waiting
from node.blobs.store import BlobStore
from node.errors import WorkerUnreachable
from node.serving.model import ServedModel, Source
from node.serving.worker_client import WorkerBusy, WorkerRefused
from node.store.blocks import BlockTable
from node.store.database import open_database
from protocol.attribution import Lane, LaneUnits
from protocol.canonical import canonical_json
from protocol.cid import cid_of_raw
from protocol.context import Context, PlacedRow
from protocol.ensemble import UNITS_PER_PPM, ensemble_method
from protocol.errors import FieldError
from protocol.hashing import to_hex
from protocol.influence_list import read_influence
from protocol.manifest import GRANTED, Manifest, ManifestRow, encode_manifest
from protocol.parameters import DEFAULTS
from protocol.types import TOTAL_PPM, Address
from protocol.wire import AttributeRequest, AttributeResult, GenerateResult
from tests.protocol.influences import CODE, scored

OWNER = Address("0x" + "aa" * 20)
CID = cid_of_raw(b"row").text
MANIFEST = Manifest(
    1, 1, 0, (ManifestRow(0, "0x" + "11" * 32, OWNER, 0, "CC0-1.0", GRANTED, False, CID),), ()
)
ANSWER = GenerateResult((1, 2), (3, 4), "ab", "stop", bytes(32))


def answer(*units: tuple[int, int], rest: int = 0) -> AttributeResult:
    lane = LaneUnits(Lane.GRADIENT, units, rest, ran=True)
    evidence = {"influence": (scored(lane),), "query_codes": (CODE,)}
    return AttributeResult(b"\1" * 32, (lane,), (), ("a", "b"), **evidence)  # type: ignore[arg-type]


RIGHT, WRONG = answer((0, 1)), answer((9, 1))
ROOT = b"\7" * 32


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
    bounds: Bounds | None = None,
    clock: Callable[[], float] = monotonic,
    answer: GenerateResult = ANSWER,
    **changes: object,
) -> attributor.Attribution:
    manifest = blobs.put(encode_manifest(MANIFEST)).text
    fields = {"adapter_cid": CID, "index_cid": CID, "manifest_cid": manifest, "tokens_cid": None}
    fields |= {"index_root": to_hex(ROOT), **changes}
    model = ServedModel(
        "m", 1, OWNER, "0x", datanet_version_key=1, in_rate=1, out_rate=1, fixed_price=1, royalties=(),
        min_span_tokens=0, **fields,  # type: ignore[arg-type]
    )  # fmt: skip
    weights = DEFAULTS.lane_weights
    attributor_ = Attributor(asker, Versions(blobs), lambda *row: row in revoked, bounds, clock)
    return await attributor_.attribute(b"\1" * 32, 4, model, answer, weights)


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


async def test_the_code_of_an_answer_is_kept_under_its_hash(blobs: BlobStore) -> None:
    """SPEC 5.185: whoever doubts a score fetches it by the hash that the report binds."""
    found = await attribute(ScriptedAsker(RIGHT), blobs)
    (section,) = read_influence(found.report.lists.influence)
    assert section == replace(RIGHT.influence[0], index_root=ROOT)
    assert blobs.get(cid_of_raw(CODE)) == CODE and cid_of_raw(CODE).digest == section.query_code_hash


async def test_a_model_without_a_datanet_asks_nobody(blobs: BlobStore) -> None:
    """SPEC 5.42"""
    asker = ScriptedAsker(RIGHT)
    found = await attribute(asker, blobs, manifest_cid=None)
    assert found.report.unattributed_ppm == TOTAL_PPM
    assert asker.asked == []


MEMBERS = (Source(CID, CID, 700_000), Source(cid_of_raw(b"2").text, cid_of_raw(b"i").text, 300_000))


async def test_an_ensemble_is_asked_about_member_by_member(blobs: BlobStore) -> None:
    """SPEC 4.219: and waits, as any model, until all of them were answered."""
    asker = ScriptedAsker(RIGHT, WorkerUnreachable("away"), RIGHT, answer(rest=1))
    found = await attribute(asker, blobs, index_cid=None, members=MEMBERS)
    gradient = DEFAULTS.lane_weights[Lane.GRADIENT]
    assert [(entry.row, entry.ppm) for entry in found.report.entries] == [(0, gradient * 7 // 10)]
    assert found.report.method_id == ensemble_method(b"\1" * 32)
    asked = [(one.adapter_cid, one.index_cid, one.lanes) for one in asker.asked]
    both = [
        (MEMBERS[0].adapter_cid, MEMBERS[0].index_cid, (Lane.GRADIENT, Lane.SPAN)),
        (MEMBERS[1].adapter_cid, MEMBERS[1].index_cid, (Lane.GRADIENT,)),
    ]
    assert asked == both + both


async def test_an_ensemble_with_a_member_that_cannot_be_attributed_is_unattributed(blobs: BlobStore) -> None:
    """SPEC 4.219, 5.42: no member is paid for another."""
    asker = ScriptedAsker(*[RIGHT, WorkerRefused("no index")] * 3)
    found = await attribute(asker, blobs, index_cid=None, members=MEMBERS)
    assert found.report.unattributed_ppm == TOTAL_PPM and found.evidence["reason"]


async def test_a_row_withdrawn_earns_nothing_through_any_member(blobs: BlobStore) -> None:
    """SPEC 4.219, 5.64"""
    asker = ScriptedAsker(RIGHT)
    revoked = frozenset({(1, b"\x11" * 32)})
    found = await attribute(asker, blobs, revoked, index_cid=None, members=MEMBERS)
    assert found.report.unattributed_ppm == TOTAL_PPM and found.report.lists.gradient == (
        1 << 64 | TOTAL_PPM * UNITS_PER_PPM,
    )


async def test_the_retrieval_lane_is_asked_for_where_the_prompt_held_rows(blobs: BlobStore) -> None:
    """SPEC 5.209, 5.212: one that could not run leaves its weight unattributed."""
    context = Context(0, 1, (PlacedRow(0, 0, 1),))
    silent = LaneUnits(Lane.RETRIEVAL, (), 0, ran=False)
    asker = ScriptedAsker(replace(RIGHT, lanes=(*RIGHT.lanes, silent)))
    found = await attribute(asker, blobs, answer=replace(ANSWER, context=context))
    assert asker.asked[0].lanes == (Lane.GRADIENT, Lane.SPAN, Lane.RETRIEVAL)
    assert asker.asked[0].context == context
    weights = DEFAULTS.lane_weights
    assert [entry.ppm for entry in found.report.entries] == [weights[Lane.GRADIENT] - weights[Lane.RETRIEVAL]]
    assert found.evidence["retrieved"] == {
        "start": 0,
        "end": 1,
        "rows": [[0, 0, 1, None]],
        "ablations": [None],
    }
    without = await attribute(ScriptedAsker(RIGHT), blobs, answer=replace(ANSWER, context=context))
    assert without.report.entries == () and "retrieval lane" in str(without.evidence["reason"])


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


DIED = WorkerBusy("it ended", code=attributor.PROCESS_DIED, status=503, retry_after=5)


async def test_a_process_that_dies_of_a_question_is_not_asked_it_for_ever(blobs: BlobStore) -> None:
    """SPEC 5.162"""
    asker = ScriptedAsker(DIED)
    found = await attribute(asker, blobs)
    assert (found.report.unattributed_ppm, len(asker.asked)) == (TOTAL_PPM, 3)
    assert "it ended" in str(found.evidence["reason"])
    survived = await attribute(ScriptedAsker(DIED, DIED, RIGHT), blobs)
    assert len(survived.report.entries) == 1


@pytest.mark.parametrize(("absences", "attributed"), [(3, True), (12, False)])
async def test_waiting_ends_at_its_last_bound(blobs: BlobStore, absences: int, attributed: bool) -> None:
    """SPEC 5.163: each look at the clock is a second later."""
    seconds = count()
    bounds = Bounds(promised=2, last=10)
    asker = ScriptedAsker(*[WorkerUnreachable("away")] * absences, RIGHT)
    found = await attribute(asker, blobs, bounds=bounds, clock=lambda: next(seconds))
    assert (found.report.unattributed_ppm < TOTAL_PPM) is attributed
    assert attributed or found.evidence["reason"] == "away"


def test_a_wait_says_how_long_and_what_keeps_it() -> None:
    """SPEC 5.163"""
    now = [100.0]
    waiting = Waiting(Bounds(promised=5, last=60), lambda: now[0])
    assert waiting.of(b"a") is None
    waiting.begin(b"a")
    assert waiting.of(b"a") == Wait(0, 5, "")
    now[0] = 105.9
    assert not waiting.failed(b"a", "WorkerUnreachable")
    late = waiting.of(b"a")
    assert late == Wait(5, 5, "WorkerUnreachable") and not late.overdue
    now[0] = 106.0
    assert waiting.of(b"a").overdue  # type: ignore[union-attr]
    now[0] = 161.0
    assert waiting.failed(b"a", "WorkerUnreachable")
    waiting.end(b"a")
    assert waiting.of(b"a") is None
