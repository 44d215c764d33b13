"""The rules that hold for every request: known host, our error shape, safe headers, honest health."""

import pytest

from tests.node.api.conftest import Running


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", ""])
async def test_a_foreign_host_name_is_refused(running: Running, host: str) -> None:
    """SPEC 4.71"""
    async with running.client.get(f"{running.url}/v1/models", headers={"Host": host}) as response:
        assert response.status == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1", "[::1]:8080"])
async def test_loopback_names_are_known(running: Running, host: str) -> None:
    """SPEC 4.71"""
    async with running.client.get(f"{running.url}/v1/models", headers={"Host": host}) as response:
        assert response.status == 200


async def test_what_is_not_there_has_our_shape_too(running: Running) -> None:
    """SPEC 4.60"""
    async with running.client.get(f"{running.url}/v2/absent") as response:
        assert (response.status, (await response.json())["error"]["code"]) == (404, "not_found")
    async with running.client.get(f"{running.url}/v1/chat/completions") as response:
        assert (response.status, (await response.json())["error"]["code"]) == (405, "method_not_allowed")
        assert response.headers["Allow"] == "POST"


async def test_every_answer_carries_the_safe_headers_and_no_cors(running: Running) -> None:
    """SPEC 4.71"""
    for path in ("/v1/models", "/absent", "/health"):
        async with running.client.get(
            running.url + path, headers={"Origin": "https://evil.example"}
        ) as response:
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["X-Frame-Options"] == "DENY"
            assert "Access-Control-Allow-Origin" not in response.headers


async def test_a_part_that_cannot_work_makes_the_node_unready_but_alive(running: Running) -> None:
    """SPEC 4.72"""
    async with running.client.get(f"{running.url}/health") as response:
        assert (response.status, (await response.json())["status"]) == (200, "ok")
    running.surroundings.ready = False
    async with running.client.get(f"{running.url}/readyz") as response:
        body = await response.json()
        assert (response.status, body["components"]["worker"]["ready"]) == (503, False)
    async with running.client.get(f"{running.url}/livez") as response:
        assert response.status == 200


async def test_requests_are_counted_by_route_and_not_by_path(running: Running) -> None:
    """SPEC 4.72"""
    for number in range(3):
        await running.client.get(f"{running.url}/v1/models/absent-{number}")
    async with running.client.get(f"{running.url}/metrics") as response:
        text = await response.text()
    assert 'openledger_http_requests_total{route="/v1/models/{name}",status="404"} 3' in text
    assert "absent-1" not in text


async def test_status_gives_the_stages_in_numbers(running: Running) -> None:
    """SPEC 4.72"""
    async with running.client.get(f"{running.url}/v1/status") as response:
        assert (await response.json())["stages"] == {"serving": {"answers": 3}}
