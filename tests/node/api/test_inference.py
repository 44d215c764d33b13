"""The official OpenAI client against a real socket, and hostile requests that must cost nothing."""

import asyncio
import contextlib
import gzip
import json
from typing import Any

import openai
import pytest

from node.errors import Busy, WorkerUnreachable
from node.serving.worker_client import WorkerBusy
from protocol.json_schema import ANY_OBJECT
from protocol.sampling import Sampling
from protocol.validity_text import sentences
from tests.node.api.conftest import KEY, MODEL, POOR_KEY, PRICE, REASON, REPORT, Running


@pytest.fixture
def sdk(running: Running):
    """The official client with one retry, so that a wrong retry hint shows as a second charge."""
    return openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key=KEY, max_retries=1)


async def test_the_official_client_gets_a_whole_answer(running: Running, sdk: openai.AsyncOpenAI) -> None:
    """SPEC 4.57, SPEC 4.58"""
    answer = await sdk.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "one two three"}]
    )
    assert answer.choices[0].message.content == "one two three"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None and answer.usage.total_tokens == 8
    links = answer.openledger  # type: ignore[attr-defined]
    assert links["price"] == str(PRICE)
    assert links["receipt_url"] == f"{running.url}/v1/receipts/{links['request_id']}"
    assert links["attribution_url"] == f"{running.url}/v1/attribution/{links['request_id']}"


async def test_the_official_client_streams_the_same_text(running: Running, sdk: openai.AsyncOpenAI) -> None:
    """SPEC 4.57, SPEC 4.58"""
    stream = await sdk.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "one two three"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "one two three"
    assert chunks[-1].usage is not None and chunks[-1].usage.completion_tokens == 3
    finished = [chunk for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason]
    assert len(finished) == 1
    assert finished[0].openledger["price"] == str(PRICE)  # type: ignore[attr-defined]
    assert len({chunk.id for chunk in chunks}) == 1


async def test_auto_names_the_chosen_model_and_the_reason(running: Running, sdk: openai.AsyncOpenAI) -> None:
    """SPEC 4.166"""
    messages = [{"role": "user", "content": "one two"}]
    whole = await sdk.chat.completions.create(model="auto", messages=messages)
    assert whole.model == MODEL
    assert whole.openledger["auto"] == {"model": MODEL, "reason": REASON}  # type: ignore[attr-defined]
    stream = await sdk.chat.completions.create(model="auto", messages=messages, stream=True)
    chunks = [chunk async for chunk in stream]
    assert {chunk.model for chunk in chunks} == {MODEL}
    assert chunks[-1].openledger["auto"]["reason"] == REASON  # type: ignore[attr-defined]
    named = await sdk.chat.completions.create(model=MODEL, messages=messages)
    assert "auto" not in named.openledger  # type: ignore[attr-defined]


async def test_auto_is_listed_where_it_can_fall_back(running: Running, sdk: openai.AsyncOpenAI) -> None:
    """SPEC 4.166"""
    assert [one.id async for one in sdk.models.list()] == [MODEL]
    with pytest.raises(openai.NotFoundError):
        await sdk.models.retrieve("auto")
    running.surroundings.bare = True
    assert [one.id async for one in sdk.models.list()] == [MODEL, "plain", "auto"]
    assert (await sdk.models.retrieve("auto")).created == 1_600_000_000


async def test_text_completions_stream_and_come_whole(running: Running, sdk: openai.AsyncOpenAI) -> None:
    """SPEC 4.57"""
    whole = await sdk.completions.create(model=MODEL, prompt="a b c", max_tokens=2)
    assert whole.choices[0].text == "a b"
    stream = await sdk.completions.create(model=MODEL, prompt="a b c", max_tokens=2, stream=True)
    assert "".join([chunk.choices[0].text async for chunk in stream]) == "a b"


