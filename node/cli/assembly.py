"""One node from its configuration: keys opened, settings made plain, listeners joined to its parts."""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from node.api.answer_source import AnswerSource
from node.api.app import ApiSettings, Parts
from node.api.chain_link import ChainLink
from node.api.fresh import Fresh, head_or_period, period
from node.api.governance_source import GovernanceSource
from node.api.health_source import HealthSource
from node.api.keys import Timeouts
from node.api.ledger_source import Counters, LedgerSource
from node.api.model_source import ModelSource
from node.api.parameters import Limits
from node.api.ports import Models, Network
from node.api.recheck_source import RecheckSource
from node.api.server import InternalListener, PublicListener, Site
from node.api.site import WALLET_FUNCTIONS
from node.api.site_data import SiteData
from node.api.validity_source import ValidityDesk
from node.api.worker_source import WorkerBlobs, WorkerRows
from node.attribution.recomputation import Recomputation
from node.attribution.revocations import revocations_by
from node.blobs.encryption_key import load_encryption_key
from node.blobs.store import BlobStore
from node.chain.deployment import load_artifact
from node.chain.keccak import keccak
from node.chain.rpc import Chain
from node.cli.access import KeyRing
from node.cli.session import read_password
from node.cli.worker_paths import worker_paths
from node.config import Config
from node.daemon import Core, Daemon, DaemonSettings, build
from node.datanet import icd10
from node.datanet.contracts import DatanetContracts
from node.datanet.contributions import Contributions
from node.datanet.gated import RowVault
from node.datanet.mirror import DatanetMirror
from node.datanet.review import Review
from node.datanet.versions import Versions as DatanetVersions
from node.log import configure
from node.models.contracts import ModelContracts
from node.models.registry import ModelRegistry
from node.service import Loop, Service
from node.serving.auto import AutoCatalog
from node.serving.catalog import RegistryCatalog
from node.serving.measured import Measurements
from node.store.database import Database
from node.store.datanet import DatanetTable
from node.store.models import ModelTable, TrainingTable
from node.store.receipts import ReceiptStore
from node.training.coordinator import TrainingCoordinator
from node.training.follower import TrainingFollower
from node.training.reports import Reports
from protocol.eip712 import receipts_domain
from protocol.parameters import BURN_ACCOUNT
from protocol.rewards import stakers_account

DAPP = Path(__file__).resolve().parents[2] / "dapp"
ENCRYPTION_KEY = Path("encryption.key")
MODEL_REFRESH_SECONDS = 10.0
DATANET_REFRESH_SECONDS = 10.0
CODE_SYSTEMS = {icd10.NAME: icd10.Icd10Cm()}
PROBE_SECONDS = 5.0


def run_node(config: Config) -> None:
    """Serve until SIGINT or SIGTERM, then drain and stop."""
    configure(config.log.level, config.log.json)
    daemon = node_of(config)
    asyncio.run(_until_stopped(daemon))


def node_of(config: Config) -> Daemon:
    """The node, not started. Asks for a password where no file holds it."""
    ring = KeyRing(config)
    settings = DaemonSettings(
        data_dir=config.node.data_dir,
        chain_url=config.chain.rpc_url,
        deployment=config.path(config.chain.deployment),
        worker=worker_paths(config),
        operator_key=ring.load(config.node.operator_key).private_key(),
        receipt_key=ring.load(config.node.receipt_key).private_key(),
        spawn_worker=config.worker.spawn,
        worker_restart=config.worker.restart_seconds,
        chain_poll=config.chain.poll_seconds,
        confirmations=config.chain.confirmations,
        settlement_poll=config.settlement.poll_seconds,
        claim_vouchers=config.settlement.claim_vouchers,
        aggregate=config.settlement.aggregate,
        willing_to_lose=config.serving.credit_wei,
        ipfs_api=config.ipfs.api,
        attribution_promised=config.serving.attribution_seconds,
        attribution_last=config.serving.attribution_last_seconds,
    )
    return build(settings, catalog_of, lambda core: listeners(config, core))


async def _until_stopped(daemon: Daemon) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await daemon.start()
    try:
        await stopped.wait()
    finally:
        await daemon.stop()


def catalog_of(database: Database, blobs: BlobStore, chain: Chain) -> AutoCatalog:
    """Served models from the registry, refreshed once so that the first request finds them."""
    contracts = ModelContracts(chain)
    registry = ModelRegistry(ModelTable(database), blobs, contracts)
    registry.refresh()
    trainings = TrainingTable(database)
    catalog = RegistryCatalog(registry, contracts, blobs, trainings)
    return AutoCatalog(catalog, registry, Measurements(trainings, blobs))


def listeners(config: Config, core: Core) -> Sequence[Service]:
    """The two listeners and what keeps their answers fresh."""
    contracts = ModelContracts(core.chain)
    registry = ModelRegistry(ModelTable(core.database), core.blobs, contracts)
    table = TrainingTable(core.database)
    models = ModelSource(
        registry,
        RegistryCatalog(registry, contracts, core.blobs, table),
        core.chain,
        Reports(table, core.blobs),
    )
    answers = answers_of(config, core)
    ledger = ledger_of(config, core, answers, models)
    health = HealthSource(core.chain, core.worker, ledger)
    link = ChainLink(config.chain.rpc_url)
    network, rechecks = network_of(config, core), rechecks_of(core)
    parts = Parts(core.pipeline, models, answers, health, link, network, core.metrics, rechecks)
    site = Site(site_data_of(config, core, ledger), DAPP, config.site.name) if config.site.enabled else None

    async def refresh_models() -> None:
        await asyncio.to_thread(registry.refresh)

    coordinator = TrainingCoordinator(table, core.blobs, core.worker, core.clock)
    follower = TrainingFollower(coordinator)
    desk = ValidityDesk(registry, table, core.blobs, coordinator, follower.follow)
    mirror = _datanet_mirror(config, core)

    async def refresh_datanets() -> None:
        await asyncio.to_thread(mirror.catch_up)

    return (
        _internal(config, core, desk),
        Loop("datanets", refresh_datanets, DATANET_REFRESH_SECONDS),
        follower,
        Loop("models", refresh_models, MODEL_REFRESH_SECONDS),
        Loop("health", health.probe, PROBE_SECONDS),
        PublicListener(parts, api_settings(config), link, site, config.api.host, config.api.port),
    )


