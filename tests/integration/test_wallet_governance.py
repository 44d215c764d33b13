"""The governor's whole flow from wallets that speak JSON-RPC alone."""

from eth_abi import decode
from web3 import Web3

from node.chain.keccak import keccak
from tests.integration.ledger_world import SETTINGS, STAKE, LedgerWorld
from tests.integration.raw_wallet import Endpoint, RawWallet, RpcRefused, calldata

PROPOSE = "propose(address[],uint256[],bytes[],string)"
CREATED = "ProposalCreated(uint256,address,address[],uint256[],string[],bytes[],uint256,uint256,string)"
OVERRIDE = "castOverrideVote(uint256,address,uint8,string)"
TITLE = "# Smaller batches\nAs a wallet says it."
PENDING, ACTIVE, SUCCEEDED, QUEUED, EXECUTED = 0, 1, 4, 5, 7
AGAINST, FOR = 0, 1
VOTES = 50_000_000 * 10**18
KEY = keccak(b"maxBatch")


class Flow:
    """The addresses that a wallet's user would paste, and the clock of a development chain."""

    def __init__(self, world: LedgerWorld) -> None:
        self.endpoint = Endpoint(world.url)
        at = {name: Web3.to_checksum_address(one) for name, one in world.record["contracts"].items()}
        self.token, self.governor, self.power = at["OpenToken"], at["OpenGovernor"], at["VotingPower"]
        self.parameters, self.staking = at["ProtocolParameters"], at["NodeStaking"]

    def wallet(self, world: LedgerWorld, actor: str) -> RawWallet:
        return RawWallet(self.endpoint, world.key(actor))

    def pass_seconds(self, seconds: int) -> None:
        self.endpoint.ask("evm_increaseTime", seconds)
        self.endpoint.ask("evm_mine")

    def state(self, wallet: RawWallet, proposal: int) -> int:
        return int(wallet.read(self.governor, "state(uint256)", "uint8", proposal))


def test_delegate_propose_vote_override_queue_execute(world: LedgerWorld) -> None:
    """SPEC 9.70: a vote from delegation to effect, by eth_* requests and signed transactions alone."""
    world.give("owner", VOTES)
    flow = Flow(world)
    owner, staker, operator = (flow.wallet(world, name) for name in ("owner", "staker", "operator"))

    owner.send(flow.token, "delegate(address)", owner.address)
    flow.pass_seconds(2)
    assert owner.read(flow.token, "getVotes(address)", "uint256", owner.address) == VOTES

    change = bytes.fromhex(calldata("setValue(bytes32,uint256)", KEY, 7)[2:])
    made = owner.send(flow.governor, PROPOSE, [flow.parameters], [0], [change], TITLE)
    (log,) = owner.events(made, CREATED)
    proposal = int(decode(["uint256"], bytes.fromhex(log["data"][2:66]))[0])
    assert flow.state(owner, proposal) == PENDING

    flow.pass_seconds(SETTINGS.voting_delay + 1)
    assert flow.state(owner, proposal) == ACTIVE
    owner.send(
        flow.governor, "castVoteWithReason(uint256,uint8,string)", proposal, FOR, "small batches are fair"
    )
    operator.send(flow.governor, "castVote(uint256,uint8)", proposal, AGAINST)
    staker.send(flow.power, OVERRIDE, proposal, operator.address, FOR, "my part thinks otherwise")
    tally = owner.read(flow.governor, "proposalVotes(uint256)", "uint256,uint256,uint256", proposal)
    assert tally == (STAKE, VOTES + STAKE // 2, 0)
    assert owner.read(flow.governor, "hasVoted(uint256,address)", "bool", proposal, owner.address)

    flow.pass_seconds(SETTINGS.voting_period + SETTINGS.late_quorum_extension + 1)
    assert flow.state(owner, proposal) == SUCCEEDED
    operation = ([flow.parameters], [0], [change], keccak(TITLE.encode()))
    owner.send(flow.governor, "queue(address[],uint256[],bytes[],bytes32)", *operation)
    assert flow.state(owner, proposal) == QUEUED

    flow.pass_seconds(SETTINGS.timelock_delay + 1)
    staker.send(flow.governor, "execute(uint256)", proposal)
    assert flow.state(owner, proposal) == EXECUTED
    assert owner.read(flow.parameters, "value(bytes32)", "uint256", KEY) == 7
    assert owner.read(flow.parameters, "version()", "uint64") == 2


def test_a_wallet_is_told_why_it_may_not(world: LedgerWorld) -> None:
    """SPEC 9.70: a refusal comes with the contract's error, which any wallet can decode."""
    flow = Flow(world)
    stranger = flow.wallet(world, "stranger")
    try:
        stranger.send(flow.parameters, "setValue(bytes32,uint256)", KEY, 7)
    except RpcRefused as refused:
        data = refused.args[0]["data"]
    selector = "0x" + keccak(b"AccessManagedUnauthorized(address)")[:4].hex()
    assert data[:10] == selector
    assert data[-40:] == stranger.address[2:].lower()
