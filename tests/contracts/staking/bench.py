"""A NodeStaking whose slasher, locker and distributor are actors, under parameters that a test sets."""

from copy import copy
from typing import Any

from node.chain.deployment import load_artifact
from node.chain.keccak import keccak
from scripts.deployment_plan import Web3Deployer
from tests.contracts.world import Mined, World

SLASHER, LOCKER, DISTRIBUTOR = "challenger", "payer", "deployer"
ZERO = "0x" + "00" * 20
PERIOD, DRIP, REVOKE_DELAY, RATIO = 300, 100, 30, 10
PARAMETERS = {
    "unbondingPeriod": PERIOD,
    "rewardDrip": DRIP,
    "signerRevokeDelay": REVOKE_DELAY,
    "stakeToFees": RATIO,
}


class Bench(World):
    """The world seen with that NodeStaking in the place of the suite's."""

    def set_parameter(self, name: str, value: int) -> None:
        self.send(self.parameters.functions.set(keccak(name.encode()), value), "deployer")

    def read(self, view: str, *arguments: Any) -> Any:
        """A view of the staking; actors stand for their addresses."""
        plain = [self.address(one) if one in self.signers else one for one in arguments]
        return self.staking.functions[view](*plain).call()

    def do(self, sender: str, function: str, *arguments: Any, at: int | None = None) -> Mined:
        """A transaction to the staking; actors stand for their addresses."""
        plain = [self.address(one) if one in self.signers else one for one in arguments]
        return self.send(self.staking.functions[function](*plain), sender, at)

    def slash(self, node: str, amount: int, beneficiary: str = "stranger") -> int:
        mined = self.do(SLASHER, "slash", node, amount, beneficiary)
        found = self.events(mined, self.staking, "StakeSlashed")
        return int(sum(one["burnt"] + one["rewarded"] for one in found))

    def unbond(self, staker: str, shares: int | None = None, node: str = "node") -> tuple[int, int]:
        """Starts an exit; returns the ticket and the time it is ready."""
        part = self.read("sharesOf", node, staker) if shares is None else shares
        mined = self.do(staker, "unbond", node, part)
        (event,) = self.events(mined, self.staking, "Unbonding")
        return event["ticket"], event["readyAt"]

    def add_rewards(self, amount: int, node: str = "node") -> Mined:
        self.fund("deployer", amount, self.staking)
        return self.do("deployer", "addRewards", node, amount)


def bench_of(world: World) -> Bench:
    bench = copy(world)
    bench.__class__ = Bench
    assert isinstance(bench, Bench)
    bench.record = {**world.record, "contracts": dict(world.record["contracts"])}
    deployer = Web3Deployer(world.web3, world.address("deployer"))
    parameters = world.checksum(deployer.deploy("ParametersMock"))
    bench.__dict__["parameters"] = world.web3.eth.contract(
        address=parameters, abi=load_artifact("ParametersMock").abi
    )
    roles = world.address(DISTRIBUTOR), [world.address(SLASHER)], [world.address(LOCKER)]
    at = deployer.deploy("NodeStaking", world.token.address, parameters, roles)
    bench.record["contracts"]["NodeStaking"] = at.lower()
    bench.__dict__.pop("staking", None)
    for name, value in PARAMETERS.items():
        bench.set_parameter(name, value)
    return bench
