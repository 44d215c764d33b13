"""Who may do what, read from the ABIs: a function nobody listed here fails the test."""

from typing import Any

import pytest

from scripts.deployment_plan import ORDER
from tests.contracts.world import Reverted, World

OURS = (
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
)
# What a stranger meets at every function that is not for everyone: the refusal names who asked.
REFUSED = {
    ("ProtocolParameters", "setSplit"): "AccessManagedUnauthorized",
    ("ProtocolParameters", "setValue"): "AccessManagedUnauthorized",
    ("ProtocolParameters", "setValues"): "AccessManagedUnauthorized",
    ("ProtocolParameters", "setAuthority"): "AccessManagedUnauthorized",
    ("DatanetRegistry", "setCurator"): "DatanetRegistryNotOwner",
    ("DatanetRegistry", "transferOwnership"): "DatanetRegistryNotOwner",
    ("DatanetRegistry", "acceptOwnership"): "DatanetRegistryNotPendingOwner",
    ("DatanetRegistry", "publishVersion"): "DatanetRegistryNotCurator",
    ("DatanetRegistry", "publishVersionWithLabour"): "DatanetRegistryNotCurator",
    ("DatanetRegistry", "registerTokenChunks"): "DatanetRegistryNotCurator",
    ("ContributionLedger", "decide"): "ContributionLedgerNotCurator",
    ("ContributionLedger", "decideSpam"): "ContributionLedgerNotCurator",
    ("ContributionLedger", "withdraw"): "ContributionLedgerNotContributor",
    ("ContributionLedger", "appeal"): "ContributionLedgerNotContributor",
    ("ContributionLedger", "uphold"): "ContributionLedgerNotCurator",
    ("ContributionLedger", "overturn"): "ContributionLedgerNotCurator",
    ("ContributionLedger", "revoke"): "ContributionLedgerNotContributor",
    ("ContributionLedger", "grant"): "ContributionLedgerNotContributor",
    ("LabourLedger", "accept"): "LabourLedgerNotCurator",
    ("LabourLedger", "fixShares"): "LabourLedgerNotRegistry",
    ("ModelRegistry", "setStatus"): "ModelRegistryNotOwner",
    ("ModelRegistry", "setPrice"): "ModelRegistryNotOwner",
    ("NodeStaking", "slash"): "NodeStakingNotSlasher",
    ("NodeStaking", "lock"): "NodeStakingNotLocker",
    ("NodeStaking", "lockForFees"): "NodeStakingNotLocker",
    ("NodeStaking", "stakeFor"): "NodeStakingNotDistributor",
    ("EpochSettlement", "voidStatement"): "EpochSettlementNotJudge",
    ("EpochSettlement", "voidCommitment"): "EpochSettlementNotJudge",
    ("EpochSettlement", "hold"): "EpochSettlementNotHolder",
    ("EpochSettlement", "release"): "EpochSettlementNotHolder",
    ("RewardDistributor", "payUnstated"): "RewardDistributorNotSettlement",
    ("Guardian", "pause"): "GuardianNotGuardian",
    ("NodeStaking", "revokeSigner"): "NodeStakingUnknownSigner",
    ("NodeStaking", "withdraw"): "NodeStakingNotTicketOwner",
    ("NodeStaking", "unbond"): "NodeStakingNotEnoughShares",
    ("EpochSettlement", "fund"): "EpochSettlementNotChannels",
    ("EpochSettlement", "publishStatement"): "EpochSettlementNodeNotRegistered",
    ("EpochSettlement", "commit"): "EpochSettlementNothingStated",
    ("PaymentChannels", "authorizeSigner"): "PaymentChannelsNotPayer",
    ("PaymentChannels", "revokeSigner"): "PaymentChannelsNotPayer",
    ("PaymentChannels", "requestWithdraw"): "PaymentChannelsNotPayer",
    ("PaymentChannels", "withdraw"): "PaymentChannelsNotPayer",
    ("PaymentChannels", "claim"): "PaymentChannelsNotPayee",
    ("PaymentChannels", "open"): "PaymentChannelsNotPayer",
    ("JurorPool", "draw"): "JurorPoolNotCommittee",
    ("JurorPool", "leave"): "JurorPoolNotEnrolled",
    ("JurorPool", "enrol"): "JurorPoolStakeTooLow",
    ("Committee", "commitVote"): "CommitteeWrongStatus",
    ("Committee", "revealVote"): "CommitteeWrongStatus",
    ("Committee", "appeal"): "CommitteeWrongStatus",
    ("Committee", "answerAppeal"): "CommitteeWrongStatus",
    ("PaymentChannels", "openWithPermit"): "PaymentChannelsNotPayer",
    ("InferenceGateway", "fulfil"): "InferenceGatewayNotNode",
}
# Functions that anyone may call: each acts on the caller's own money or word, or is proven by its arguments.
OPEN_TO_ALL = {
    ("DatanetRegistry", "createDatanet"),
    ("DatanetRegistry", "flagRevoked"),
    ("ContributionLedger", "submit"),
    ("ContributionLedger", "submitWithPermit"),
    ("ContributionLedger", "settle"),
    ("ContributionLedger", "proveDuplicate"),
    ("LabourLedger", "recordReview"),
    ("ModelRegistry", "registerBase"),
    ("ModelRegistry", "registerModel"),
    ("NodeStaking", "stake"),
    ("NodeStaking", "stakeAtLeast"),
    ("NodeStaking", "stakeWithPermit"),
    ("NodeStaking", "authorizeSigner"),
    ("NodeStaking", "setEncryptionKey"),
    ("NodeStaking", "addRewards"),
    ("NodeStaking", "claimRewards"),
    ("EpochSettlement", "rollover"),
    ("EpochSettlement", "sweep"),
    ("EpochSettlement", "finalize"),
    ("EpochSettlement", "submitReceipt"),
    ("RewardDistributor", "claim"),
    ("RewardDistributor", "claimForStakers"),
    ("RewardDistributor", "claimMany"),
    ("RewardDistributor", "claimToStake"),
    ("RewardDistributor", "setRelayMinimum"),
    ("PaymentChannels", "deposit"),
    ("PaymentChannels", "depositWithPermit"),
    ("PaymentChannels", "depositWithAuthorization"),
    ("PaymentChannels", "openWithAuthorization"),
    ("PaymentChannels", "claimMany"),
    ("InferenceGateway", "request"),
    ("InferenceGateway", "refund"),
    ("FaultProofs", "proveEquivocation"),
    ("FaultProofs", "seal"),
    ("DataChallenges", "challenge"),
    ("DataChallenges", "answerLine"),
    ("DataChallenges", "answerReceipt"),
    ("DataChallenges", "answerEntry"),
    ("DataChallenges", "answerCumulative"),
    ("DataChallenges", "answerPastEnd"),
    ("DataChallenges", "conclude"),
    ("JurorPool", "sync"),
    ("Committee", "open"),
    ("Committee", "draw"),
    ("Committee", "settle"),
    ("Committee", "claimFee"),
}