async def test_the_official_client_reads_logprobs_whole_and_streamed(
    running: Running, sdk: openai.AsyncOpenAI
) -> None:
    """SPEC 4.147"""
    asked: dict[str, Any] = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "one two three"}],
        "logprobs": True,
        "top_logprobs": 2,
    }
    whole = (await sdk.chat.completions.create(**asked)).choices[0].logprobs
    assert whole is not None and whole.content is not None
    assert "".join(one.token for one in whole.content) == "one two three"
    assert {(one.logprob, len(one.top_logprobs)) for one in whole.content} == {(-0.25, 2)}
    stream = await sdk.chat.completions.create(**asked, stream=True)
    choices = [chunk.choices[0] async for chunk in stream if chunk.choices]
    entries = [choice.logprobs.content for choice in choices if choice.logprobs is not None]
    assert [one for entry in entries for one in entry or []] == whole.content
    assert all(choice.logprobs is not None for choice in choices if choice.delta.content)


async def test_text_logprobs_are_parallel_lists(running: Running, sdk: openai.AsyncOpenAI) -> None:
    """SPEC 4.147"""
    whole = (await sdk.completions.create(model=MODEL, prompt="a bc d", logprobs=1)).choices[0].logprobs
    assert whole is not None
    assert (whole.tokens, whole.text_offset) == (["a", " bc", " d"], [0, 1, 4])
    stream = await sdk.completions.create(model=MODEL, prompt="a bc d", logprobs=1, stream=True)
    pieces = [chunk.choices[0].logprobs async for chunk in stream if chunk.choices]
    assert [piece.text_offset for piece in pieces if piece is not None] == [[0], [1], [4]]


async def test_sampling_parameters_of_the_official_client_arrive(
    running: Running, sdk: openai.AsyncOpenAI
) -> None:
    """SPEC 4.146"""
    await sdk.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "a"}],
        frequency_penalty=0.5,
        presence_penalty=-0.5,
        logit_bias={"7": -5},
        seed=3,
        response_format={"type": "json_object"},
        extra_body={"top_k": 9, "min_p": 0.1, "repetition_penalty": 1.1},
    )
    (request,) = running.pipeline.charged.values()
    assert request.sampling == Sampling(
        seed=3,
        frequency_penalty=0.5,
        presence_penalty=-0.5,
        logit_bias=((7, -5.0),),
        top_k=9,
        min_p=0.1,
        repetition_penalty=1.1,
        json_schema=ANY_OBJECT,
    )


async def test_a_stream_ends_with_done(running: Running) -> None:
    """SPEC 4.58"""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "stream": True}
    headers = {"Authorization": f"Bearer {KEY}"}
    async with running.client.post(
        f"{running.url}/v1/chat/completions", json=body, headers=headers
    ) as response:
        assert response.content_type == "text/event-stream"
        lines = (await response.text()).strip().split("\n\n")
    assert lines[-1] == "data: [DONE]"
    assert all(
        json.loads(line.removeprefix("data: "))["object"] == "chat.completion.chunk" for line in lines[:-1]
    )


async def test_a_model_comes_with_its_validity_report(running: Running) -> None:
    """SPEC 5.234"""
    async with running.client.get(f"{running.url}/v1/models/{MODEL}") as response:
        told = (await response.json())["validity"]
    assert told["kappa_ppm"] == REPORT.report.shrinkage.kappa_ppm and told["cid"] == REPORT.cid.text
    assert told["sentences"] == list(sentences(REPORT.report))


async def test_models_name_base_and_bundle(running: Running, sdk: openai.AsyncOpenAI) -> None:
    """SPEC 4.59"""
    models = [model async for model in sdk.models.list()]
    assert [model.id for model in models] == [MODEL]
    assert (models[0].parent, models[0].root) == ("smollm2", "bafkreia")  # type: ignore[attr-defined]
    assert (await sdk.models.retrieve(f"{MODEL}@2")).id == MODEL
    with pytest.raises(openai.NotFoundError):
        await sdk.models.retrieve("absent")


