"""The demo from start to end: chain, node, nine stages, the table, the site."""

import asyncio
import contextlib
import shutil
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.demo_stages import datanet, models, money, serving, training, votes
from scripts.demo_stages.console import Console
from scripts.demo_stages.devnet import deploy, start_chain
from scripts.demo_stages.journal import Journal
from scripts.demo_stages.machine import configuration, running_node
from scripts.demo_stages.material import Size
from scripts.demo_stages.people import OPEN, READER, READER_KEY, READER_OPEN, gather
from scripts.demo_stages.world import World


@dataclass(frozen=True)
class Options:
    """What the command line asked for; `stay` keeps the site up until Ctrl-C."""

    state: Path
    rpc: str
    ipfs: str
    size: Size
    port: int
    fresh: bool
    stay: bool


async def run(options: Options, console: Console) -> dict[str, Any]:
    """The whole demo; returns one entry for each stage."""
    if options.fresh:
        shutil.rmtree(options.state, ignore_errors=True)
    options.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with _world(options, console) as world:
        results = await _stages(world)
        _summary(world, results)
        if options.stay:
            await _until_interrupted(world)
        return results


@contextlib.asynccontextmanager
async def _world(options: Options, console: Console) -> AsyncIterator[World]:
    journal = Journal(options.state / "journal.json")
    with console.step("chain"):
        devnet = await asyncio.to_thread(start_chain, options.state, options.rpc)
    try:
        config = configuration(options.state, devnet.url, options.port)
        people = await asyncio.to_thread(gather, config)
        with console.step("contracts, compiled and deployed by Brownie"):
            chain = await asyncio.to_thread(deploy, devnet, options.state, people)
        console.say(f"   chain {chain.chain_id} at {devnet.url}: a development chain, worth nothing")
        async with running_node(config, people, console) as node:
            number = journal["run"] if "run" in journal else 1  # noqa: SIM401 (no dict)
            world = World(
                state=options.state,
                size=options.size,
                console=console,
                journal=journal,
                people=people,
                core=node.core,
                vault=node.vault,
                reader=node.reader,
                api=node.url,
                url=devnet.url,
                run=number,
                ipfs=options.ipfs,
            )
            try:
                yield world
            finally:
                world.close()
    finally:
        devnet.stop()


async def _stages(world: World) -> dict[str, Any]:
    say = world.console.heading
    say(1, "datanet", "rows become reviewed contributions and an immutable version")
    first = await world.once("datanet", lambda: asyncio.to_thread(datanet.run, world))
    await world.once("pinned", lambda: asyncio.to_thread(datanet.mirror, world))
    say(2, "training", "a version and a base model become an adapter, its index and its evaluation")
    await world.once("staked", lambda: asyncio.to_thread(serving.join, world))
    second = await world.once("training", lambda: training.train(world))
    say(3, "models", "the bundle becomes a registered model")
    third = await world.once("models", lambda: models.register(world))
    await world.once("channel", lambda: asyncio.to_thread(serving.open_channel, world))
    say(4, "serving", "prompts become completions, over one resident base")
    fourth = await world.once("serving", lambda: serving.serve(world), every_run=True)
    say(5, "attribution", "prompt and completion become shares by contribution")
    fifth = await world.once("attribution", lambda: _attribute(world), every_run=True)
    say(6, "receipts", "job and shares become a signed receipt and a voucher")
    sixth = await world.once("receipts", lambda: asyncio.to_thread(serving.receipts, world), every_run=True)
    say(7, "settlement", "the receipts of an epoch become a final root")
    seventh = await world.once("settlement", lambda: money.settle(world), every_run=True)
    say(8, "rewards", "the final root becomes claims")
    eighth = await world.once("rewards", lambda: asyncio.to_thread(money.claim_all, world), every_run=True)
    await world.once("bonds", lambda: asyncio.to_thread(datanet.return_bonds, world))
    say(9, "governance", "a vote becomes a parameter that the running node obeys")
    ninth = await world.once("governance", lambda: votes.govern(world), every_run=True)
    world.journal.record("run", world.run + 1)
    return dict(
        zip(STAGES, (first, second, third, fourth, fifth, sixth, seventh, eighth, ninth), strict=True),
        site=world.api,
        conservation=await asyncio.to_thread(money.conservation, world),
    )


STAGES = (
    "datanet",
    "training",
    "models",
    "serving",
    "attribution",
    "receipts",
    "settlement",
    "rewards",
    "governance",
)


async def _attribute(world: World) -> dict[str, Any]:
    answers = await serving.ask_all(world)
    found = await asyncio.to_thread(serving.attribution, world, answers)
    world.console.say(
        f"   the chapter's honest owner ranks first in {found['owner_first']} of {found['questions']}"
        f" (BM25: {round(found['bm25_owner_first_share'] * found['questions'])});"
        f" copier {found['copier_ppm']} ppm, noise {found['noise_ppm'] / 10_000:.2f} %,"
        f" unattributed {found['unattributed_ppm'] / 10_000:.1f} %"
    )
    recomputed = await asyncio.to_thread(serving.recomputed, world, answers[0].request_id)
    return found | {"recomputed": recomputed, "with_rows": await serving.ask_with_rows(world)}


def _summary(world: World, results: dict[str, Any]) -> None:
    console, evaluation = world.console, results["training"]["evaluation"]
    console.say("")
    received = results["rewards"]["received"]
    table = (
        ("1 datanet", str(results["datanet"]["rows"]), "rows in the version on chain"),
        (
            "2 training",
            f"{evaluation['specialist_mrr_ppm'] / 1e6:.3f}",
            f"mean reciprocal rank of the true code (base {evaluation['base_mrr_ppm'] / 1e6:.3f})",
        ),
        ("3 models", str(results["models"]["model_id"]), "is the specialist's number in the registry"),
        ("4 serving", str(len(results["serving"]["models"])), "models over one resident base"),
        (
            "5 attribution",
            f"{results['attribution']['owner_first_share']:.0%}",
            "of answers name the honest owner first"
            f" (BM25 {results['attribution']['bm25_owner_first_share']:.0%})",
        ),
        ("6 receipts", str(results["receipts"]["receipts"]), "signed, each recovered to the node's signer"),
        ("7 settlement", f"{int(results['settlement']['total']) / OPEN:.4f}", "OPEN under final roots"),
        (
            "8 rewards",
            f"{sum(map(int, received.values())) / OPEN:.4f}",
            f"OPEN claimed by {len(received)} earners, to the wei",
        ),
        ("9 governance", str(results["governance"]["version_after"]), "is the parameters version now obeyed"),
    )
    console.table(table)
    console.say(f"\n   {evaluation['verdict']}")
    console.say(f"   site: {world.api}/")


async def _until_interrupted(world: World) -> None:
    world.console.say(f"   to act with a wallet: chain {world.url}, devnet account {READER},")
    world.console.say(f"   key {READER_KEY} (known to everyone; holds {READER_OPEN} demo OPEN)")
    world.console.say("   Ctrl-C ends it")
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    await stopped.wait()