def writing_functions(world: World) -> set[tuple[str, str]]:
    return {
        (name, entry["name"])
        for name in OURS
        for entry in world.contract(name).abi
        if entry["type"] == "function" and entry["stateMutability"] in ("nonpayable", "payable")
    }


def test_every_writing_function_is_accounted_for(world: World) -> None:
    """SPEC 9.20: every function that writes is either open to all or refuses strangers."""
    assert writing_functions(world) == set(REFUSED) | OPEN_TO_ALL


@pytest.fixture
def populated(world: World) -> dict[str, Any]:
    """One thing of each kind, none of it the stranger's; returns the arguments that name them."""
    from tests.contracts.asking import ask
    from tests.contracts.channel import call_tuple, open_channel
    from tests.contracts.datanets import (
        DIGESTS,
        create,
        decide,
        ensure_stake,
        membership,
        publish,
        revoke,
        submit,
    )
    from tests.contracts.staking.test_stake import unbond

    datanet = create(world, "curator")
    publish(world, datanet, "curator")
    world.stake("node")
    channel = open_channel(world)
    voucher = channel.voucher(5)
    decided = submit(world, datanet, "contributor")
    ensure_stake(world, "curator")
    decide(world, decided, 3, 0)
    revoke(world, decided, "contributor", DIGESTS[0])
    asked = ask(world)
    return {
        "datanet": datanet,
        "contribution": submit(world, datanet, "contributor"),
        "row": membership(world, decided, "contributor", DIGESTS[0]),
        "digest": DIGESTS[0],
        "model": asked.model,
        "ticket": unbond(world, "node", 10)[0],
        "channel": channel.id,
        "terms": call_tuple(channel.terms),
        "voucher": tuple(getattr(voucher, name) for name in voucher.__slots__),
        "signature": channel.sign(voucher),
        "answer": asked.answer(asked.receipt()).args,
    }