def api_settings(config: Config) -> ApiSettings:
    """The listener's plain values."""
    api = config.api
    return ApiSettings(
        allowed_hosts=(*api.allowed_hosts, api.host),
        public_url=api.public_url.rstrip("/"),
        max_body_bytes=api.max_body_bytes,
        max_in_flight=api.max_in_flight,
        max_in_flight_per_client=api.max_in_flight_per_key,
        limits=Limits(api.max_prompt_bytes, api.max_tokens, api.default_max_tokens),
        timeouts=Timeouts(api.body_timeout_seconds, api.write_timeout_seconds),
    )


def answers_of(config: Config, core: Core) -> AnswerSource:
    """Answers as the API and the pages read them."""
    domain = receipts_domain(core.chain.chain_id, core.chain.deployment.address("EpochSettlement"))
    return AnswerSource(
        core.database,
        core.blobs,
        core.versions,
        core.parameters,
        core.sessions,
        domain,
        core.staking.was_signer,
        core.attributor.waiting,
        config.site.publish_answers,
    )


def rechecks_of(core: Core) -> RecheckSource:
    """Attributions as others may check them."""
    revoked_by = revocations_by(core.chain)
    recomputation = Recomputation(core.dispatcher, core.versions, revoked_by, keccak)
    return RecheckSource(
        core.database, core.blobs, core.versions, core.parameters, core.sessions, recomputation
    )


def ledger_of(config: Config, core: Core, answers: AnswerSource, models: Models) -> LedgerSource:
    """Stages, answers and earnings as the pages read them."""

    def trainings() -> dict[str, int]:
        counts: dict[str, int] = {}
        for job in TrainingTable(core.database).all():
            counts[job.state] = counts.get(job.state, 0) + 1
        return counts

    counters = Counters(lambda: len(models.served()), trainings)
    return LedgerSource(
        core.database, core.chain, answers, core.parameters, core.claims, counters, _labels(config, core)
    )


def _labels(config: Config, core: Core) -> dict[str, str]:
    """Accounts that stand for a role, and those that the operator's own keystore has named."""
    current = core.parameters.current()
    named = {account: name for name, account in KeyRing(config).names().items()}
    return {
        **named,
        BURN_ACCOUNT: "burnt",
        core.parameters.treasury_at(current.version): "treasury",
        core.node: "this node's operator",
        stakers_account(core.node, keccak): "this node's stakers",
    }


def site_data_of(config: Config, core: Core, ledger: LedgerSource) -> SiteData:
    """Everything the pages show."""
    receipts = ReceiptStore(core.database)
    governance = GovernanceSource(core.chain, core.proposals, core.parameters, receipts, core.node)
    return SiteData(
        labels=_labels(config, core),
        overview=Fresh(ledger.overview, period),
        recent=ledger.recent,
        earners=Fresh(ledger.earners, period),
        earner=ledger.earner,
        governance=Fresh(governance.governance, head_or_period(core.chain)),
        staking=Fresh(governance.staking, head_or_period(core.chain)),
    )


def network_of(config: Config, core: Core) -> Network:
    """What a wallet is told about the chain."""
    return Network(
        chain_id=core.chain.chain_id,
        chain_name=config.chain.name,
        public_rpc_url=config.chain.public_rpc_url or config.chain.rpc_url,
        contracts=dict(core.chain.deployment.contracts),
        abis={name: [dict(entry) for entry in load_artifact(name).abi] for name in WALLET_FUNCTIONS},
    )


def _datanet_mirror(config: Config, core: Core) -> DatanetMirror:
    table, contracts = DatanetTable(core.database), DatanetContracts(core.chain, core.transactor)
    vault = RowVault(table, core.blobs, _encryption_key(config))
    return DatanetMirror(
        table,
        contracts,
        Contributions(table, core.blobs, vault, contracts),
        Review(table, core.blobs, vault, contracts, CODE_SYSTEMS),
        DatanetVersions(table, core.blobs, vault, contracts, CODE_SYSTEMS),
    )


def _internal(config: Config, core: Core, desk: ValidityDesk) -> InternalListener:
    token = config.path(config.worker.token_file).read_text(encoding="ascii").strip()
    rows = WorkerRows(
        core.versions, RowVault(DatanetTable(core.database), core.blobs, _encryption_key(config))
    )
    socket = config.path(config.worker.internal_socket)
    return InternalListener(WorkerBlobs(core.blobs), rows, token, desk, socket)


def _encryption_key(config: Config) -> X25519PrivateKey | None:
    """The node's key for gated rows; None for a node that reads open rows only."""
    path = config.path(ENCRYPTION_KEY)
    if not path.exists():
        return None
    return load_encryption_key(path, read_password(config.node.password_file, False))
