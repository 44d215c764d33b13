"""Stages 4 to 6 of the demo: the node stakes, a payer opens a channel, questions are asked and paid for."""

import asyncio
import json
import os
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import bm25s
from openai import AsyncOpenAI

from node.chain.keccak import keccak
from node.chain.signer import authorization_digest, recover_receipt, staking_domain
from node.receipts.log import AnswerRecord
from node.staking.position import Staking
from protocol.cid import parse_cid
from protocol.eip712 import channels_domain, receipts_domain
from protocol.hashing import from_hex, to_hex
from protocol.lanes import Lane
from protocol.manifest import decode_manifest
from protocol.receipt import Channel, channel_id, solidity_tuple
from protocol.types import TOTAL_PPM
from scripts.demo_stages.material import Question, questions
from scripts.demo_stages.people import OPEN
from scripts.demo_stages.world import World, checksummed

STAKE_OLGA = 2_000 * OPEN
STAKE_SAM = 1_000 * OPEN
DEPOSIT = 500 * OPEN
CAP = 400 * OPEN
YEAR = 365 * 86_400
WITHDRAW_DELAY = 3_600
IN_FLIGHT = 4
MAX_TOKENS = 12
RETRIEVED = 3
CHAT = "What is the capital of France?"


@dataclass(frozen=True)
class Asked:
    """One paid question and what the receipt says; shares in ppm by person."""

    request_id: str
    question: Question
    text: str
    price: int
    shares: dict[str, int]
    unattributed: int

    @property
    def first(self) -> str:
        """Who ranks first among the contributors, "" where nobody does."""
        return max(self.shares, key=lambda name: (self.shares[name], name), default="")


def join(world: World) -> dict[str, Any]:
    """Olga stakes, names her receipt signer and encryption key; Sam stakes behind her."""
    core, staking = world.core, world.chain.contract("NodeStaking")
    position = core.staking.position(core.node, core.node)
    if position.staked < STAKE_OLGA:
        core.staking.stake(core.node, STAKE_OLGA - position.staked)
    signer = world.people["receipts"]
    if not core.staking.is_signer(core.node, signer.address):
        deadline = core.clock() + YEAR
        domain = staking_domain(world.chain.chain_id, world.chain.deployment.address("NodeStaking"))
        proof = signer.sign_digest(authorization_digest(core.node, signer.address, deadline, domain))
        core.staking.authorise_signer(signer.address, deadline, proof)
    if bytes(staking.functions.encryptionKey(checksummed(core.node)).call()) != world.reader:
        core.transactor.send(staking.functions.setEncryptionKey(world.reader))
    _stake_sam(world)
    total = core.staking.position(core.node, core.node).node_total
    world.console.say(f"   Olga and Sam stake {total // OPEN} OPEN behind node {core.node}")
    return {"node": core.node, "stake": str(total)}


def _stake_sam(world: World) -> None:
    sam = Staking(
        world.chain.contract("NodeStaking"), world.chain.contract("OpenToken"), world.transactor("sam")
    )
    if sam.position(world.core.node, world.people.address("sam")).staked < STAKE_SAM:
        sam.stake(world.core.node, STAKE_SAM)


def open_channel(world: World) -> dict[str, Any]:
    """Paul deposits, and authorises an API key's session signer up to a cap."""
    channels, token = world.chain.contract("PaymentChannels"), world.chain.contract("OpenToken")
    paul = world.transactor("paul")
    channel = Channel(paul.address, world.core.node, WITHDRAW_DELAY, keccak(b"the demo's channel"))
    domain = channels_domain(world.chain.chain_id, world.chain.deployment.address("PaymentChannels"))
    number = channel_id(channel, domain, keccak)
    if int(channels.functions.getChannel(number).call()[0], 16) == 0:
        paul.send(token.functions.approve(channels.address, DEPOSIT))
        opened = (
            checksummed(channel.payer),
            checksummed(channel.payee),
            channel.withdraw_delay,
            channel.salt,
        )
        paul.send(channels.functions.open(opened, DEPOSIT))
    key_file = world.state / "api-key"
    if not key_file.exists():
        api_key, session = world.core.sessions.create(number, world.core.clock())
        paul.send(
            channels.functions.authorizeSigner(
                number, checksummed(session.signer), CAP, world.core.clock() + YEAR
            )
        )
        _write_secret(key_file, api_key)
    world.console.say(f"   Paul deposits {DEPOSIT // OPEN} OPEN; his API key may spend {CAP // OPEN} of it")
    return {"channel": to_hex(number), "deposit": str(DEPOSIT)}