@pytest.mark.parametrize(
    ("key", "headers", "body", "status", "code"),
    [
        (None, {}, {}, 401, "invalid_api_key"),
        ("ol_sk_unknown", {}, {}, 401, "invalid_api_key"),
        (POOR_KEY, {}, {}, 402, "not_enough_credit"),
        (KEY, {}, {"model": "absent"}, 404, "model_not_found"),
        (KEY, {}, {"max_tokens": -1}, 400, "invalid_value"),
        (KEY, {}, {"max_tokens": 10**9}, 400, "invalid_value"),
        (KEY, {}, {"n": 10**6}, 400, "unsupported_value"),
        (KEY, {}, {"messages": [{"role": "user", "content": "x" * 5000}]}, 413, "prompt_too_long"),
        (KEY, {"x-openledger-voucher": "!!"}, {}, 400, "invalid_voucher"),
        (KEY, {"Idempotency-Key": "a b"}, {}, 400, "invalid_value"),
    ],
)
async def test_a_bad_request_is_named_and_costs_nothing(
    running: Running,
    key: str | None,
    headers: dict[str, str],
    body: dict[str, object],
    status: int,
    code: str,
) -> None:
    """SPEC 4.60, SPEC 4.61"""
    got, answer = await running.chat(key, headers, **body)
    assert got == status
    assert isinstance(answer, dict)
    assert set(answer["error"]) == {"message", "type", "code", "param"}
    assert answer["error"]["code"] == code
    assert running.pipeline.charged == {}
    assert (await running.chat())[0] == 200


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b'{"model":"a","model":"b"}', {}, 400),
        (b"[" * 100_000, {}, 400),
        (b'"' + b"x" * (2 << 20) + b'"', {}, 413),
        (gzip.compress(b"0" * (1 << 24)), {"Content-Encoding": "gzip"}, 415),
        (b"model=icd10", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b"{}", {"Content-Type": "text/plain"}, 415),
    ],
    ids=["cut off", "duplicate key", "deep", "large", "bomb", "form", "plain"],
)
async def test_a_malformed_body_is_refused_before_admission(
    running: Running, body: bytes, headers: dict[str, str], status: int
) -> None:
    """SPEC 4.60, SPEC 4.62"""
    sent = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", **headers}
    url = f"{running.url}/v1/chat/completions"
    async with running.client.post(url, data=body, headers=sent, auto_decompress=False) as response:
        assert response.status == status
        assert "error" in await response.json()
        assert response.headers["x-should-retry"] == "false"
    assert running.pipeline.charged == {}
    assert (await running.chat())[0] == 200


async def test_a_body_that_does_not_arrive_is_given_up(running: Running) -> None:
    """SPEC 4.62"""
    host, port = running.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        "Content-Length: 1000\r\n\r\n{".encode()
    )
    status = await asyncio.wait_for(reader.readline(), 5)
    assert b" 408 " in status
    writer.close()


async def test_the_same_key_is_the_same_request(running: Running, sdk: openai.AsyncOpenAI) -> None:
    """SPEC 4.54"""
    same = {"Idempotency-Key": "order-7"}
    first = await running.chat(headers=same, seed=1)
    second = await running.chat(headers=same, seed=1)
    assert first == second
    assert len(running.pipeline.charged) == 1
    status, answer = await running.chat(headers=same, seed=2)
    assert status == 409
    assert isinstance(answer, dict) and answer["error"]["code"] == "conflict"


async def test_a_failure_after_admission_forbids_a_blind_retry(
    running: Running, sdk: openai.AsyncOpenAI
) -> None:
    """SPEC 4.63: the official client, with retries on, is charged once."""
    running.pipeline.fail_after = 1
    with pytest.raises(openai.APIStatusError) as failed:
        await sdk.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "a b c"}])
    assert failed.value.status_code == 503
    assert failed.value.response.headers["x-should-retry"] == "false"
    assert len(running.pipeline.charged) == 1


async def test_with_its_own_key_a_client_may_retry(running: Running) -> None:
    """SPEC 4.63"""
    running.pipeline.fail_after = 0
    url, body = f"{running.url}/v1/completions", {"model": MODEL, "prompt": "a b", "seed": 1}
    headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": "k"}
    async with running.client.post(url, json=body, headers=headers) as response:
        assert (response.status, response.headers["x-should-retry"]) == (503, "true")
    running.pipeline.fail_after = None
    async with running.client.post(url, json=body, headers=headers) as response:
        assert response.status == 200
    assert len(running.pipeline.charged) == 1


