"""The composition root: every part of one node, built from plain values, started and stopped in order.

Nothing below this module reads configuration. A node needs a chain by URL with the suite deployed on it;
its worker process it starts itself unless told that one is already there.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from eth_account import Account

from node.attribution.attributor import Attributor, Versions
from node.attribution.revocations import revocations
from node.attribution.waiting import Bounds
from node.blobs.ipfs import IpfsDaemon
from node.blobs.store import BlobStore
from node.chain.chain_time import ChainTime
from node.chain.deployment import load_deployment
from node.chain.events import REMEMBERED_BLOCKS, EventFollower
from node.chain.keccak import keccak
from node.chain.rpc import Chain, connect
from node.chain.signer import signer_of
from node.chain.transactor import SendPolicy, Transactor
from node.governance.parameters import ParameterMirror
from node.governance.proposals import Proposals
from node.log import get_logger
from node.metrics import Registry
from node.payments.acknowledge import Vouchers
from node.payments.admission import Admissions
from node.payments.channels import Channels
from node.payments.session import Sessions, load_or_create_secret
from node.pipeline import Pipeline
from node.receipts.issuer import Issuer
from node.receipts.log import ReceiptLog
from node.rewards.claims import Claims
from node.rewards.earnings import EarningsQuery
from node.service import Loop, Service, start_all, stop_all
from node.serving.dispatcher import Dispatcher
from node.serving.model import Catalog
from node.serving.provenance import Provenance
from node.serving.retriever import Retriever
from node.serving.worker_client import WorkerClient
from node.serving.worker_process import WorkerPaths, WorkerProcess, worker_command
from node.settlement.aggregator import Aggregator, Clock
from node.settlement.claimer import Claimer
from node.settlement.mirror import CONTRACTS, SettlementMirror
from node.settlement.publisher import Publisher
from node.settlement.records import Records, SharedRecords
from node.settlement.service import Duties, Settlement
from node.staking.position import Staking
from node.store.blocks import BlockTable
from node.store.channels import ChannelStore
from node.store.database import Database, DatadirLock, lock_datadir, open_database
from node.store.epochs import EpochStore
from node.store.followed_blocks import FollowedBlocks
from node.store.jobs import JobStore
from node.store.receipts import ReceiptStore
from node.store.transactions import TransactionStore
from protocol.eip712 import channels_domain, receipts_domain
from protocol.types import Address

log = get_logger("daemon")

RESUME_SECONDS = 30.0
DRAIN_SECONDS = 20.0
DAY = 86_400


@dataclass(frozen=True)
class DaemonSettings:
    """Plain values for one node. Keys are 32 bytes and stay out of `repr`; times in seconds, amounts in wei.

    `willing_to_lose` is what a payer who signs its own vouchers may owe at most; `voucher_validity` how
    long a voucher stays claimable; `claim_margin` how long before that it is no longer taken;
    `attribution_*` are bounds of `node.attribution.waiting`.
    """

    data_dir: Path
    chain_url: str
    deployment: Path
    worker: WorkerPaths
    operator_key: bytes = field(repr=False)
    receipt_key: bytes = field(repr=False)
    spawn_worker: bool = True
    worker_restart: float = 1.0
    chain_wait: float = 30.0
    chain_poll: float = 1.0
    confirmations: int = 0
    settlement_poll: float = 2.0
    claim_vouchers: bool = True
    aggregate: bool = True
    claim_lead: int | None = None
    willing_to_lose: int = 10**18
    voucher_validity: int = 30 * DAY
    claim_margin: int | None = None
    ipfs_api: str = ""
    attribution_promised: float = Bounds.promised
    attribution_last: float = Bounds.last

    @property
    def bounds(self) -> Bounds:
        """Of waiting for an attribution."""
        return Bounds(self.attribution_promised, self.attribution_last)


@dataclass
class Core:
    """Every part of a running node, for whoever serves or commands it."""

    settings: DaemonSettings
    node: Address
    metrics: Registry
    database: Database
    blobs: BlobStore
    chain: Chain
    clock: ChainTime
    transactor: Transactor
    parameters: ParameterMirror
    channels: Channels
    sessions: Sessions
    vouchers: Vouchers
    worker: WorkerClient
    dispatcher: Dispatcher
    attributor: Attributor
    versions: Versions
    catalog: Catalog
    issuer: Issuer
    receipts: ReceiptLog
    pipeline: Pipeline
    follow: Callable[[], None]
    settlement: Settlement
    claims: Claims
    earnings: EarningsQuery
    proposals: Proposals
    staking: Staking


CatalogOf = Callable[[Database, BlobStore, Chain], Catalog]
ServicesOf = Callable[[Core], Sequence[Service]]


def build_core(settings: DaemonSettings, catalog_of: CatalogOf) -> Core:
    """Open the database, connect to the chain and put every part together. Nothing runs yet."""
    ground = _ground(settings)
    database, blobs, chain, node = ground.database, ground.blobs, ground.chain, ground.node
    times, metrics, follow = _settlement_times(chain), Registry(), _follower(database, chain, node)
    parameters = ParameterMirror(chain.contract("ProtocolParameters"))
    channels, sessions, vouchers = _payments(settings, ground, times)
    worker = WorkerClient(settings.worker.socket, settings.worker.token_file)
    dispatcher = Dispatcher([worker], JobStore(database))
    versions = Versions(blobs)
    catalog = catalog_of(database, blobs, chain)
    domain = receipts_domain(chain.chain_id, chain.deployment.address("EpochSettlement"))
    issuer = Issuer(database, domain, signer_of(settings.receipt_key), node, keccak, ground.clock)
    admissions = Admissions(database, channels, sessions, vouchers, settings.willing_to_lose)
    attributor = Attributor(dispatcher, versions, revocations(chain), settings.bounds)
    claims = Claims(chain, ground.transactor, EpochStore(database), ground.records, keccak, follow)
    return Core(
        settings=settings,
        node=node,
        metrics=metrics,
        database=database,
        blobs=blobs,
        chain=chain,
        clock=ground.clock,
        transactor=ground.transactor,
        parameters=parameters,
        channels=channels,
        sessions=sessions,
        vouchers=vouchers,
        worker=worker,
        dispatcher=dispatcher,
        attributor=attributor,
        versions=versions,
        catalog=catalog,
        issuer=issuer,
        receipts=ReceiptLog(database),
        pipeline=Pipeline(
            catalog,
            Provenance(chain),
            admissions,
            Retriever(blobs, versions.manifest, revocations(chain)),
            dispatcher,
            attributor,
            versions,
            parameters,
            issuer,
            vouchers,
            JobStore(database),
            node,
            keccak,
            ground.clock,
            metrics,
        ),
        follow=follow,
        settlement=_settlement(settings, ground, channels, parameters, times, follow),
        claims=claims,
        earnings=EarningsQuery(database, claims),
        proposals=Proposals(chain.contract("OpenGovernor"), ground.transactor, chain.deployment.block),
        staking=Staking(chain.contract("NodeStaking"), chain.contract("OpenToken"), ground.transactor),
    )


@dataclass(frozen=True)
class _Ground:
    """What every stage stands on."""

    node: Address
    database: Database
    blobs: BlobStore
    chain: Chain
    clock: ChainTime
    transactor: Transactor
    records: Records


def _ground(settings: DaemonSettings) -> _Ground:
    # The chain first: a node that finds none has opened nothing.
    chain = connect(settings.chain_url, load_deployment(settings.deployment), settings.chain_wait)
    database = open_database(settings.data_dir / "node.sqlite")
    policy = SendPolicy(confirmations=settings.confirmations)
    account = Account.from_key(settings.operator_key)
    blobs = BlobStore(BlockTable(database))
    return _Ground(
        node=signer_of(settings.operator_key).address,
        database=database,
        blobs=blobs,
        chain=chain,
        clock=ChainTime(chain),
        transactor=Transactor(chain, account, TransactionStore(database), policy),
        records=SharedRecords(blobs, IpfsDaemon(settings.ipfs_api)) if settings.ipfs_api else blobs,
    )


def _follower(database: Database, chain: Chain, node: Address) -> Callable[[], None]:
    """Catch up with the settlement's events; callable from any thread, one at a time."""
    follower = EventFollower(
        chain,
        CONTRACTS,
        [SettlementMirror(EpochStore(database), node)],
        FollowedBlocks(database, "settlement"),
    )
    lock = threading.Lock()

    def follow() -> None:
        with lock:
            follower.poll()

    return follow


