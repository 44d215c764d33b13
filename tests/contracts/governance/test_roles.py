"""Who may do what, by the ABIs: each writing function × each account × paused or not.

What is expected is said by one table a contract, in tests/contracts/roles. A function that no
table classifies fails the test, and so does a rule for a function that is gone.
"""

import importlib
import re
from collections.abc import Iterator
from types import ModuleType

import pytest

from node.chain.deployment import load_artifact
from scripts.deployment_plan import ORDER, PAUSABLE
from tests.contracts.roles.rules import Rule, Scene
from tests.contracts.world import ACTORS, World, rewound

MODULES = [name for name in PAUSABLE if name in ORDER]
ACCESS = re.compile(r"(Not|Only)[A-Z]\w*$|Unauthorized")


def table(name: str) -> ModuleType:
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return importlib.import_module(f"tests.contracts.roles.{snake}")


def signatures(name: str) -> list[str]:
    """Every writing function of a contract, by its ABI."""
    functions = (one for one in load_artifact(name).abi if one["type"] == "function")
    writing = (one for one in functions if one["stateMutability"] in ("nonpayable", "payable"))
    return [f"{one['name']}({','.join(_type(part) for part in one['inputs'])})" for one in writing]


def _type(part: dict) -> str:  # type: ignore[type-arg]
    if not part["type"].startswith("tuple"):
        return str(part["type"])
    return f"({','.join(_type(inner) for inner in part['components'])}){part['type'][5:]}"


def classified(name: str) -> dict[str, Rule]:
    """The rules of a contract by full signature."""
    rules, found = dict(table(name).RULES), {}
    for signature in signatures(name):
        bare = signature.partition("(")[0]
        key = signature if signature in rules else bare
        assert key in rules, f"{name}.{signature} is not classified in tests/contracts/roles"
        assert key == signature or sum(s.startswith(f"{bare}(") for s in signatures(name)) == 1, bare
        found[signature] = rules.pop(key)
    assert not rules, f"{name} has no functions {sorted(rules)}"
    return found


def privileged() -> set[str]:
    """Every account and contract that some table gives a right to."""
    return {who for name in ORDER for rule in table(name).RULES.values() for who in rule.by or ()}


ACCOUNTS = (*(actor for actor in ACTORS if actor in privileged() | {"stranger", "deployer"}), *ORDER)


@pytest.mark.parametrize("name", ORDER)
def test_every_writing_function_is_classified(name: str) -> None:
    """SPEC 9.20: every function that writes is either open to all or refuses strangers."""
    assert classified(name) or not signatures(name)


@pytest.fixture(scope="module")
def scene(deployed: World) -> Iterator[Scene]:
    """Made once: the matrix only asks, and changes nothing."""
    with rewound(deployed):
        made = Scene(deployed)
        for step in ("prepare", "prepare_last"):
            for name in ORDER:
                getattr(table(name), step, lambda scene: None)(made)
        yield made


@pytest.fixture(scope="module")
def outcomes(scene: Scene) -> dict[tuple[str, str, str], tuple[str, str]]:
    """(contract, function, account) -> how the call ends, and how it ends while all that can be is paused."""
    calm = dict(_matrix(scene))
    with rewound(scene.world):
        guardian = scene.world.contract("Guardian")
        for name in MODULES:
            scene.world.send(guardian.functions.pause(scene.at(name)), "guardian")
        paused = dict(_matrix(scene))
    return {key: (calm[key], paused[key]) for key in calm}


def _matrix(scene: Scene) -> Iterator[tuple[tuple[str, str, str], str]]:
    for name in ORDER:
        contract = scene.world.contract(name)
        for signature, rule in classified(name).items():
            data = contract.encode_abi(signature, rule.arguments(scene))
            for account in ACCOUNTS:
                yield (
                    (name, signature, account),
                    (scene.world.outcome(contract.address, data, scene.at(account))),
                )


Outcomes = dict[tuple[str, str, str], tuple[str, str]]


