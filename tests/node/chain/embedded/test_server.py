"""The server against bad input and strangers; it must answer every request and stay up."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from node.chain.embedded.errors import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    LIMIT_EXCEEDED,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
)
from node.chain.embedded.guard import Guard
from node.chain.embedded.server import MAX_BATCH, MAX_BODY_BYTES, RpcServer
from node.chain.embedded.subscriptions import MAX_SUBSCRIPTIONS
from tests.node.chain.support import LocalDevnet

Client = TestClient[web.Request, web.Application]
SITE = "http://127.0.0.1:8080"
JSON = {"Content-Type": "application/json"}


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    devnet = LocalDevnet()
    server = RpcServer(devnet.producer, Guard(origins=frozenset({SITE})))
    async with TestClient(TestServer(server.application())) as running:
        yield running
    devnet.close()


async def post(client: Client, body: Any, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with client.post("/", data=content, headers={**JSON, **headers}) as response:
        assert response.status == 200, await response.text()
        return await response.json()


def request(method: str, *params: Any, identity: Any = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": list(params)}


MALFORMED = [
    (b"", PARSE_ERROR),
    (b"{", PARSE_ERROR),
    (b"nonsense", PARSE_ERROR),
    (b"\xff\xfe", PARSE_ERROR),
    (b"[" * 100_000, PARSE_ERROR),
    (b'{"id":' + b"9" * 5000 + b"}", PARSE_ERROR),
    (b'{"id": 1, "id": 2, "method": "eth_chainId"}', PARSE_ERROR),
    (b'{"id": NaN, "method": "eth_chainId"}', PARSE_ERROR),
    (b"[]", INVALID_REQUEST),
    (b"null", INVALID_REQUEST),
    (b"7", INVALID_REQUEST),
    (b'"eth_chainId"', INVALID_REQUEST),
    (b"{}", INVALID_REQUEST),
    (b'{"method": 7, "id": 1}', INVALID_REQUEST),
    (b'{"method": null, "id": 1}', INVALID_REQUEST),
    (b'{"method": "eth_chainId", "params": 7, "id": 1}', INVALID_PARAMS),
]


@pytest.mark.parametrize(("body", "code"), MALFORMED, ids=lambda value: str(value)[:30])
async def test_malformed_requests_get_an_error_object(client: Client, body: bytes, code: int) -> None:
    """SPEC 0.49"""
    answer = await post(client, body)
    assert answer["error"]["code"] == code
    assert (await post(client, request("eth_chainId")))["result"] == "0x7a69"


WRONG_PARAMS = [
    ("eth_getBalance",),
    ("eth_getBalance", "0x12"),
    ("eth_getBalance", 12),
    ("eth_getBalance", "0x" + "zz" * 20),
    ("eth_getBalance", "0x" + "00" * 20, "yesterday"),
    ("eth_getBalance", "0x" + "00" * 20, "0x"),
    ("eth_getBalance", "0x" + "00" * 20, "latest", "more"),
    ("eth_getBlockByNumber", "0x0", "yes"),
    ("eth_getBlockByNumber", {"blockHash": 5}),
    ("eth_getBlockByHash", "0x00", False),
    ("eth_getStorageAt", "0x" + "00" * 20, "first", "latest"),
    ("eth_call", "not an object"),
    ("eth_call", {"to": "0x00"}),
    ("eth_call", {"data": "0x1"}),
    ("eth_call", {"data": "0x11", "input": "0x22"}),
    ("eth_call", {}, "latest", {"0x" + "00" * 20: {"balance": "0x1"}}),
    ("eth_estimateGas", {"value": "-0x1"}),
    ("eth_sendRawTransaction", "0x"),
    ("eth_sendRawTransaction", "0xdeadbeef"),
    ("eth_sendRawTransaction", "0x02c0"),
    ("eth_sendRawTransaction", "0x7f" + "00" * 40),
    ("eth_getLogs", {"topics": ["0x00"]}),
    ("eth_getLogs", {"topics": [None] * 5}),
    ("eth_getLogs", {"fromBlock": "0x5", "toBlock": "0x1"}),
    ("eth_getLogs", {"blockHash": "0x" + "00" * 32, "fromBlock": "0x0"}),
    ("eth_getLogs", "all"),
    ("eth_feeHistory", "0x4", "latest", [200]),
    ("evm_increaseTime", "-5"),
    ("evm_increaseTime", 2**50),
    ("evm_mine", {"blocks": 10**9}),
    ("evm_snapshot", "extra"),
]


@pytest.mark.parametrize("call", WRONG_PARAMS, ids=lambda call: f"{call[0]}-{str(call[1:])[:25]}")
async def test_wrong_params_are_refused_before_the_chain_sees_them(
    client: Client, call: tuple[Any, ...]
) -> None:
    """SPEC 0.49"""
    answer = await post(client, request(*call))
    assert answer["error"]["code"] == INVALID_PARAMS, answer
    assert answer["id"] == 1
    assert (await post(client, request("eth_blockNumber")))["result"] == "0x0"


async def test_unknown_methods_and_blocks(client: Client) -> None:
    """SPEC 0.49"""
    assert (await post(client, request("eth_nothing")))["error"]["code"] == METHOD_NOT_FOUND
    assert (await post(client, request("__class__")))["error"]["code"] == METHOD_NOT_FOUND
    assert (await post(client, request("eth_getBlockByNumber", "0xffff", False)))["result"] is None
    missing = await post(client, request("eth_getBalance", "0x" + "00" * 20, "0xffff"))
    assert "error" in missing
    assert (await post(client, request("eth_getTransactionReceipt", "0x" + "11" * 32)))["result"] is None


async def test_batches_are_answered_in_order_and_bounded(client: Client) -> None:
    """SPEC 0.49"""
    batch = [request("eth_chainId", identity=1), request("eth_nothing", identity=2), 7]
    answers = await post(client, batch)
    assert [answer["id"] for answer in answers] == [1, 2, None]
    assert answers[0]["result"] == "0x7a69"
    assert [answer["error"]["code"] for answer in answers[1:]] == [METHOD_NOT_FOUND, INVALID_REQUEST]
    full = await post(client, [request("eth_chainId")] * MAX_BATCH)
    assert len(full) == MAX_BATCH
    refused = await post(client, [request("eth_chainId")] * (MAX_BATCH + 1))
    assert refused["error"]["code"] == INVALID_REQUEST


async def test_a_notification_runs_and_gets_no_answer(client: Client) -> None:
    """SPEC 0.49"""
    body = json.dumps({"jsonrpc": "2.0", "method": "evm_mine"})
    async with client.post("/", data=body, headers=JSON) as response:
        assert response.status == 204
    assert (await post(client, request("eth_blockNumber")))["result"] == "0x1"


async def test_an_oversized_body_is_refused(client: Client) -> None:
    """SPEC 0.49"""
    async with client.post("/", data=b" " * (MAX_BODY_BYTES + 1), headers=JSON) as response:
        assert response.status == 413
    assert (await post(client, request("eth_chainId")))["result"] == "0x7a69"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8545", "127.0.0.1.evil.example", "", "[::", "10.0.0.1"]
)
async def test_a_foreign_host_is_refused(client: Client, host: str) -> None:
    """SPEC 0.50: what a browser sends after DNS rebinding."""
    body = json.dumps(request("eth_accounts"))
    async with client.post("/", data=body, headers={**JSON, "Host": host}) as response:
        assert response.status == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8545", "LOCALHOST"])
async def test_loopback_names_are_served(client: Client, host: str) -> None:
    """SPEC 0.50"""
    assert (await post(client, request("eth_chainId"), Host=host))["result"] == "0x7a69"


async def test_only_listed_origins_are_served(client: Client) -> None:
    """SPEC 0.50"""
    body = json.dumps(request("eth_accounts"))
    for origin in ("https://evil.example", "http://127.0.0.1:8081", "null"):
        async with client.post("/", data=body, headers={**JSON, "Origin": origin}) as response:
            assert response.status == 403
            assert "Access-Control-Allow-Origin" not in response.headers
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await client.ws_connect("/", headers={"Origin": origin})
    async with client.post("/", data=body, headers={**JSON, "Origin": SITE}) as response:
        assert response.headers["Access-Control-Allow-Origin"] == SITE
    async with client.options("/", headers={"Origin": SITE}) as response:
        assert response.headers["Access-Control-Allow-Headers"] == "content-type"
    extension = "chrome-extension://nkbihfbeogaeaoehlefnkodbefgpgknn"
    assert (await post(client, request("eth_chainId"), Origin=extension))["result"] == "0x7a69"


async def test_what_a_page_may_send_unasked_is_refused(client: Client) -> None:
    """SPEC 0.50: a form or a text/plain fetch needs no preflight, so its content type must not be served."""
    body = json.dumps(request("eth_sendTransaction"))
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        async with client.post("/", data=body, headers={"Content-Type": content_type}) as response:
            assert response.status == 415
    async with client.get("/") as response:
        assert response.status == 405


async def test_subscriptions_report_each_block_and_matching_log_once(client: Client) -> None:
    """SPEC 0.44"""
    socket = await client.ws_connect("/")

    async def ask(method: str, *params: Any) -> Any:
        await socket.send_json(request(method, *params, identity="mine"))
        while True:
            message = await socket.receive_json()
            if message.get("id") == "mine":
                return message.get("result", message.get("error"))
            notices.append(message["params"])

    notices: list[Any] = []
    heads = await ask("eth_subscribe", "newHeads")
    hashes = await ask("eth_subscribe", "newPendingTransactions")
    sender, to = (await ask("eth_accounts"))[:2]
    sent = [await ask("eth_sendTransaction", {"from": sender, "to": to, "value": "0x1"}) for _ in range(3)]
    assert await ask("eth_unsubscribe", heads) is True
    assert await ask("eth_unsubscribe", heads) is False
    await ask("evm_mine")
    await ask("eth_chainId")
    numbers = [notice["result"]["number"] for notice in notices if notice["subscription"] == heads]
    assert numbers == ["0x1", "0x2", "0x3"]
    assert [notice["result"] for notice in notices if notice["subscription"] == hashes] == sent
    await socket.close()


async def test_websocket_input_is_as_safe_as_http(client: Client) -> None:
    """SPEC 0.49"""
    socket = await client.ws_connect("/")
    await socket.send_str("{")
    assert (await socket.receive_json())["error"]["code"] == PARSE_ERROR
    for params in ([], ["everything"], "newHeads", ["logs", 7]):
        await socket.send_json({"id": 1, "method": "eth_subscribe", "params": params})
        assert (await socket.receive_json())["error"]["code"] == INVALID_PARAMS
    for _ in range(MAX_SUBSCRIPTIONS):
        await socket.send_json(request("eth_subscribe", "newHeads"))
        assert "result" in await socket.receive_json()
    await socket.send_json(request("eth_subscribe", "newHeads"))
    assert (await socket.receive_json())["error"]["code"] == LIMIT_EXCEEDED
    await socket.close()


async def test_a_polled_filter_reports_each_log_once(client: Client) -> None:
    """SPEC 0.44"""
    identity = (await post(client, request("eth_newBlockFilter")))["result"]
    assert (await post(client, request("eth_getFilterChanges", identity)))["result"] == []
    await post(client, request("evm_mine"))
    await post(client, request("evm_mine"))
    head = (await post(client, request("eth_getBlockByNumber", "latest", False)))["result"]["hash"]
    changes = (await post(client, request("eth_getFilterChanges", identity)))["result"]
    assert len(changes) == 2
    assert changes[-1] == head
    assert (await post(client, request("eth_getFilterChanges", identity)))["result"] == []
    assert (await post(client, request("eth_uninstallFilter", identity)))["result"] is True
    assert "error" in await post(client, request("eth_getFilterChanges", identity))
