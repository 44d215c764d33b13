"""What is deployed, in which order, with which arguments; and how, with web3 and the committed artifacts.

Some contracts name each other, and all of those names are immutable. So every address is computed from the
deployer's nonce before the first transaction, each constructor gets final addresses, and nothing is
configured afterwards: no account is ever the owner of anything, not even during the deployment.
scripts/deploy.py follows the same plan through Brownie.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.utils import get_create_address

from protocol.parameters import DEFAULTS
from scripts.deployment_parameters import parameters

ARTIFACTS = Path(__file__).resolve().parent.parent / "node" / "chain" / "artifacts"
DAY = 86_400
OPEN = 10**18
AMOUNTS = (
    "commit_bond",
    "data_bond",
    "dispute_bond",
    "contribution_bond",
    "min_curator_stake",
    "min_juror_stake",
    "proposal_threshold",
)


@dataclass(frozen=True)
class Settings:
    """What differs between chains. Times in seconds, amounts in wei; the defaults suit a public network."""

    genesis: int | None = None  # start of epoch 0; None takes the chain's time at deployment
    epoch_length: int = DAY
    abandoned_after: int = 180 * DAY  # from then on an epoch's unstated money is swept to the treasury
    challenge_window: int = 3 * DAY
    response_window: int = DAY
    committee_window: int = 3 * DAY
    appeal_window: int = DAY
    unbonding_period: int = 14 * DAY
    signer_revoke_delay: int = DAY
    reward_drip: int = DAY
    commit_bond: int = 1_000 * OPEN
    data_bond: int = 10 * OPEN
    dispute_bond: int = 100 * OPEN
    contribution_bond: int = OPEN
    min_curator_stake: int = 1_000 * OPEN
    min_juror_stake: int = 1_000 * OPEN
    stake_to_fees: int = 10
    min_withdraw_delay: int = 3_600
    voting_delay: int = DAY
    voting_period: int = 6 * DAY
    late_quorum_extension: int = DAY
    proposal_threshold: int = 1_000_000 * OPEN
    timelock_delay: int = 2 * DAY
    max_batch: int = 16
    max_output_tokens: int = 1_024
    max_callback_gas: int = 500_000
    equivocation_slash_ppm: int = 100_000
    fault_slash_ppm: int = 100_000
    withholding_slash_ppm: int = 100_000
    juror_slash_ppm: int = 10_000
    role_delay: int = 2 * DAY  # least execution and grant delay of any role's holder but the timelock
    rewiring_delay: int = 7 * DAY  # before the parameters obey other roles
    guardian: str | None = None  # who may pause; None: the deployer
    guardian_term: int = 365 * DAY  # from the deployment
    pause_limit: int = 7 * DAY
    pause_cool_down: int = 21 * DAY
    treasury: str | None = None  # None: the timelock, which only votes can spend from
    recipient: str | None = None  # of the supply that no allocation takes; None: the deployer
    allocations: Mapping[str, int] | None = None


DEVNET = Settings(
    epoch_length=60,
    abandoned_after=3_600,
    challenge_window=60,
    response_window=30,
    committee_window=60,
    appeal_window=30,
    unbonding_period=300,
    signer_revoke_delay=30,
    reward_drip=60,
    commit_bond=100 * OPEN,
    data_bond=OPEN,
    dispute_bond=10 * OPEN,
    min_curator_stake=100 * OPEN,
    min_juror_stake=100 * OPEN,
    pause_limit=600,
    pause_cool_down=600,
    role_delay=1,
    rewiring_delay=5,
    min_withdraw_delay=60,
    voting_delay=1,
    voting_period=60,
    late_quorum_extension=1,
    proposal_threshold=OPEN,
    timelock_delay=1,
)

REPORT_JUDGES = ("SpanFaults", "ShareFaults", "ScoreFaults")
ORDER = (
    "OpenToken",
    "OpenTimelock",
    "OpenGovernor",
    "VotingPower",
    "OpenAccessManager",
    "Guardian",
    "ProtocolParameters",
    "DatanetRegistry",
    "ContributionLedger",
    "LabourLedger",
    "ModelRegistry",
    "NodeStaking",
    "EpochSettlement",
    "RewardDistributor",
    "PaymentChannels",
    "InferenceGateway",
    "FaultProofs",
    "DataChallenges",
    "JurorPool",
    "Committee",
    *REPORT_JUDGES,
    "LedgerFaults",
    "VoucherFaults",
)


# Who may void what is proven false, slash for it, lock stake, and delay finality while a dispute is open.
JUDGES = (
    "FaultProofs",
    *REPORT_JUDGES,
    "LedgerFaults",
    "VoucherFaults",
    "DataChallenges",
    "Committee",
)
SLASHERS = (*JUDGES, "ContributionLedger")
LOCKERS = ("PaymentChannels", "InferenceGateway", "EpochSettlement", "JurorPool")
HOLDERS = ("DataChallenges", "Committee")
# What asks the guardian before it takes new business; nothing else can be paused.
PAUSABLE = ("DatanetRegistry", "ContributionLedger", "ModelRegistry", "InferenceGateway", "EpochSettlement")


class DeploymentAddressMismatch(Exception):
    """A contract landed elsewhere than computed: something else used the deployer's account meanwhile."""