@pytest.mark.parametrize("name", ORDER)
def test_each_account_may_do_what_its_role_allows(name: str, outcomes: Outcomes) -> None:
    """SPEC 9.20, 9.60: strangers are refused by name, and so is every role at what is not its own."""
    wrong = []
    for signature, rule in classified(name).items():
        for account in ACCOUNTS:
            calm, _ = outcomes[name, signature, account]
            if not _as_ruled(rule, account, calm):
                wrong.append(f"{signature} by {account}: {calm or 'done'}")
    assert not wrong


def _as_ruled(rule: Rule, account: str, outcome: str) -> bool:
    if account == rule.tried_by:
        return outcome == rule.meets
    if rule.by is None or account in rule.by:
        return not ACCESS.search(outcome) or outcome == rule.meets
    return outcome in rule.refusal.split("|")


@pytest.mark.parametrize("name", ORDER)
def test_a_pause_stops_new_business_and_nothing_else(name: str, outcomes: Outcomes) -> None:
    """SPEC 9.61: exits, withdrawals, final claims and slashes work while all is paused that can be."""
    wrong = []
    for signature, rule in classified(name).items():
        for account in ACCOUNTS:
            calm, paused = outcomes[name, signature, account]
            stopped = (rule.paused,) if account == rule.tried_by else (rule.paused, calm)
            if paused not in (stopped if rule.paused else (calm,)):
                wrong.append(f"{signature} by {account}: {calm or 'done'}, paused: {paused or 'done'}")
    assert not wrong


def test_what_a_pause_may_stop_is_this_and_no_more() -> None:
    """SPEC 9.61: new Datanets, versions, contributions, models and gateway requests, and finality."""
    stopped = {
        (name, signature.partition("(")[0])
        for name in ORDER
        for signature, rule in classified(name).items()
        if rule.paused
    }
    assert stopped <= {
        ("DatanetRegistry", "createDatanet"),
        ("DatanetRegistry", "publishVersion"),
        ("DatanetRegistry", "publishVersionWithLabour"),
        ("ContributionLedger", "submit"),
        ("ContributionLedger", "submitWithPermit"),
        ("ModelRegistry", "registerModel"),
        ("InferenceGateway", "request"),
        ("EpochSettlement", "finalize"),
        ("Guardian", "pause"),  # once paused, a module cannot be paused again until it has cooled down
    }


def test_the_deployer_holds_no_role(world: World) -> None:
    """SPEC 9.24: after the deployment the timelock is the only admin, and the governor its only proposer."""
    manager, timelock = world.contract("OpenAccessManager").functions, world.contract("OpenTimelock")
    assert manager.hasRole(0, world.address("deployer")).call() == [False, 0]
    assert manager.hasRole(0, timelock.address).call() == [True, 0]
    governor = world.contract("OpenGovernor").address
    for role in ("PROPOSER_ROLE", "CANCELLER_ROLE"):
        key = timelock.functions[role]().call()
        assert timelock.functions.hasRole(key, governor).call()
        assert not timelock.functions.hasRole(key, world.address("deployer")).call()
    admin = timelock.functions.DEFAULT_ADMIN_ROLE().call()
    assert not timelock.functions.hasRole(admin, world.address("deployer")).call()