def _settlement_times(chain: Chain) -> Clock:
    functions = chain.contract("EpochSettlement").functions
    return Clock(
        genesis=functions.genesis().call(),
        length=functions.epochLength().call(),
    )


def _payments(settings: DaemonSettings, ground: _Ground, times: Clock) -> tuple[Channels, Sessions, Vouchers]:
    database, chain = ground.database, ground.chain
    store = ChannelStore(database)
    sessions = Sessions(store, load_or_create_secret(settings.data_dir / "session.secret"))
    contract = chain.contract("PaymentChannels")
    receipts, jobs = ReceiptStore(database), JobStore(database)
    channels = Channels(contract, store, receipts, jobs, ground.node, keccak, ground.clock)
    domain = channels_domain(chain.chain_id, chain.deployment.address("PaymentChannels"))
    # A voucher taken now is claimed at the latest at the end of this epoch; a second one is the margin.
    margin = settings.claim_margin if settings.claim_margin is not None else 2 * times.length
    validity = settings.voucher_validity
    vouchers = Vouchers(channels, store, sessions, domain, keccak, ground.clock, validity, margin)
    return channels, sessions, vouchers


def _settlement(
    settings: DaemonSettings,
    ground: _Ground,
    channels: Channels,
    parameters: ParameterMirror,
    times: Clock,
    follow: Callable[[], None],
) -> Settlement:
    chain, transactor, node, records = ground.chain, ground.transactor, ground.node, ground.records
    epochs, receipts = EpochStore(ground.database), ReceiptStore(ground.database)
    lead = settings.claim_lead if settings.claim_lead is not None else max(1, times.length // 4)
    return Settlement(
        follow,
        Claimer(chain, channels, ChannelStore(ground.database), transactor, ground.clock),
        Publisher(chain, transactor, epochs, receipts, records, parameters.at, node, keccak),
        Aggregator(chain, transactor, epochs, records, node, keccak, times),
        times,
        ground.clock,
        Duties(settings.claim_vouchers, settings.aggregate, lead),
    )


class Daemon:
    """One node's life. `core` exists between `start` and `stop`."""

    def __init__(
        self, settings: DaemonSettings, catalog_of: CatalogOf, further_services: ServicesOf | None = None
    ) -> None:
        self._settings = settings
        self._catalog_of = catalog_of
        self._further_services = further_services
        self._lock: DatadirLock | None = None
        self._services: list[Service] = []
        self.core: Core | None = None

    @property
    def services(self) -> Sequence[Service]:
        """What runs, in the order in which it was started."""
        return tuple(self._services)

    async def start(self) -> Core:
        """Take the data folder, open everything, take up what was left, and begin to serve."""
        self._lock = lock_datadir(self._settings.data_dir)
        try:
            core = await asyncio.to_thread(build_core, self._settings, self._catalog_of)
            self.core = core
            # What an earlier process sent must be known before anything is decided anew.
            await asyncio.to_thread(core.transactor.resume)
            await core.worker.start()
            await core.pipeline.recover()
            self._services = self._build_services(core)
            await start_all(self._services)
        except BaseException:
            await self.stop()
            raise
        log.info("node_started", node=core.node, chain_id=core.chain.chain_id)
        return core

    async def stop(self) -> None:
        """Stop in reverse order; safe to call twice."""
        services, self._services = self._services, []
        await stop_all(services)
        core, self.core = self.core, None
        if core is not None:
            await core.pipeline.close()
            await core.worker.close()
            core.database.close()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def _build_services(self, core: Core) -> list[Service]:
        settings = self._settings
        # What a reorganisation undid is sent again.
        recheck = partial(core.transactor.recheck, REMEMBERED_BLOCKS)
        services: list[Service] = []
        if settings.spawn_worker:
            printed = settings.data_dir / "worker.log"
            command = worker_command(settings.worker)
            services.append(WorkerProcess(command, settings.worker_restart, printed))
        services += [
            _loop(
                core,
                "chain_watch",
                _in_thread(core.clock.refresh, core.parameters.refresh),
                settings.chain_poll,
            ),
            _loop(core, "settlement", _in_thread(core.settlement.step), settings.settlement_poll),
            _loop(core, "resume", core.pipeline.resume, RESUME_SECONDS),
            _loop(core, "recheck", _in_thread(recheck), RESUME_SECONDS),
        ]
        if self._further_services is not None:
            services += self._further_services(core)
        return services


def build(
    settings: DaemonSettings, catalog_of: CatalogOf, further_services: ServicesOf | None = None
) -> Daemon:
    """A node that is not started yet; `further_services` are started last and stopped first."""
    return Daemon(settings, catalog_of, further_services)


def _loop(core: Core, name: str, step: Callable[[], object], interval: float) -> Loop:
    failures = core.metrics.counter("openledger_service_failures_total", "Failed steps by service.")
    return Loop(name, step, interval, lambda service: failures.add(service=service))  # type: ignore[arg-type]


def _in_thread(*steps: Callable[[], object]) -> Callable[[], object]:
    async def run() -> None:
        for step in steps:
            work = asyncio.ensure_future(asyncio.to_thread(step))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                # A thread cannot be cancelled; let it end before the database is closed under it.
                await asyncio.wait([work], timeout=DRAIN_SECONDS)
                raise

    return run