class Deployer(Protocol):
    """Creates contracts from one account, one after the other, and sends its tokens."""

    address: str

    def nonce(self) -> int:
        """The nonce of the account's next transaction."""
        ...

    def time(self) -> int:
        """The chain's time now, in unix seconds."""
        ...

    def deploy(self, name: str, *arguments: Any) -> str:
        """Creates the contract and returns its address once mined."""
        ...

    def transfer(self, token: str, recipient: str, amount: int) -> None:
        """Sends `amount` wei of the account's own OPEN."""
        ...


def load_settings(path: Path | None) -> Settings:
    """Settings from a JSON object over the development network's; unknown names are refused."""
    given = {} if path is None else json.loads(path.read_text())
    unknown = set(given) - {field.name for field in fields(Settings)}
    if unknown:
        raise ValueError(f"unknown settings {sorted(unknown)} in {path}")
    amounts = {name: int(given[name]) for name in AMOUNTS if name in given}
    spread = {account: int(wei) for account, wei in (given.get("allocations") or {}).items()}
    return replace(DEVNET, **{**given, **amounts, "allocations": spread})


def deploy_suite(deployer: Deployer, settings: Settings) -> dict[str, str]:
    """Creates the contracts and makes the allocations; returns lower-case addresses by name.

    `settings.genesis` must be set; `settled` sets it.
    """
    first = deployer.nonce()
    at = {name: get_create_address(deployer.address, first + place) for place, name in enumerate(ORDER)}
    plan = constructor_arguments(at, deployer.address, settings)
    for name in ORDER:
        landed = deployer.deploy(name, *plan[name])
        if landed.lower() != at[name].lower():
            raise DeploymentAddressMismatch(f"{name} landed at {landed}, not at {at[name]}")
    for account, amount in (settings.allocations or {}).items():
        deployer.transfer(at["OpenToken"], Web3.to_checksum_address(account), amount)
    return {name: address.lower() for name, address in at.items()}


def settled(deployer: Deployer, settings: Settings) -> Settings:
    """The settings with a genesis: where none is given, the chain's time now."""
    return settings if settings.genesis is not None else replace(settings, genesis=deployer.time())


