"""The page's way to the chain: reading, and what a wallet has signed; for this site's pages only."""

import pytest

from tests.node.api.conftest import Running

CALL = {"jsonrpc": "2.0", "id": 7, "method": "eth_chainId", "params": []}


async def post(running: Running, body: object, **headers: str) -> tuple[int, object]:
    async with running.client.post(f"{running.url}/rpc", json=body, headers=headers) as response:
        return response.status, await response.json()


async def test_an_allowed_method_passes_with_its_id(running: Running) -> None:
    """SPEC 10.10"""
    assert await post(running, CALL) == (200, {"jsonrpc": "2.0", "id": 7, "result": "eth_chainId"})
    status, answers = await post(running, [CALL, {**CALL, "id": "b"}])
    assert status == 200
    assert [one["id"] for one in answers] == [7, "b"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "method",
    ["eth_sendTransaction", "eth_sign", "personal_unlockAccount", "evm_mine", "anvil_setBalance",
     "debug_traceCall", "admin_peers", "eth_subscribe", ""],
)  # fmt: skip
async def test_no_other_method_reaches_the_chain(running: Running, method: str) -> None:
    """SPEC 10.10"""
    status, answer = await post(running, {**CALL, "method": method})
    assert status == 200
    assert answer["error"]["code"] == -32601  # type: ignore[index]
    assert running.surroundings.calls == []


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:1"])
async def test_another_origin_is_refused(running: Running, origin: str) -> None:
    """SPEC 10.10"""
    assert (await post(running, CALL, Origin=origin))[0] == 403
    assert running.surroundings.calls == []


async def test_the_own_origin_is_welcome(running: Running) -> None:
    """SPEC 10.10"""
    assert (await post(running, CALL, Origin=running.url))[0] == 200


@pytest.mark.parametrize("body", [[], 7, "x", {}, {"method": 1}, {**CALL, "params": {}}, [CALL] * 33])
async def test_malformed_requests_are_refused(running: Running, body: object) -> None:
    """SPEC 10.10"""
    assert (await post(running, body))[0] == 400


async def test_a_form_of_another_site_cannot_reach_it(running: Running) -> None:
    """SPEC 10.10: a page can post text/plain anywhere without asking."""
    headers = {"Content-Type": "text/plain"}
    async with running.client.post(
        f"{running.url}/rpc", data='{"method":"eth_chainId"}', headers=headers
    ) as response:
        assert response.status == 415