def arguments_for(name: str, function: str, world: World, it: dict[str, Any]) -> list[Any]:
    someone, word, cid = world.address("stranger"), b"\x01" * 32, b"\x01"
    return {
        "setSplit": [(1_000_000, 0, 0, 0, 0, 0)],
        "setValue": [word, 1],
        "setValues": [[word], [1]],
        "setAuthority": [someone],
        "setCurator": [it["datanet"], someone, True],
        "publishVersion": [it["datanet"], 0, word, word, 1, cid],
        "registerTokenChunks": [it["datanet"], 1, word, word, 1],
        "transferOwnership": [it["datanet"], someone],
        "acceptOwnership": [it["datanet"]],
        "publishVersionWithLabour": [it["datanet"], 0, word, word, 1, cid, [1], [1_000_000]],
        "decide": [it["contribution"], 3, 0, b""],
        "decideSpam": [it["contribution"], b""],
        "appeal": [word] if name == "Committee" else [it["contribution"], b""],
        "uphold": [it["contribution"], b""],
        "overturn": [it["contribution"], 3, 0, b""],
        "revoke": [it["digest"], it["row"]],
        "grant": [it["datanet"], it["digest"]],
        "accept": [(it["datanet"], someone, 1, cid, [], [], 2**60), b""],
        "fixShares": [it["datanet"], 1, [1], [1_000_000]],
        "setStatus": [it["model"], 2],
        "setPrice": [it["model"], 1, 1, 1],
        "slash": [world.address("node"), 1, someone],
        "unbond": [world.address("node"), 1],
        "fund": [someone, 1],
        "publishStatement": [0, word, 1, 1, word, cid],
        "commit": [(0, bytes(32), word, word, 1, cid)],
        "lock": [someone, 1],
        "lockForFees": [someone, 1],
        "stakeFor": [someone, someone, 1],
        "voidStatement": [0, someone],
        "voidCommitment": [0],
        "hold": [0],
        "release": [0],
        "payUnstated": [someone, 1],
        "pause": [someone],
        "draw": [word, 5, (someone, someone), 1],
        "leave": [],
        "enrol": [],
        "commitVote": [word, word],
        "revealVote": [word, 1, word],
        "answerAppeal": [word],
        "authorizeSigner": [it["channel"], someone, 1, 2**60],
        "revokeSigner": [it["channel"], someone] if name == "PaymentChannels" else [someone],
        "requestWithdraw": [it["channel"]],
        "withdraw": [
            {
                "PaymentChannels": it["channel"],
                "NodeStaking": it["ticket"],
                "ContributionLedger": it["contribution"],
            }.get(name)
        ],
        "claim": [it["voucher"], it["signature"]],
        "open": [it["terms"], 1],
        "fulfil": it["answer"],
        "openWithPermit": [it["terms"], 1, 2**60, 27, word, word],
    }[function]


def test_strangers_are_refused_everywhere(world: World, populated: dict[str, Any]) -> None:
    """SPEC 9.20: every restricted function refuses a stranger, and says so by name."""
    for (name, function), error in REFUSED.items():
        arguments = arguments_for(name, function, world, populated)
        with pytest.raises(Reverted) as found:
            world.send(world.contract(name).functions[function](*arguments), "stranger")
        assert found.value.name == error, f"{name}.{function} refused with {found.value}"


def test_the_deployer_is_a_stranger_too(world: World) -> None:
    """SPEC 9.24: after the deployment no account holds a role; the timelock is the only admin."""
    for function, arguments in (("setSplit", [(1_000_000, 0, 0, 0, 0, 0)]), ("setValue", [b"\x01" * 32, 1])):
        with pytest.raises(Reverted, match="AccessManagedUnauthorized"):
            world.send(world.parameters.functions[function](*arguments), "deployer")
    manager = world.contract("OpenAccessManager")
    timelock = world.contract("OpenTimelock")
    assert manager.functions.hasRole(0, world.address("deployer")).call() == [False, 0]
    assert manager.functions.hasRole(0, timelock.address).call() == [True, 0]
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
    }
    for (name, getter), target in links.items():
        assert world.contract(name).functions[getter]().call().lower() == at[target], (name, getter)


@pytest.mark.parametrize("name", ORDER)
def test_contracts_stay_within_their_size(world: World, name: str) -> None:
    """SPEC 9.30: no contract passes 18 KiB of code, three quarters of what a chain takes."""
    address = world.checksum(world.record["contracts"][name])
    assert 0 < len(world.web3.eth.get_code(address)) <= 18 * 1024
