"""An attribution checked by someone else: over HTTP, from the command line, and by the node itself."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from node.cli.root import cli
from node.store.epochs import EpochStore
from protocol.canonical import canonical_json
from protocol.opening import Opening
from tests.integration import worker_server
from tests.integration.test_http import Front, front

__all__ = ["front"]


async def ask(front: Front, question: str = "What is one?") -> str:
    return (await front.ask(question))[1]


async def recompute(front: Front, name: str) -> dict[str, Any]:
    async with front.http.post(f"/v1/attribution/{name}/recompute") as response:
        assert response.status == 200, await response.text()
        return dict(await response.json())


def disagreeing(body: dict[str, Any]) -> list[str]:
    return [one["name"] for one in body["findings"] if one["agrees"] is False]


async def test_an_honest_attribution_is_recomputed_to_the_same(front: Front) -> None:
    """SPEC 5.165"""
    body = await recompute(front, await ask(front))
    assert body["agrees"] is True
    assert {"tokens", "gradient units", "spans", "shares"} <= {one["name"] for one in body["findings"]}


async def test_a_worker_that_lied_is_found_out(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 5.165: by what it lied about, and by all that follows from it."""
    honest = worker_server.attribution
    with monkeypatch.context() as lying:
        lying.setattr(worker_server, "attribution", lambda *asked: honest((1, 2, 3), *asked[1:]))
        name = await ask(front)
    body = await recompute(front, name)
    assert body["agrees"] is False
    assert {"gradient units", "shares"} <= set(disagreeing(body))
    assert all(one["expected"] != one["found"] for one in body["findings"] if one["agrees"] is False)


async def test_only_who_paid_is_shown_the_tokens(front: Front) -> None:
    """SPEC 5.166: even where the operator publishes the texts."""
    name = await ask(front)
    for headers, status in (
        ({}, 403),
        ({"Authorization": "Bearer ol_sk_guess"}, 401),
        ({"Authorization": f"Bearer {front.node.prepared.api_key}"}, 200),
    ):
        async with front.http.get(f"/v1/attribution/{name}/opening", headers=headers) as response:
            assert response.status == status
            body = await response.json()
    opening = Opening.from_json(body)
    assert (len(opening.output_ids), opening.to_json()) == (12, body)


async def test_only_an_answers_public_data_is_handed_out(front: Front) -> None:
    """SPEC 5.166"""
    name, blobs = await ask(front), front.node.core.blobs
    model = json.loads(await front.page(f"/v1/attribution/{name}/model"))
    async with front.http.get(f"/v1/attribution/{name}/data/{model['manifest_cid']}") as response:
        assert response.status == 200
    private = blobs.put(b"something else that the node holds").text
    for cid, status in ((private, 404), ("no cid", 400)):
        async with front.http.get(f"/v1/attribution/{name}/data/{cid}") as response:
            assert response.status == status


def command(front: Front, *arguments: str) -> Result:
    environment = {
        "OPENLEDGER_NODE_DATA_DIR": str(front.node.prepared.folder),
        "OPENLEDGER_CHAIN_RPC_URL": front.node.world.url,
        "OPENLEDGER_CHAIN_DEPLOYMENT": str(front.node.world.deployment),
    }
    return CliRunner().invoke(cli, ["attribution", *arguments], env=environment)


