"""A scene of tests/protocol/scenes.py put on chain: its rows, model and statement, and proofs against it."""

from dataclasses import replace
from typing import Any

from eth_utils.address import to_checksum_address
from web3.contract.contract import ContractFunction

from node.chain.keccak import keccak
from protocol.manifest import manifest_root, rows_root
from protocol.report_evidence import ChainFacts, FaultProof, Opened, abi
from protocol.tokens import row_chunks_root
from tests.contracts.datanets import create, publish, registry
from tests.contracts.epochs import Ledger
from tests.contracts.models.test_model_registry import TOKENIZER, register_base, register_model
from tests.contracts.world import World
from tests.protocol.scenes import KEY, REGISTERED_SPAN, Scene

PAID = 7


def put_rows(world: World, scene: Scene) -> None:
    """Registers the scene's version with its token chunks, and a model upon it."""
    datanet = create(world, "curator")
    roots = {"root": manifest_root(scene.manifest, keccak), "rows_root": rows_root(scene.manifest, keccak)}
    version = publish(world, datanet, "curator", rows=len(scene.rows), **roots)
    assert (datanet << 64) | version == KEY
    chunks, count = row_chunks_root(scene.rows, keccak)
    call = registry(world).functions.registerTokenChunks(datanet, version, TOKENIZER, chunks, count)
    world.send(call, "curator")
    model = register_model(
        world,
        register_base(world),
        datanetVersionKey=KEY,
        minSpanTokens=REGISTERED_SPAN,
        indexDigest=scene.facts.index_digest,
    )
    assert model == 1


def fund_epoch(ledger: Ledger, node: str = "node") -> int:
    """The node earns something in an epoch that is then over."""
    epoch = ledger.earn(node, PAID)
    ledger.world.pass_to(ledger.end_of(epoch))
    return epoch


def state(ledger: Ledger, epoch: int, receipts_root: bytes, node: str = "node") -> None:
    """The node states the epoch under this root of receipts."""
    ledger.publish(ledger.statement(epoch, node, {"contributor": PAID}), node, receiptsRoot=receipts_root)


def stand(ledger: Ledger, epoch: int, made: Scene, one: Opened) -> Opened:
    """The report stated in `epoch`."""
    state(ledger, epoch, facts_on_chain(ledger.world, made, one).receipts_root)
    return replace(one, epoch=epoch)


def call_of(world: World, proof: FaultProof) -> ContractFunction:
    """The proof as a call."""
    arguments = [checksummed(abi(one)) for one in proof.arguments]
    return world.contract(proof.judge).functions[proof.function](*arguments)


def checksummed(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(checksummed(one) for one in value)
    if isinstance(value, list):
        return [checksummed(one) for one in value]
    return to_checksum_address(value) if isinstance(value, str) else value


def facts_on_chain(world: World, scene: Scene, one: Opened) -> ChainFacts:
    return scene.facts_of(one, notice=world.settings.epoch_length)