def test_contracts_know_each_other_for_ever(world: World) -> None:
    """SPEC 9.24: the contracts point at each other as deployed, and no function changes that."""
    at = world.record["contracts"]
    links = {
        ("PaymentChannels", "distributor"): "RewardDistributor",
        ("PaymentChannels", "settlement"): "EpochSettlement",
        ("PaymentChannels", "staking"): "NodeStaking",
        ("EpochSettlement", "channels"): "PaymentChannels",
        ("EpochSettlement", "gateway"): "InferenceGateway",
        ("InferenceGateway", "token"): "OpenToken",
        ("InferenceGateway", "distributor"): "RewardDistributor",
        ("InferenceGateway", "settlement"): "EpochSettlement",
        ("InferenceGateway", "staking"): "NodeStaking",
        ("InferenceGateway", "models"): "ModelRegistry",
        ("InferenceGateway", "parameters"): "ProtocolParameters",
        ("InferenceGateway", "guardian"): "Guardian",
        ("EpochSettlement", "staking"): "NodeStaking",
        ("RewardDistributor", "settlement"): "EpochSettlement",
        ("RewardDistributor", "staking"): "NodeStaking",
        ("NodeStaking", "parameters"): "ProtocolParameters",
        ("FaultProofs", "staking"): "NodeStaking",
        ("FaultProofs", "settlement"): "EpochSettlement",
        ("FaultProofs", "parameters"): "ProtocolParameters",
        ("DataChallenges", "token"): "OpenToken",
        ("DataChallenges", "staking"): "NodeStaking",
        ("DataChallenges", "settlement"): "EpochSettlement",
        ("DataChallenges", "parameters"): "ProtocolParameters",
        ("JurorPool", "staking"): "NodeStaking",
        ("JurorPool", "parameters"): "ProtocolParameters",
        ("JurorPool", "committee"): "Committee",
        ("Committee", "token"): "OpenToken",
        ("Committee", "staking"): "NodeStaking",
        ("Committee", "settlement"): "EpochSettlement",
        ("Committee", "parameters"): "ProtocolParameters",
        ("Committee", "jurorPool"): "JurorPool",
        ("LedgerFaults", "staking"): "NodeStaking",
        ("LedgerFaults", "settlement"): "EpochSettlement",
        ("LedgerFaults", "parameters"): "ProtocolParameters",
        ("VoucherFaults", "staking"): "NodeStaking",
        ("VoucherFaults", "settlement"): "EpochSettlement",
        ("VoucherFaults", "parameters"): "ProtocolParameters",
        ("VoucherFaults", "channels"): "PaymentChannels",
        ("VoucherFaults", "gateway"): "InferenceGateway",
        ("DatanetRegistry", "contributions"): "ContributionLedger",
        ("DatanetRegistry", "labour"): "LabourLedger",
        ("DatanetRegistry", "guardian"): "Guardian",
        ("ContributionLedger", "token"): "OpenToken",
        ("ContributionLedger", "datanets"): "DatanetRegistry",
        ("ContributionLedger", "staking"): "NodeStaking",
        ("ContributionLedger", "parameters"): "ProtocolParameters",
        ("ContributionLedger", "guardian"): "Guardian",
        ("LabourLedger", "datanets"): "DatanetRegistry",
        ("LabourLedger", "contributions"): "ContributionLedger",
        ("LabourLedger", "staking"): "NodeStaking",
        ("LabourLedger", "parameters"): "ProtocolParameters",
        ("ModelRegistry", "datanets"): "DatanetRegistry",
        ("ModelRegistry", "parameters"): "ProtocolParameters",
        ("ModelRegistry", "guardian"): "Guardian",
        ("OpenGovernor", "token"): "OpenToken",
        ("OpenGovernor", "timelock"): "OpenTimelock",
        ("ProtocolParameters", "authority"): "OpenAccessManager",
        ("OpenAccessManager", "timelock"): "OpenTimelock",
        ("Guardian", "timelock"): "OpenTimelock",
        ("Guardian", "governor"): "OpenGovernor",
        ("Guardian", "accessManager"): "OpenAccessManager",
        ("OpenGovernor", "proposalGuardian"): "Guardian",
        ("OpenGovernor", "votingPower"): "VotingPower",
        ("VotingPower", "governor"): "OpenGovernor",
        ("VotingPower", "staking"): "NodeStaking",
        ("VotingPower", "token"): "OpenToken",
    }
    for (name, getter), target in links.items():
        assert world.contract(name).functions[getter]().call().lower() == at[target], (name, getter)


@pytest.mark.parametrize("name", ORDER)
def test_contracts_stay_within_their_size(world: World, name: str) -> None:
    """SPEC 9.30: no contract passes 18 KiB of code, three quarters of what a chain takes."""
    address = world.checksum(world.record["contracts"][name])
    assert 0 < len(world.web3.eth.get_code(address)) <= 18 * 1024