async def verify(front: Front, reference: str, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit status and findings by name; another worker recomputes than the one that answered."""
    folder = front.node.prepared.folder
    socket = folder / "another.sock"
    runner = await worker_server.listen(socket, "a token")
    given = ("--worker", str(socket), "--token-file", str(folder / "worker.token"), "--url", front.url)
    done = await asyncio.to_thread(command, front, "verify", reference, *given, *options, "--json")
    await runner.cleanup()
    assert done.exit_code in (0, 1, 2) and done.stdout, done.output
    return done.exit_code, {one["name"]: one for one in json.loads(done.stdout)}


@pytest.fixture
def key_file(front: Front, tmp_path: Path) -> str:
    path = tmp_path / "key"
    path.write_text(front.node.prepared.api_key + "\n")
    return str(path)


async def test_verify_agrees_with_an_honest_receipt(front: Front, key_file: str) -> None:
    """SPEC 5.165, 5.167"""
    status, found = await verify(front, await ask(front), "--api-key-file", key_file)
    assert status == 0, found
    assert {"signer", "attribution root", "bundle", "manifest", "tokens", "gradient units"} <= set(found)


async def test_verify_cannot_tell_without_the_tokens(front: Front) -> None:
    """SPEC 5.167"""
    status, found = await verify(front, await ask(front))
    assert (status, found["tokens"]["agrees"]) == (2, None)


async def test_verify_names_what_disagrees(
    front: Front, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 5.165, 5.167"""
    honest = worker_server.attribution
    with monkeypatch.context() as lying:
        lying.setattr(worker_server, "attribution", lambda *asked: honest((1, 2, 3), *asked[1:]))
        name = await ask(front)
    status, found = await verify(front, name, "--api-key-file", key_file)
    assert status == 1
    assert found["gradient units"]["agrees"] is False and found["shares"]["agrees"] is False
    assert found["attribution root"]["agrees"] is True


async def test_an_exported_receipt_is_checked_like_a_fetched_one(
    front: Front, key_file: str, tmp_path: Path
) -> None:
    """SPEC 5.167: and what was changed in the file is told by name."""
    name, path = await ask(front), tmp_path / "receipt.json"
    written = await asyncio.to_thread(
        command, front, "export", name, "--out", str(path), "--api-key-file", key_file, "--url", front.url
    )
    assert written.exit_code == 0, written.output
    assert path.stat().st_mode & 0o077 == 0
    assert (await verify(front, str(path)))[0] == 0
    body = json.loads(path.read_text())
    body["opening"]["prompt_ids"][0] += 1
    for change, wrong in (
        (body, "tokens"),
        (json.loads(path.read_text()) | {"model": _other_index(body["model"])}, "bundle"),
        (_other_share(json.loads(path.read_text())), "attribution root"),
    ):
        path.with_name("changed.json").write_bytes(json.dumps(change).encode())
        status, found = await verify(front, str(path.with_name("changed.json")))
        assert (status, found[wrong]["agrees"]) == (1, False), wrong
    for text in (b"{}", b"no json", canonical_json({**json.loads("{}"), "v": 1})):
        path.write_bytes(text)
        done = await asyncio.to_thread(command, front, "verify", str(path))
        assert done.exit_code == 2


def _other_index(model: str) -> str:
    served = json.loads(model)
    return json.dumps(served | {"adapter_cid": served["index_cid"]})


def _other_share(body: dict[str, Any]) -> dict[str, Any]:
    body["attribution"]["entries"][0]["ppm"] += 1
    body["attribution"]["unattributed_ppm"] -= 1
    return body


async def test_an_audit_recomputes_what_a_later_block_drew(front: Front, tmp_path: Path) -> None:
    """SPEC 5.172, 5.173: once the epoch is committed; a second run asks the worker for nothing."""
    names = [await ask(front, f"What is {number}?") for number in range(3)]
    folder, out = front.node.prepared.folder, tmp_path / "audit.json"
    early = await asyncio.to_thread(command, front, "audit", "0")
    assert early.exit_code == 3, early.output
    await front.node.settle_until_final()
    front.node.world.advance(1)
    (epoch,) = (one.epoch for one in EpochStore(front.node.core.database).commitments())
    socket = folder / "another.sock"
    arguments = ["audit", str(epoch), "--ppm", "0", "--least", "2", "--out", str(out), "--json"]
    given = ["--worker", str(socket), "--token-file", str(folder / "worker.token")]
    runner = await worker_server.listen(socket, "a token")
    done = await asyncio.to_thread(command, front, *arguments, *given)
    report = json.loads(out.read_text())
    assert len(report["drawn"]["receipts"]) == 2 and set(report["drawn"]["receipts"]) <= set(names)
    assert report["drawn"]["listed"] == 3
    for name in report["drawn"]["receipts"]:
        assert all(one["agrees"] for one in report["items"][name])
    # The world's index has no bytes, which is said and not passed over.
    assert done.exit_code == 2, done.output
    before = out.stat().st_mtime_ns
    again = await asyncio.to_thread(command, front, *arguments, *given)
    await runner.cleanup()
    assert (again.exit_code, out.stat().st_mtime_ns) == (2, before)
    assert json.loads(again.stdout) == json.loads(done.stdout)