def constructor_arguments(
    at: Mapping[str, str], deployer: str, settings: Settings
) -> dict[str, tuple[Any, ...]]:
    """Arguments by contract name; structs as tuples in the order of their fields."""
    s = settings
    return {
        "OpenToken": (Web3.to_checksum_address(s.recipient or deployer),),
        **governance_arguments(at, deployer, s),
        "DatanetRegistry": (at["ContributionLedger"], at["LabourLedger"], at["Guardian"]),
        "ContributionLedger": (
            at["OpenToken"],
            at["DatanetRegistry"],
            at["NodeStaking"],
            at["ProtocolParameters"],
            at["Guardian"],
        ),
        "LabourLedger": (
            at["DatanetRegistry"],
            at["ContributionLedger"],
            at["NodeStaking"],
            at["ProtocolParameters"],
        ),
        "ModelRegistry": (at["DatanetRegistry"], at["ProtocolParameters"], at["Guardian"]),
        "NodeStaking": (
            at["OpenToken"],
            at["ProtocolParameters"],
            (at["RewardDistributor"], deployed(at, SLASHERS), deployed(at, LOCKERS)),
        ),
        "EpochSettlement": (settlement_links(at), (s.genesis, s.epoch_length, s.abandoned_after)),
        "RewardDistributor": (at["OpenToken"], at["EpochSettlement"], at["NodeStaking"]),
        "PaymentChannels": (
            at["OpenToken"],
            at["RewardDistributor"],
            at["EpochSettlement"],
            at["NodeStaking"],
            s.min_withdraw_delay,
        ),
        "InferenceGateway": (
            at["OpenToken"],
            at["RewardDistributor"],
            at["EpochSettlement"],
            at["NodeStaking"],
            at["ModelRegistry"],
            at["ProtocolParameters"],
            at["Guardian"],
        ),
        **judge_arguments(at),
        **dispute_arguments(at),
    }


def judge_arguments(at: Mapping[str, str]) -> dict[str, tuple[Any, ...]]:
    """Those of the judges of objective faults."""
    common = at["NodeStaking"], at["EpochSettlement"], at["ProtocolParameters"]
    return {
        "FaultProofs": common,
        **{name: (report_links(at),) for name in REPORT_JUDGES},
        "LedgerFaults": common,
        "VoucherFaults": (*common, at["PaymentChannels"], at["InferenceGateway"]),
    }


def governance_arguments(at: Mapping[str, str], deployer: str, s: Settings) -> dict[str, tuple[Any, ...]]:
    """Those of the contracts by which votes are made and obeyed."""
    ruled = (at["OpenTimelock"], at["OpenGovernor"], at["OpenAccessManager"])
    governor = (s.voting_delay, s.voting_period, s.proposal_threshold, s.late_quorum_extension)
    treasury = s.treasury or at["OpenTimelock"]
    return {
        "OpenTimelock": (s.timelock_delay, at["OpenGovernor"]),
        "OpenGovernor": (at["OpenToken"], at["OpenTimelock"], at["VotingPower"], at["Guardian"], governor),
        "VotingPower": (at["OpenToken"], at["NodeStaking"], at["OpenGovernor"]),
        "OpenAccessManager": (
            at["OpenTimelock"],
            at["Guardian"],
            at["ProtocolParameters"],
            (s.role_delay, s.role_delay, s.rewiring_delay),
        ),
        "Guardian": (
            (*ruled, s.pause_limit, s.pause_cool_down),
            Web3.to_checksum_address(s.guardian or deployer),
            s.guardian_term,
            deployed(at, PAUSABLE),
        ),
        "ProtocolParameters": (
            at["OpenAccessManager"],
            s.epoch_length,
            DEFAULTS.split.parts,
            parameters(treasury, s),
        ),
    }


def dispute_arguments(at: Mapping[str, str]) -> dict[str, tuple[Any, ...]]:
    """Those of the contracts of questions and disputes."""
    bonded = (at["OpenToken"], at["NodeStaking"], at["EpochSettlement"], at["ProtocolParameters"])
    return {
        "DataChallenges": bonded,
        "JurorPool": (at["NodeStaking"], at["ProtocolParameters"], at["Committee"]),
        "Committee": (*bonded, at["JurorPool"]),
    }