async def test_a_failure_in_mid_stream_is_an_event_and_no_done(
    running: Running, sdk: openai.AsyncOpenAI
) -> None:
    """SPEC 4.64"""
    running.pipeline.fail_after = 1
    stream = await sdk.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "a b c"}], stream=True
    )
    assert [(await anext(stream)).choices[0].delta.content for _ in range(2)] == ["", "a"]
    with pytest.raises(openai.APIError, match="went away"):
        await anext(stream)


async def test_a_reader_that_leaves_closes_its_stream(running: Running) -> None:
    """SPEC 4.65"""
    running.pipeline.pause = asyncio.Event()
    body = {"model": MODEL, "messages": [{"role": "user", "content": "a"}], "stream": True}
    headers = {"Authorization": f"Bearer {KEY}"}
    response = await running.client.post(f"{running.url}/v1/chat/completions", json=body, headers=headers)
    await response.content.readline()
    response.close()
    running.pipeline.pause.set()
    await asyncio.wait_for(running.pipeline.closed.wait(), 5)


async def test_one_client_cannot_take_every_place(running: Running) -> None:
    """SPEC 4.66"""
    running.pipeline.pause = asyncio.Event()
    waiting = [asyncio.create_task(running.chat()) for _ in range(3)]
    async with asyncio.timeout(5):
        for _ in waiting:
            await running.pipeline.begun.get()
    url, body = f"{running.url}/v1/completions", {"model": MODEL, "prompt": "a"}
    async with running.client.post(url, json=body, headers={"Authorization": f"Bearer {KEY}"}) as response:
        assert response.status == 429
        assert 1 <= int(response.headers["Retry-After"]) <= 120
    assert (await running.chat(POOR_KEY))[0] == 402
    running.pipeline.pause.set()
    assert [status for status, _ in await asyncio.gather(*waiting)] == [200, 200, 200]
    assert (await running.chat())[0] == 200


async def test_a_full_queue_asks_to_come_back(running: Running) -> None:
    """SPEC 4.61"""
    running.pipeline.error = Busy("the queue is full", retry_after=900)
    url, body = f"{running.url}/v1/completions", {"model": MODEL, "prompt": "a"}
    async with running.client.post(url, json=body, headers={"Authorization": f"Bearer {KEY}"}) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "120")
        assert response.headers["x-should-retry"] == "true"


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_official_client_comes_back_when_a_busy_worker_said(
    running: Running, sdk: openai.AsyncOpenAI, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 4.202, 4.63: also without a key, for nothing ran, and also where it asked for a stream."""
    running.pipeline.fail_after = 0
    running.pipeline.refuses_unbegun = True
    running.pipeline.error = WorkerBusy("an adapter is still loading", status=503, retry_after=7)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        running.pipeline.fail_after = None

    monkeypatch.setattr("openai._base_client.anyio.sleep", sleep)
    asked: Any = {"model": MODEL, "messages": [{"role": "user", "content": "a b c"}], "stream": streamed}
    answer = await sdk.chat.completions.create(**asked)
    if streamed:
        said = "".join([chunk.choices[0].delta.content or "" async for chunk in answer])
    else:
        said = answer.choices[0].message.content
    assert said == "a b c" and slept == [7]


async def test_garbage_on_the_socket_leaves_the_server_up(running: Running) -> None:
    """SPEC 4.62"""
    host, port = running.url.removeprefix("http://").split(":")
    corpus = [
        b"\x00" * 64 + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"h%d: 1\r\n" % n for n in range(500)) + b"\r\n",
    ]
    for attack in corpus:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(attack)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 5)
        assert b" 200 " not in answer.split(b"\r\n")[0]
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    assert (await running.chat())[0] == 200


async def test_an_error_of_the_node_itself_tells_nothing(running: Running) -> None:
    """SPEC 4.61"""
    running.pipeline.fail_after = 0
    running.pipeline.error = WorkerUnreachable("socket /run/secret.sock refused", socket="/run/secret.sock")
    _, answer = await running.chat()
    assert isinstance(answer, dict)
    assert "facts" not in json.dumps(answer)
    assert set(answer["error"]) == {"message", "type", "code", "param"}
