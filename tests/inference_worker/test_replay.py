"""An answer is checked by asking again: a receipt holds for the record that drew its answer and for no other.

The node that answers and whoever replays are two workers over the same base; what the replaying one is told
is what a receipt states and its payer can open.
"""

import asyncio
from dataclasses import dataclass, fields, replace

import pytest
from eth_hash.auto import keccak

from protocol.receipt import Receipt, output_root, prompt_digest
from protocol.sampling import Sampling, sampling_digest
from protocol.wire import GenerateResult
from tests.inference_worker.adapters.peft_folders import adapter_files
from tests.inference_worker.running_worker import running_worker
from tests.protocol.records import receipt as any_receipt

SALT = b"\7" * 32
DRAWN = Sampling(
    temperature=1.3,
    top_p=0.95,
    seed=11,
    stop=("\x00never",),
    top_k=200,
    min_p=0.001,
    frequency_penalty=0.5,
    presence_penalty=0.25,
    repetition_penalty=1.1,
    logit_bias=((65, 1.5), (66, -2.0)),
)
SCHEMA = (
    '{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}'
)
# Another value for each field that fixes an answer.
CHANGES = {
    "temperature": 1.2,
    "top_p": 0.9,
    "seed": 12,
    "stop": ("\x00ever",),
    "top_k": 199,
    "min_p": 0.002,
    "frequency_penalty": 0.4,
    "presence_penalty": 0.0,
    "repetition_penalty": 1.2,
    "logit_bias": ((65, 1.5),),
    "json_schema": SCHEMA,
}


@dataclass(frozen=True)
class Opened:
    """What the payer adds to a receipt so that it can be replayed."""

    prompt_ids: tuple[int, ...]
    sampling: Sampling
    max_tokens: int
    adapter_cid: str | None


async def ask(worker, opened, request_id="asked"):
    status, events = await worker.generate(
        prompt=None,
        prompt_ids=list(opened.prompt_ids),
        max_tokens=opened.max_tokens,
        adapter_cid=opened.adapter_cid,
        request_id=request_id,
        sampling=opened.sampling.to_json(),
    )
    assert status == 200, events
    return GenerateResult.from_json(events[-1][1])


def stated(result: GenerateResult, opened: Opened) -> Receipt:
    """A receipt as a node makes it of an answer."""
    sampling = sampling_digest(opened.sampling, opened.max_tokens, keccak)
    return replace(
        any_receipt(),
        prompt_digest=prompt_digest(opened.prompt_ids, sampling, SALT, keccak),
        output_root=output_root(result.output_ids, keccak),
        profile_id=result.profile_id,
        output_tokens=len(result.output_ids),
    )


async def disagreements(worker, receipt: Receipt, opened: Opened) -> set[str]:
    """The fields of a receipt that asking again contradicts."""
    again = stated(await ask(worker, opened, "replayed"), opened)
    return {f.name for f in fields(receipt) if getattr(receipt, f.name) != getattr(again, f.name)}


@pytest.fixture
async def other(weights, tmp_path):
    """Whoever replays, with a worker of its own."""
    (tmp_path / "other").mkdir()
    async with running_worker(weights, tmp_path / "other") as running:
        yield running


def opened_for(*workers, sampling=DRAWN, seed=1):
    files = adapter_files(seed=seed)
    (cid,) = {worker.shelf.put_bundle(files) for worker in workers}
    return Opened(tuple(range(65, 85)), sampling, 24, cid)


@pytest.mark.parametrize(
    "sampling", [DRAWN, Sampling(0.0), Sampling(seed=3), Sampling(seed=5, json_schema=SCHEMA)], ids=range(4)
)
async def test_an_honest_receipt_holds_on_another_worker_in_another_batch(worker, other, sampling):
    """SPEC 4.204"""
    opened = opened_for(worker, other, sampling=sampling)
    receipt = stated(await ask(worker, opened), opened)
    beside = replace(opened, prompt_ids=tuple(range(40, 90)), adapter_cid=None, max_tokens=60)
    others = [asyncio.create_task(ask(other, beside, f"beside-{n}")) for n in range(3)]
    assert await disagreements(other, receipt, opened) == set()
    await asyncio.gather(*others)


def test_every_field_that_fixes_an_answer_is_tried():
    """SPEC 4.204: a new field of the record must join the test below; logprobs only tell more."""
    assert set(CHANGES) == {f.name for f in fields(Sampling)} - {"logprobs"}


@pytest.mark.parametrize("field", CHANGES)
async def test_a_receipt_fails_under_any_other_record(worker, field):
    """SPEC 4.204"""
    opened = opened_for(worker)
    if field == "json_schema":
        opened = replace(opened, sampling=replace(DRAWN, stop=()))
    receipt = stated(await ask(worker, opened), opened)
    other = replace(opened, sampling=replace(opened.sampling, **{field: CHANGES[field]}))
    assert "prompt_digest" in await disagreements(worker, receipt, other)
    assert await disagreements(worker, receipt, replace(opened, max_tokens=25)) >= {"prompt_digest"}
    told = replace(opened, sampling=replace(opened.sampling, logprobs=2))
    assert await disagreements(worker, receipt, told) == set()


@pytest.mark.parametrize(
    "change", [{"seed": 12}, {"temperature": 0.2}, {"logit_bias": ()}, {"repetition_penalty": 3.0}], ids=str
)
async def test_a_node_that_drew_otherwise_than_it_states_is_found_out(worker, other, change):
    """SPEC 4.204: its digest is that of the record asked for, its answer is not."""
    opened = opened_for(worker, other)
    drawn = await ask(worker, replace(opened, sampling=replace(DRAWN, **change)))
    assert await disagreements(other, stated(drawn, opened), opened) >= {"output_root"}


async def test_another_adapter_or_another_token_is_found_out(worker, other):
    """SPEC 4.204"""
    opened, base = opened_for(worker, other), None
    result = await ask(worker, opened)
    for cheaper in (base, worker.shelf.put_bundle(adapter_files(seed=2))):
        lie = await ask(worker, replace(opened, adapter_cid=cheaper), f"lie-{cheaper}")
        assert await disagreements(other, stated(lie, opened), opened) >= {"output_root"}
    changed = (*result.output_ids[:-1], result.output_ids[-1] ^ 1)
    forged = stated(replace(result, output_ids=changed), opened)
    assert await disagreements(other, forged, opened) == {"output_root"}
    assert await disagreements(other, stated(result, opened), opened) == set()
