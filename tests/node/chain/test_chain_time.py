"""Chain time: never behind the wall, ahead of it where the chain is."""

import time

from node.chain.chain_time import ChainTime
from node.chain.deployment import Deployment
from node.chain.rpc import Chain
from tests.node.chain.support import CHAIN_ID, LocalDevnet, Wall


def test_a_chain_that_is_ahead_is_believed_and_one_that_is_behind_is_not() -> None:
    """SPEC 6.46: deadlines are judged by the time that the contract will judge them by."""
    for ahead in (-1_000, 0, 5_000):
        devnet = LocalDevnet(wall=Wall(int(time.time()) + ahead))
        chain = Chain(devnet.web3(), CHAIN_ID, Deployment(CHAIN_ID, 0, 0, {}, {}))
        clock = ChainTime(chain)
        assert abs(clock() - (int(time.time()) + max(0, ahead))) <= 2
        devnet.wall.now += 9_000
        devnet.rpc("evm_mine")
        before = clock()
        clock.refresh()
        assert abs(clock() - before - min(9_000, max(0, 9_000 + ahead))) <= 2
        devnet.close()