def client(world: World) -> AsyncOpenAI:
    """The official client, with Paul's API key."""
    key = (world.state / "api-key").read_text()
    return AsyncOpenAI(base_url=f"{world.api}/v1", api_key=key, max_retries=2, timeout=120)


async def serve(world: World) -> dict[str, Any]:
    """Base and specialist asked at the same time, one of them streamed."""
    base, specialist = world.journal["models"]["base_name"], world.journal["models"]["name"]
    question = questions(world.size)[0]
    asker = client(world)
    began = time.monotonic()
    streamed, plain = await asyncio.gather(
        _streamed(asker, base, CHAT, f"run-{world.run}-base"),
        answer(asker, specialist, question.prompt, f"run-{world.run}-first"),
    )
    seconds = time.monotonic() - began
    models = [model.id async for model in asker.models.list()]
    world.console.say(f"   base, streamed:  {streamed[:70]!r}")
    world.console.say(
        f"   specialist:      {plain.choices[0].message.content!r}  (true: {question.completion})"
    )
    return {"models": models, "streamed_characters": len(streamed), "seconds": round(seconds, 2)}


async def _streamed(asker: AsyncOpenAI, model: str, text: str, key: str) -> str:
    parts = []
    stream = await asker.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": text}],
        max_tokens=24,
        temperature=0,
        stream=True,
        extra_headers={"Idempotency-Key": key},
    )
    async for chunk in stream:
        parts.extend(choice.delta.content or "" for choice in chunk.choices)
    return "".join(parts)


async def answer(asker: AsyncOpenAI, model: str, text: str, key: str) -> Any:
    return await asker.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": text}],
        max_tokens=MAX_TOKENS,
        temperature=0,
        extra_headers={"Idempotency-Key": key},
    )


async def ask_with_rows(world: World) -> dict[str, Any]:
    """The first held-out question once more, with open rows of the Datanet in the prompt."""
    question = questions(world.size)[0]
    reply = await client(world).chat.completions.create(
        model=world.journal["models"]["name"],
        messages=[{"role": "user", "content": question.prompt}],
        max_tokens=MAX_TOKENS,
        temperature=0,
        extra_headers={"Idempotency-Key": f"run-{world.run}-with-rows"},
        extra_body={"openledger": {"retrieve": RETRIEVED}},
    )
    told = reply.openledger
    record = await settled(world, told["request_id"])
    earned = {entry.row: entry.ppm for entry in record.report.entries if entry.lane is Lane.RETRIEVAL}
    world.console.say(
        f"   with {len(told['retrieved'])} rows in the prompt: {record.text.strip()!r}"
        f"  (true: {question.completion}); {len(earned)} of them made it likelier than drawn rows do,"
        f" for {sum(earned.values()) / 10_000:.1f} % of the data's part"
    )
    return {"request_id": told["request_id"], "retrieved": told["retrieved"], "earned_ppm": earned}


async def ask_all(world: World) -> list[Asked]:
    """Every held-out question, a few in flight at a time; repeating a run costs nothing more."""
    asker, model = client(world), world.journal["models"]["name"]
    limit, done = asyncio.Semaphore(IN_FLIGHT), 0
    wanted = questions(world.size)
    began = time.monotonic()

    async def ask(place: int, question: Question) -> Asked:
        nonlocal done
        async with limit:
            reply = await answer(asker, model, question.prompt, f"run-{world.run}-held-out-{place}")
            record = await settled(world, reply.openledger["request_id"])
        done += 1
        left = (time.monotonic() - began) / done * (len(wanted) - done)
        world.console.progress(
            done, len(wanted), f"{' '.join(record.text.split())[:10]:<10} true {question.completion}", left
        )
        return asked(world, question, record)

    return list(await asyncio.gather(*(ask(place, question) for place, question in enumerate(wanted))))


async def settled(world: World, request_id: str) -> AnswerRecord:
    """The receipt's record once it is signed."""
    number = from_hex(request_id, 32)
    await world.core.pipeline.settled(number)
    record = await asyncio.to_thread(world.core.receipts.record, number)
    if record is None or record.signature is None:
        raise RuntimeError(f"no signed receipt for {request_id}")
    return record


