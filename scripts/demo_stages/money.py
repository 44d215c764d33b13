"""Stages 7 and 8 of the demo: the node settles while the clock is moved on; then everybody claims."""

import asyncio
import json
import subprocess
import sys
import time
from typing import Any

from node.chain.keccak import keccak
from node.rewards.claims import solidity_proof
from node.store.epochs import EpochStore
from protocol.cid import parse_cid
from protocol.epoch import receipt_proof
from protocol.epoch_json import decode_statement
from protocol.hashing import from_hex, to_hex
from protocol.parameters import BURN_ACCOUNT
from protocol.receipt import solidity_tuple
from protocol.rewards import stakers_account
from scripts.demo_stages.devnet import ROOT, advance_to
from scripts.demo_stages.people import OPEN
from scripts.demo_stages.world import World, checksummed

PATIENCE_SECONDS = 240.0
POLL_SECONDS = 0.5


async def settle(world: World) -> dict[str, Any]:
    """Moves the chain's clock from window to window until everything acknowledged is under a final root."""
    owed = world.core.vouchers.best(from_hex(world.journal["channel"]["channel"], 32))
    if owed is None:
        raise RuntimeError("no voucher to settle")
    deadline = time.monotonic() + PATIENCE_SECONDS
    said = ""
    while True:
        what, wait_for = await asyncio.to_thread(_next_window, world, owed.cumulative)
        if what != said:
            world.console.say(f"   {what}")
            said = what
        if what == "final":
            break
        if time.monotonic() > deadline:
            raise TimeoutError(f"settlement stands at {what!r} after {PATIENCE_SECONDS:.0f} s")
        if wait_for is not None:
            await asyncio.to_thread(advance_to, world.chain, wait_for)
            await asyncio.to_thread(world.core.clock.refresh)
        await asyncio.sleep(POLL_SECONDS)
    return await asyncio.to_thread(_settled, world)


def _next_window(world: World, owed: int) -> tuple[str, int | None]:
    """What the settlement waits for, and until when the clock must move (None: the node is at work)."""
    settlement = world.chain.contract("EpochSettlement").functions
    number = from_hex(world.journal["channel"]["channel"], 32)
    claimed = world.core.channels.refresh(number).claimed
    genesis, length = settlement.genesis().call(), settlement.epochLength().call()
    now = world.chain.head().timestamp
    end = genesis + ((now - genesis) // length + 1) * length
    if claimed < owed:
        return "waiting for the node to claim the payer's voucher, at the end of the epoch", end - length // 8
    _, _, final_total = settlement.latestFinal().call()
    if final_total >= owed:
        return "final", None
    epoch, _, committed_total = settlement.latestCommitted().call()
    if committed_total >= owed:
        record = settlement.getCommitment(epoch).call()
        return f"epoch {epoch} committed; its challenge window runs", record[5]
    exists, pending = settlement.nextToCommit().call()
    if exists:
        return f"epoch {pending} stated; waiting for its commitment", None
    last_claim = max(claim.epoch for claim in EpochStore(world.core.database).claims())
    return f"epoch {last_claim} must end before its statement", genesis + (last_claim + 1) * length


def _settled(world: World) -> dict[str, Any]:
    """The solvency equation read back for every epoch, and one receipt verified on chain against its root."""
    settlement = world.chain.contract("EpochSettlement").functions
    store = EpochStore(world.core.database)
    before, epochs = 0, []
    for stored in store.commitments():
        record = settlement.getCommitment(stored.epoch).call()
        funded = settlement.statedTotal(stored.epoch).call()
        total, is_final = record[2], record[6]
        if total - before != funded:
            raise RuntimeError(f"epoch {stored.epoch}: {total} - {before} != {funded}")
        before = total
        epochs.append({"epoch": stored.epoch, "total": str(total), "funded": str(funded), "final": is_final})
    verified = _verify_one(world, store)
    parameters = world.chain.contract("ProtocolParameters").functions
    window = parameters.value(keccak(b"challengeWindow")).call()
    world.console.say(
        f"   total − previous total = stated funds in {len(epochs)} epochs; the devnet's window is {window} s"
    )
    return {"epochs": epochs, "total": str(before), "challenge_window": window, "verified_receipt": verified}


def _verify_one(world: World, store: EpochStore) -> str:
    settlement = world.chain.contract("EpochSettlement").functions
    for stored in reversed(store.commitments()):
        statements = [
            decode_statement(world.core.blobs.get(parse_cid(one.cid)))
            for one in store.statements(stored.epoch)
        ]
        stated = {receipt.request_id: one for one in statements for receipt in one.receipts}
        for record in world.core.receipts.page(200):
            if record.receipt.request_id not in stated:
                continue
            proof = receipt_proof(stated[record.receipt.request_id], record.receipt, keccak)
            receipt = tuple(checksummed(value) for value in solidity_tuple(record.receipt))
            if not settlement.verifyReceipt(receipt, stored.epoch, solidity_proof(proof)).call():
                raise RuntimeError("the chain does not verify a receipt of its own final root")
            return to_hex(record.receipt.request_id)
    raise RuntimeError("no receipt is under a final root")


def claim_all(world: World) -> dict[str, Any]:
    """Every earner is paid what is open: people by transfer, stakers by their pool, the burn by burning."""
    core = world.core
    stakers = stakers_account(core.node, keccak)
    paid: dict[str, int] = {}
    for earner in core.earnings.earners():
        account = earner.account
        if account == stakers:
            paid["stakers' pool"] = core.claims.claim_for_stakers(core.node)
        else:
            paid[_label(world, account)] = core.claims.claim(account)
    staking = world.chain.contract("NodeStaking")
    _, _, flowed = staking.functions.rewardDrip(checksummed(core.node)).call()
    advance_to(world.chain, flowed)
    for name in ("olga", "sam"):
        pending = staking.functions.pendingRewards(
            checksummed(core.node), checksummed(world.people.address(name))
        )
        if pending.call() > 0:
            world.transactor(name).send(staking.functions.claimRewards(checksummed(core.node)))
    standing = {name: _received(world, name) for name in _earners(world)}
    for name, amount in sorted(standing.items(), key=lambda item: -item[1]):
        world.console.say(f"   {name:<14} {amount / OPEN:>14.6f} OPEN")
    found = conservation(world)
    return {"received": {name: str(amount) for name, amount in standing.items()}, "conservation": found}


def _earners(world: World) -> dict[str, str]:
    return {_label(world, earner.account): earner.account for earner in world.core.earnings.earners()}


def _received(world: World, name: str) -> int:
    account = checksummed(_earners(world)[name])
    return int(world.chain.contract("RewardDistributor").functions.claimed(account).call())


def _label(world: World, account: str) -> str:
    known = {
        BURN_ACCOUNT: "burnt",
        stakers_account(world.core.node, keccak): "stakers' pool",
        world.core.parameters.treasury_at(world.core.parameters.current().version): "treasury",
    }
    return known.get(account, world.name_of(account))


def conservation(world: World) -> dict[str, Any]:
    """What the independent script finds on the chain; raises where a wei is missing."""
    command = [sys.executable, str(ROOT / "scripts" / "conservation.py"), "--rpc", world.url]
    command += ["--token", world.chain.deployment.address("OpenToken")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"conservation does not hold: {done.stdout}{done.stderr}")
    found = json.loads(done.stdout)
    world.console.say(
        f"   balances {found['balances']} + burnt {found['burnt']} = {found['minted']} wei minted,"
        f" over {found['holders']} accounts"
    )
    return {name: str(value) if isinstance(value, int) else value for name, value in found.items()}
