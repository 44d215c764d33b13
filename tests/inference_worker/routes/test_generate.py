"""Kinds of adapters over the worker's socket: ensembles by id or spelled out, and aLoRA by its tokens."""

import asyncio
import json

import pytest

from protocol.ensemble import Member, encode_ensemble, ensemble_cid, ensemble_of
from protocol.wire import GenerateResult
from tests.inference_worker.adapters.peft_folders import adapter_files, config_dict, files, random_pairs

HALF = 500_000


@pytest.fixture
def cids(worker):
    return [worker.shelf.put_bundle(adapter_files(seed=seed)) for seed in (1, 2)]


def spelled(*members):
    return [{"cid": cid, "ppm": ppm} for cid, ppm in members]


async def ids(worker, **changes):
    """The answer's token ids."""
    status, events = await worker.generate(**changes)
    assert status == 200, events
    return GenerateResult.from_json(events[-1][1]).output_ids


async def test_spelled_out_or_by_id_an_ensemble_is_one_adapter(worker, cids):
    """SPEC 4.214: the same answer, one load, and one entry under the id of the record."""
    members = list(zip(cids, (300_000, 700_000), strict=True))
    ensemble = ensemble_of([Member(*member) for member in members])
    first = await ids(worker, ensemble=spelled(*members))
    turned = await ids(worker, ensemble=spelled(*reversed(members)), request_id="turned")
    assert worker.shelf.put(encode_ensemble(ensemble)) == ensemble_cid(ensemble)
    named = await ids(worker, adapter_cid=ensemble_cid(ensemble), request_id="named")
    assert first == turned == named
    status = worker.services.loader.status()
    assert set(status.host) == {ensemble_cid(ensemble)}
    assert status.uses[ensemble_cid(ensemble)].loads == 1


async def test_in_company_an_ensemble_answers_as_alone(worker, cids):
    """SPEC 4.214: beside its members, the base and other weights of the same members."""
    asked = [
        {},
        {"adapter_cid": cids[0]},
        {"adapter_cid": cids[1]},
        *({"ensemble": spelled((cids[0], ppm), (cids[1], 10**6 - ppm))} for ppm in (1, 300_000, HALF)),
    ]
    options = {"temperature": 1.0, "max_tokens": 30}
    alone = [await ids(worker, request_id=f"a{n}", **one, **options) for n, one in enumerate(asked)]
    together = await asyncio.gather(
        *(ids(worker, request_id=f"t{n}", **one, **options) for n, one in enumerate(asked))
    )
    assert list(together) == alone and len(set(alone)) >= 4


async def test_weights_are_told_apart_by_what_is_kept_of_prompts(worker, cids):
    """SPEC 4.214: keys and values under other weights are other numbers."""
    metrics, prompt = worker.services.metrics, list(range(1, 100))

    def hits():
        return metrics.value("prefix_lookups_total", outcome="hit")

    for number, ppm in enumerate((HALF, HALF + 1, HALF)):
        await ids(
            worker,
            request_id=str(number),
            prompt=None,
            prompt_ids=prompt,
            tenant="t",
            ensemble=spelled((cids[0], ppm), (cids[1], 10**6 - ppm)),
        )
        assert hits() == (number == 2)


BAD = {
    "one member": lambda a, b: spelled((a, 10**6)),
    "nothing": lambda a, b: [],
    "twice the same": lambda a, b: spelled((a, HALF), (a, HALF)),
    "too little": lambda a, b: spelled((a, HALF), (b, HALF - 1)),
    "too much": lambda a, b: spelled((a, HALF), (b, HALF + 1)),
    "no weight": lambda a, b: spelled((a, 10**6), (b, 0)),
    "a fraction": lambda a, b: spelled((a, 0.5), (b, 0.5)),
    "too many": lambda a, b: spelled(*[(a, 111_111)] * 9),
    "no content id": lambda a, b: spelled((a, HALF), ("../../etc/passwd", HALF)),
    "another field": lambda a, b: [{**one, "scale": 1} for one in spelled((a, HALF), (b, HALF))],
    "an object": lambda a, b: {"members": spelled((a, HALF), (b, HALF))},
}


@pytest.mark.parametrize("name", BAD)
async def test_lists_that_are_no_ensemble_are_refused_by_name(worker, cids, name):
    """SPEC 4.215: before anything is fetched."""
    status, refusal = await worker.generate(ensemble=BAD[name](*cids))
    assert status == 400 and "ensemble" in refusal["message"]
    assert not worker.shelf.fetches


async def test_an_adapter_and_an_ensemble_are_not_both_asked_for(worker, cids):
    """SPEC 4.215"""
    both = spelled((cids[0], HALF), (cids[1], HALF))
    status, refusal = await worker.generate(adapter_cid=cids[0], ensemble=both)
    assert status == 400 and "name one of them" in refusal["message"]


async def test_a_member_that_cannot_be_served_is_named(worker, cids):
    """SPEC 4.215: and the worker goes on."""
    bad = worker.shelf.put_bundle({**adapter_files(seed=3), "adapter_config.json": b"{"})
    status, refusal = await worker.generate(ensemble=spelled((cids[0], HALF), (bad, HALF)))
    assert (status, refusal["code"]) == (422, "ensemble_member_refused") and bad in refusal["message"]
    wide = [worker.shelf.put_bundle(adapter_files(seed=9 + n, rank=64)) for n in range(3)]
    members = list(zip(wide, (400_000, 300_000, 300_000), strict=True))
    status, refusal = await worker.generate(ensemble=spelled(*members), request_id="wide")
    assert (status, refusal["code"]) == (422, "adapter_over_cap") and "128" in refusal["message"]
    assert await ids(worker, adapter_cid=cids[0], request_id="after")


async def test_alora_answers_from_its_tokens_on_and_shares_the_base(worker):
    """SPEC 4.210, 4.211: the base has read the prompt; the specialist runs only what comes after."""
    config = config_dict(alora_invocation_tokens=[7, 8])
    cid = worker.shelf.put_bundle(files(random_pairs(3, 8), config))
    context = [n % 250 + 10 for n in range(200)]
    asked = {"prompt": None, "tenant": "t", "max_tokens": 12}
    metrics = worker.services.metrics
    base = await ids(worker, prompt_ids=context, **asked)
    assert await ids(worker, prompt_ids=context, adapter_cid=cid, request_id="uninvoked", **asked) == base
    kept = metrics.value("prefix_positions_total")
    assert kept == 128
    invoked = {"prompt_ids": [*context, 7, 8], **asked}
    adapted = await ids(worker, adapter_cid=cid, request_id="invoked", **invoked)
    assert metrics.value("prefix_positions_total") == 2 * kept
    assert adapted != await ids(worker, request_id="base", **invoked)
    fresh = await ids(worker, adapter_cid=cid, request_id="fresh", **{**invoked, "tenant": "u"})
    assert fresh == adapted and json.loads((await worker.call("GET", "/quarantine"))[1])["refused"] == []
