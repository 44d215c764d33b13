"""The suite once more on the same chain, with actors among the judges and holders of its settlement."""

from collections.abc import Mapping, Sequence
from copy import copy
from unittest.mock import patch

from scripts import deployment_plan
from scripts.deployment_plan import HOLDERS, JUDGES, deploy_with_web3
from tests.contracts.epochs import Ledger
from tests.contracts.world import Mined, World

JUDGE, HOLDER = "challenger", "curator"


def deploy_judged(world: World) -> World:
    """Another suite: the challenger judges, and the curator judges and holds as a dispute contract does."""
    judge, holder = world.address(JUDGE), world.address(HOLDER)
    more = {JUDGES: [judge, holder], HOLDERS: [holder]}

    def deployed(at: Mapping[str, str], names: Sequence[str]) -> list[str]:
        return [at[name] for name in names if name in at] + more.get(tuple(names), [])

    with patch.object(deployment_plan, "deployed", deployed):
        record = deploy_with_web3(world.web3, world.address("deployer"), world.settings)
    other = copy(world)
    kept = {name: value for name, value in vars(world).items() if not hasattr(type(world), name)}
    vars(other).clear()
    vars(other).update({**kept, "record": record, "gas": {}})
    return other


def void_statement(world: World, epoch: int, node: str, by: str = JUDGE, at: int | None = None) -> Mined:
    return world.send(world.settlement.functions.voidStatement(epoch, world.address(node)), by, at)


def void_commitment(world: World, epoch: int, by: str = JUDGE) -> Mined:
    return world.send(world.settlement.functions.voidCommitment(epoch), by)


def state(ledger: Ledger, shares: Mapping[str, int]) -> int:
    """An epoch in which each node earned and stated its amount for the contributor; its number."""
    epochs = {node: ledger.earn(node, amount) for node, amount in shares.items()}
    (epoch,) = set(epochs.values())
    ledger.world.pass_to(ledger.end_of(epoch))
    for node, amount in shares.items():
        ledger.publish(ledger.statement(epoch, node, {"contributor": amount}), node)
    return epoch


def commit(ledger: Ledger, epoch: int, shares: Mapping[str, int], sender: str = "node") -> Mined:
    """Commits what `state` stated for these nodes."""
    statements = [ledger.statement(epoch, node, {"contributor": amount}) for node, amount in shares.items()]
    return ledger.commit(ledger.build(epoch, statements), sender)