def asked(world: World, question: Question, record: AnswerRecord) -> Asked:
    """What one receipt says about a question."""
    shares: Counter[str] = Counter()
    for entry in record.report.entries:
        shares[world.name_of(entry.owner)] += entry.ppm
    return Asked(
        request_id=to_hex(record.receipt.request_id),
        question=question,
        text=record.text,
        price=record.receipt.price,
        shares=dict(shares),
        unattributed=record.report.unattributed_ppm,
    )


def recomputed(world: World, request_id: str) -> dict[str, Any]:
    """What came of computing one answer's attribution anew, as the button on its page does."""
    url = f"{world.api}/v1/attribution/{request_id}/recompute"
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=300) as response:
        body = json.loads(response.read())
    agreeing = sum(one["agrees"] is True for one in body["findings"])
    world.console.say(f"   computed anew: {agreeing} of {len(body['findings'])} findings agree")
    return {"agrees": body["agrees"], "findings": len(body["findings"])}


def attribution(world: World, answers: Sequence[Asked]) -> dict[str, Any]:
    """How often the chapter's honest owner ranks first, beside BM25 over the same rows; who drew how much."""
    ranked = sum(one.first == one.question.owner for one in answers)
    totals: Counter[str] = Counter()
    for one in answers:
        totals.update(one.shares)
    whole = len(answers) * TOTAL_PPM
    return {
        "questions": len(answers),
        "owner_first": ranked,
        "owner_first_share": round(ranked / len(answers), 4),
        "bm25_owner_first_share": round(_bm25_first(world, answers) / len(answers), 4),
        "exact_codes": sum(one.text.strip() == one.question.completion for one in answers),
        "share_ppm_by_person": {name: total * TOTAL_PPM // whole for name, total in sorted(totals.items())},
        "copier_ppm": totals["carol"] * TOTAL_PPM // whole,
        "noise_ppm": totals["dave"] * TOTAL_PPM // whole,
        "unattributed_ppm": sum(one.unattributed for one in answers) // len(answers),
        "answers": [asdict(one) for one in answers],
    }


def _bm25_first(world: World, answers: Sequence[Asked]) -> int:
    """How often the owner of the BM25-nearest row is the chapter's."""
    cid = parse_cid(world.journal["datanet"]["manifest_cid"])
    manifest = decode_manifest(world.core.blobs.get(cid))
    texts, owners = [], []
    for entry, plain in zip(manifest.rows, world.vault.plaintext_rows(manifest), strict=True):
        texts.append(plain.row.prompt)
        owners.append(world.name_of(manifest.rows[entry.cluster].owner))
    retriever = bm25s.BM25()
    retriever.index(bm25s.tokenize(texts, show_progress=False), show_progress=False)
    asked_for = bm25s.tokenize([one.question.prompt for one in answers], show_progress=False)
    nearest, _ = retriever.retrieve(asked_for, k=1, show_progress=False)
    return sum(owners[int(row[0])] == one.question.owner for row, one in zip(nearest, answers, strict=True))


def receipts(world: World) -> dict[str, Any]:
    """Every receipt's signature recovered; one of them submitted to the chain by itself."""
    count, total = world.core.receipts.totals()
    domain = receipts_domain(world.chain.chain_id, world.chain.deployment.address("EpochSettlement"))
    records = world.core.receipts.page(count)
    for record in records:
        signer = recover_receipt(record.receipt, record.signature or b"", domain)
        if signer != world.people.address("receipts"):
            raise RuntimeError(f"receipt {to_hex(record.receipt.request_id)} was signed by {signer}")
    newest = records[0]
    settlement = world.chain.contract("EpochSettlement")
    world.transactor("paul").send(
        settlement.functions.submitReceipt(_receipt_tuple(newest), newest.signature)
    )
    best = world.core.vouchers.best(from_hex(world.journal["channel"]["channel"], 32))
    world.console.say(
        f"   {len(records)} signatures recovered; receipt {newest.receipt.seq} submitted on chain by itself"
    )
    return {
        "receipts": count,
        "total": str(total),
        "acknowledged": str(best.cumulative if best else 0),
        "submitted": to_hex(newest.receipt.request_id),
    }


def _receipt_tuple(record: AnswerRecord) -> tuple[Any, ...]:
    return tuple(checksummed(value) for value in solidity_tuple(record.receipt))


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
