"""An audit of one epoch: receipts drawn by public randomness are recomputed, and rows of their indexes.

It reads the node's own records beside the running node. Answers of other nodes are drawn like any, and said
to be closed, since only who paid can open them.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from node.api.recheck_source import stored_case
from node.attribution.attributor import Versions
from node.attribution.findings import Finding, finding
from node.attribution.recomputation import Recomputation
from node.attribution.revocations import revocations_by
from node.blobs.store import BlobStore
from node.chain.keccak import keccak
from node.chain.rpc import Chain
from node.cli.access import open_chain
from node.cli.audit_report import AuditReport, open_report
from node.cli.recheck_worker import OneWorker, given_worker
from node.config import Config
from node.errors import NotFound, OpenLedgerError, Unavailable
from node.governance.parameters import ParameterMirror
from node.models.contracts import ModelContracts
from node.serving.model import ServedModel, Source
from node.store.blocks import BlockTable
from node.store.database import Database, open_database
from node.store.epochs import EpochStore
from node.store.jobs import JobStore
from node.store.receipts import ReceiptStore
from node.training.bundle import read_bundle
from node.training.index_tree import index_tree, read_listing, row_numbers
from protocol.audit import audit_seed, record_signs, sample_size, sampled_receipts, sampled_rows
from protocol.cid import parse_cid
from protocol.epoch_json import decode_statement
from protocol.receipt import Receipt, hash_receipt
from protocol.tolerance import Tier, signs_tier
from protocol.wire import RowsRequest

ROWS_AT_ONCE = 8
DEFAULT_LENGTH = 256


@dataclass(frozen=True)
class Scope:
    """What is drawn: a part of an epoch's receipts (ppm, `least` at least), and rows of each of their
    indexes.
    """

    epoch: int
    receipts_ppm: int
    least: int
    rows: int


@dataclass(frozen=True)
class Drawn:
    """The receipts drawn, of how many, under which seed; nodes whose statements are not here."""

    seed: bytes
    receipts: tuple[Receipt, ...]
    listed: int
    absent: tuple[str, ...]

    def facts(self, scope: Scope) -> dict[str, object]:
        """What a report names its sample by."""
        return {
            "epoch": scope.epoch,
            "seed": "0x" + self.seed.hex(),
            "listed": self.listed,
            "receipts": [f"0x{one.request_id.hex()}" for one in self.receipts],
            "rows": scope.rows,
            "absent": list(self.absent),
        }


def draw(scope: Scope, database: Database, chain: Chain) -> Drawn:
    """The sample of an epoch. Raises NotFound where it is not committed, Unavailable before the block after
    its commitment.
    """
    epochs, blobs = EpochStore(database), BlobStore(BlockTable(database))
    commitment = epochs.commitment(scope.epoch)
    if commitment is None:
        raise NotFound("this epoch has no commitment yet", epoch=scope.epoch)
    if chain.head().number <= commitment.block:
        raise Unavailable("the sample is drawn from the next block; wait for it", block=commitment.block + 1)
    block_hash = bytes(chain.web3.eth.get_block(commitment.block + 1)["hash"])
    seed = audit_seed(scope.epoch, block_hash, keccak)
    listed, absent = {}, []
    for statement in epochs.statements(scope.epoch):
        try:
            found = decode_statement(blobs.get(parse_cid(statement.cid))).receipts
        except (NotFound, ValueError):
            absent.append(statement.node)
            continue
        listed.update({hash_receipt(receipt, keccak): receipt for receipt in found})
    size = sample_size(len(listed), scope.receipts_ppm, scope.least)
    chosen = sampled_receipts(listed, seed, size, keccak)
    return Drawn(seed, tuple(listed[one] for one in chosen), len(listed), tuple(absent))


def run_audit(
    config: Config,
    scope: Scope,
    path: Path,
    socket: Path,
    token_file: Path,
    say: Callable[[int, int, str], None],
) -> tuple[Finding, ...]:
    """Draw, work through, and give every finding; the report is at `path`."""
    chain = open_chain(config)
    database = open_database(config.node.data_dir / "node.sqlite")
    drawn = draw(scope, database, chain)
    report = open_report(path, drawn.facts(scope))

    async def work() -> None:
        async with given_worker(socket, token_file) as worker:
            await Audit(database, chain, worker, say).run(scope, drawn, report)

    asyncio.run(work())
    absent = [Finding("statement", None, "here", f"node {node}'s is not") for node in drawn.absent]
    return (*absent, *report.findings())


class Audit:
    """Works through a sample. `say` is told what is done, and of how many."""

    def __init__(
        self, database: Database, chain: Chain, worker: OneWorker, say: Callable[[int, int, str], None]
    ) -> None:
        self._jobs, self._receipts = JobStore(database), ReceiptStore(database)
        self._blobs = BlobStore(BlockTable(database))
        self._parameters = ParameterMirror(chain.contract("ProtocolParameters"))
        self._models = ModelContracts(chain)
        self._worker = worker
        versions = Versions(self._blobs)
        self._recomputation = Recomputation(worker, versions, revocations_by(chain), keccak)
        self._say = say

    async def run(self, scope: Scope, drawn: Drawn, report: AuditReport) -> None:
        """Everything that the report does not have yet."""
        indexes = self._indexes(drawn.receipts)
        work = [f"0x{one.request_id.hex()}" for one in drawn.receipts] + list(indexes)
        for number, item in enumerate(work, start=1):
            if item not in report.items:
                report.add(item, await self._item(scope, drawn, item, indexes))
            self._say(number, len(work), item)

    async def _item(
        self, scope: Scope, drawn: Drawn, item: str, indexes: Mapping[str, tuple[ServedModel, Source]]
    ) -> Sequence[Finding]:
        try:
            if item in indexes:
                return await self._index(*indexes[item], drawn.seed, scope.rows)
            return await self._receipt(bytes.fromhex(item[2:]))
        except OpenLedgerError as error:
            return [Finding("recomputation", None, "a worker that computes it", str(error))]

    async def _receipt(self, request_id: bytes) -> Sequence[Finding]:
        job, stored = self._jobs.find(request_id), self._receipts.find(request_id)
        if job is None or stored is None:
            return [Finding("tokens", None, "shown by whoever paid", "another node's answer")]
        version = self._jobs.get(request_id).parameters_version
        case = stored_case(job, stored, self._parameters.at(version).lane_weights)
        return await self._recomputation.findings(case)

    async def _index(self, model: ServedModel, source: Source, seed: bytes, size: int) -> Sequence[Finding]:
        cid = parse_cid(source.index_cid)
        listing = read_listing(self._blobs, cid)
        numbers = row_numbers(self._blobs, listing)
        rows = [numbers[place] for place in sampled_rows(cid.digest, listing.rows, seed, size, keccak)]
        tree = index_tree(self._blobs, cid, rows)
        stated = {row: record_signs(listing.shape, one.record) for row, one in tree.proven.items()}
        findings = list(self._root(model, tree.root))
        for at in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[at : at + ROWS_AT_ONCE]
            findings += row_findings(
                {row: stated[row] for row in part}, await self._signs(model, source, part)
            )
        return findings

    async def _signs(
        self, model: ServedModel, source: Source, rows: Iterable[int]
    ) -> Mapping[int, tuple[bytes, ...]]:
        recipe = read_bundle(self._blobs, parse_cid(source.adapter_cid)).manifest.recipe
        length = recipe.get("max_length", DEFAULT_LENGTH)
        assert isinstance(length, int) and model.manifest_cid is not None
        request = RowsRequest(source.index_cid, model.manifest_cid, length, tuple(rows))
        return (await self._worker.recheck(request)).signs

    def _root(self, model: ServedModel, root: bytes) -> tuple[Finding, ...]:
        if len(model.sources) > 1:
            # An ensemble registers its members' roots as one.
            return ()
        registered = self._models.model(model.model_id).terms.index_digest
        return (finding("index root", registered.hex(), root.hex()),)

    def _indexes(self, receipts: Iterable[Receipt]) -> dict[str, tuple[ServedModel, Source]]:
        """The indexes behind the drawn answers of this node, each once."""
        found: dict[str, tuple[ServedModel, Source]] = {}
        for receipt in receipts:
            job = self._jobs.find(receipt.request_id)
            if job is not None:
                model = ServedModel.from_json(job.model_json)
                found = {source.index_cid: (model, source) for source in model.sources} | found
        return found


def row_findings(
    stated: Mapping[int, tuple[bytes, ...]], found: Mapping[int, tuple[bytes, ...]]
) -> list[Finding]:
    """Each row's signs at each checkpoint; a row that was not handed out cannot be told."""
    return [_row_finding(row, signs, found.get(row)) for row, signs in sorted(stated.items())]


def _row_finding(row: int, stated: tuple[bytes, ...], found: tuple[bytes, ...] | None) -> Finding:
    name, expected = f"row {row}", "at most one sign in twenty differs"
    if found is None:
        return Finding(name, None, expected, "the row is not at hand")
    if len(found) != len(stated):
        return Finding(name, False, expected, f"{len(found)} checkpoints of {len(stated)}")
    tiers = [signs_tier(one, other) for one, other in zip(stated, found, strict=True)]
    flipped = [
        (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()
        for one, other in zip(stated, found, strict=True)
    ]
    told = ", ".join(f"{bits} of {8 * len(one)}" for bits, one in zip(flipped, stated, strict=True))
    return Finding(name, Tier.REFUSED not in tiers, expected, f"{told} differ")