def report_links(at: Mapping[str, str]) -> tuple[str, ...]:
    """ReportJudge.Links."""
    judged = ("NodeStaking", "EpochSettlement", "ProtocolParameters")
    return tuple(at[name] for name in (*judged, "ModelRegistry", "DatanetRegistry", "ContributionLedger"))


def settlement_links(at: Mapping[str, str]) -> tuple[Any, ...]:
    """IEpochSettlement.Links."""
    funders = at["PaymentChannels"], at["InferenceGateway"]
    named = (at["NodeStaking"], at["ProtocolParameters"], at["Guardian"], at["RewardDistributor"])
    return (*funders, *named, deployed(at, JUDGES), deployed(at, HOLDERS))


def deployed(at: Mapping[str, str], names: Sequence[str]) -> list[str]:
    """The addresses of these contracts."""
    return [at[name] for name in names if name in at]


def deployment_record(
    contracts: Mapping[str, str], settings: Settings, chain_id: int, block: int
) -> dict[str, Any]:
    """What the node reads; `block` is the first that may hold an event. Wei as decimal strings."""
    return {
        "chainId": chain_id,
        "block": block,
        "genesis": settings.genesis,
        "contracts": dict(contracts),
        "settings": json_safe(asdict(settings)),
    }


def json_safe(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings with every amount of wei as a decimal string."""
    allocations = settings["allocations"]
    amounts = {name: str(settings[name]) for name in AMOUNTS}
    spread = None if allocations is None else {account: str(wei) for account, wei in allocations.items()}
    return {**settings, **amounts, "allocations": spread}


class Web3Deployer:
    """Deploys the committed artifacts from a local key, or from an address the endpoint signs for."""

    def __init__(self, web3: Web3, account: LocalAccount | str) -> None:
        self._web3 = web3
        self._key = None if isinstance(account, str) else account
        self.address = Web3.to_checksum_address(account if isinstance(account, str) else account.address)

    def nonce(self) -> int:
        """Counts pending transactions, so that a busy account fails by address and not by nonce."""
        return self._web3.eth.get_transaction_count(self.address, "pending")

    def time(self) -> int:
        """The head's time."""
        return int(self._web3.eth.get_block("latest")["timestamp"])

    def deploy(self, name: str, *arguments: Any) -> str:
        """One creation; RuntimeError when it reverts."""
        artifact = json.loads((ARTIFACTS / f"{name}.json").read_text())
        factory = self._web3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
        return str(self._send(factory.constructor(*arguments))["contractAddress"])

    def transfer(self, token: str, recipient: str, amount: int) -> None:
        """One token transfer; RuntimeError when it reverts."""
        abi = json.loads((ARTIFACTS / "OpenToken.json").read_text())["abi"]
        contract = self._web3.eth.contract(address=Web3.to_checksum_address(token), abi=abi)
        self._send(contract.functions.transfer(recipient, amount))

    def _send(self, call: Any) -> Any:
        eth = self._web3.eth
        if self._key is None:
            digest = call.transact({"from": self.address})
        else:
            unsigned = call.build_transaction({"from": self.address, "nonce": self.nonce()})
            digest = eth.send_raw_transaction(self._key.sign_transaction(unsigned).raw_transaction)
        receipt = eth.wait_for_transaction_receipt(digest, timeout=120)
        if receipt["status"] != 1:
            raise RuntimeError(f"deployment transaction {digest.hex()} reverted")
        return receipt


def deploy_with_web3(web3: Web3, deployer: LocalAccount | str, settings: Settings) -> dict[str, Any]:
    """Deploys the suite from the committed artifacts, without a compiler; returns the deployment record."""
    sender = Web3Deployer(web3, deployer)
    block = web3.eth.block_number + 1
    fixed = settled(sender, settings)
    return deployment_record(deploy_suite(sender, fixed), fixed, web3.eth.chain_id, block)
