"""Receipts and attributions are public by their id; texts are for those who paid for them."""

from dataclasses import replace

from node.api.ports import Progress, RowView
from node.api.receipts import by_owner
from node.receipts.log import RetrievedRow
from protocol.receipt import receipt_from_json
from protocol.types import TOTAL_PPM
from tests.node.api import samples
from tests.node.api.conftest import KEY, Running

NAME = "0x" + samples.REQUEST_ID.hex()


async def get(running: Running, path: str, key: str | None = None) -> tuple[int, dict[str, object]]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with running.client.get(running.url + path, headers=headers) as response:
        return response.status, await response.json()


async def test_a_receipt_comes_as_it_was_signed(running: Running) -> None:
    """SPEC 4.67"""
    running.shelf.records[samples.REQUEST_ID] = samples.RECORD
    status, body = await get(running, f"/v1/receipts/{NAME}")
    assert status == 200
    assert receipt_from_json(body["receipt"]) == samples.RECEIPT
    assert sum(int(part["amount"]) for part in body["parts"]) == samples.COST  # type: ignore[attr-defined]
    assert sum(int(part["amount"]) for part in body["earners"]) == samples.COST  # type: ignore[attr-defined]
    assert body["settlement"] == {"state": "committed", "epoch": 12}


async def test_an_unfinished_answer_is_pending_and_an_unknown_one_missing(running: Running) -> None:
    """SPEC 4.67"""
    running.shelf.records[samples.UNFINISHED.request_id] = samples.UNFINISHED
    for kind in ("receipts", "attribution"):
        status, body = await get(running, f"/v1/{kind}/0x{samples.UNFINISHED.request_id.hex()}")
        assert (status, body["status"]) == (202, "pending")
        assert (await get(running, f"/v1/{kind}/0x{'00' * 32}"))[0] == 404
        assert (await get(running, f"/v1/{kind}/{NAME.upper()}"))[0] == 400


async def test_a_pending_attribution_says_how_late_it_is_and_why(running: Running) -> None:
    """SPEC 5.163"""
    late = Progress("attributing", "WorkerUnreachable", 130, 120, True)
    record = replace(samples.UNFINISHED, progress=late)
    running.shelf.records[record.request_id] = record
    status, body = await get(running, f"/v1/attribution/0x{record.request_id.hex()}")
    told = [body[name] for name in ("stage", "waited_seconds", "bound_seconds", "overdue", "reason")]
    assert (status, told) == (202, ["attributing", 130, 120, True, "WorkerUnreachable"])


async def test_a_request_that_was_given_up_is_not_pending(running: Running) -> None:
    """SPEC 5.164"""
    record = replace(samples.UNFINISHED, progress=Progress("given_up", "the worker failed"))
    running.shelf.records[record.request_id] = record
    for kind in ("receipts", "attribution"):
        status, body = await get(running, f"/v1/{kind}/0x{record.request_id.hex()}")
        assert (status, body["error"]["code"]) == (410, "request_given_up")  # type: ignore[index]


async def test_an_attribution_makes_one_whole(running: Running) -> None:
    """SPEC 4.68"""
    running.shelf.records[samples.REQUEST_ID] = samples.RECORD
    _, body = await get(running, f"/v1/attribution/{NAME}", KEY)
    for members in ("entries", "contributors"):
        shares = sum(one["ppm"] for one in body[members])  # type: ignore[attr-defined]
        assert shares + int(str(body["unattributed_ppm"])) == TOTAL_PPM
    assert body["token_texts"] == list(samples.TEXTS)
    gated = [row for row in body["rows"] if row["gated"]]  # type: ignore[attr-defined]
    assert [(row["prompt"], row["completion"]) for row in gated] == [(None, None)]


async def test_texts_are_kept_from_strangers(running: Running) -> None:
    """SPEC 4.69"""
    running.shelf.records[samples.REQUEST_ID] = samples.RECORD
    for key in (None, "ol_sk_stranger"):
        _, body = await get(running, f"/v1/attribution/{NAME}", key)
        assert body["token_texts"] is None
        assert all(row["prompt"] is None for row in body["rows"])  # type: ignore[attr-defined]
        assert body["contributors"]


async def test_which_rows_a_question_found_is_for_those_who_may_read_it(running: Running) -> None:
    """SPEC 5.216"""
    other = RowView(99, samples.BO, "another question", "another answer", False)
    added = (RetrievedRow(4, 10, 20, 1_250_000), RetrievedRow(99, 20, 31, None))
    record = replace(samples.RECORD, rows=(*samples.ROWS, other), retrieved=added, ablations=[{"base": -1}])
    running.shelf.records[samples.REQUEST_ID] = record
    _, body = await get(running, f"/v1/attribution/{NAME}", KEY)
    assert body["retrieved"] == [
        {"row": 4, "start": 10, "end": 20, "added_micronats": 1_250_000},
        {"row": 99, "start": 20, "end": 31, "added_micronats": None},
    ]
    assert body["ablations"] == [{"base": -1}]
    assert 99 in [row["index"] for row in body["rows"]]  # type: ignore[attr-defined]
    _, body = await get(running, f"/v1/attribution/{NAME}")
    assert (body["retrieved"], body["ablations"]) == (None, None)
    assert [row["index"] for row in body["rows"]] == [4, 17, 31, 52]  # type: ignore[attr-defined]


async def test_verification_lists_every_check(running: Running) -> None:
    """SPEC 4.70"""
    running.shelf.records[samples.REQUEST_ID] = samples.RECORD
    _, good = await get(running, f"/v1/receipts/{NAME}/verify")
    assert good["valid"] is True
    _, bad = await get(running, f"/v1/receipts/0x{'11' * 32}/verify")
    assert bad["valid"] is False
    assert [check["holds"] for check in bad["checks"]] == [True, False]  # type: ignore[attr-defined]


def test_contributors_are_summed_and_sorted() -> None:
    """SPEC 4.68"""
    owners = by_owner(samples.REPORT)
    assert owners[0] == (samples.ADA, 491_538)
    assert [ppm for _, ppm in owners] == sorted((ppm for _, ppm in owners), reverse=True)
