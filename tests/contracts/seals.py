"""A proof as an honest challenger shows it: sealed in one block, sent in a later one."""

from web3 import Web3
from web3.contract.contract import ContractFunction

from node.chain.keccak import keccak
from protocol.seals import seal_digest
from tests.contracts.world import Mined, World


def calldata(call: ContractFunction) -> bytes:
    """The whole calldata of a call."""
    return bytes(Web3.to_bytes(hexstr=call._encode_transaction_data()))


def seal(world: World, call: ContractFunction, sender: str = "challenger") -> Mined:
    """Records the call's digest with the judge that it is for."""
    digest = seal_digest(world.plain(sender), calldata(call), keccak)
    judge = world.contract(world._name_of(call.address))
    return world.send(judge.functions.seal(digest), sender)


def prove_sealed(world: World, call: ContractFunction, sender: str = "challenger") -> Mined:
    """Seals the call, then sends it."""
    seal(world, call, sender)
    return world.send(call, sender)
