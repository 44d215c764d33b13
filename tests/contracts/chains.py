"""The chains that the contract tests run on: py-evm in this process, or the anvil that Brownie launches.

Time is the test's on both: a block has the time it is given, else one second more than its parent.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from eth_tester import EthereumTester, PyEVMBackend
from web3 import EthereumTesterProvider, HTTPProvider, Web3
from web3.types import RPCEndpoint

ETHER = 10**18
BALANCE = 10**9 * ETHER
BLOCK_GAS = 60_000_000


class Chain(Protocol):
    """What a test needs of a chain beside its JSON-RPC."""

    web3: Web3

    def set_next(self, time: int) -> None:
        """The next block has this time."""
        ...

    def mine(self) -> None:
        """Mines an empty block."""
        ...

    def gather(self, wait: bool) -> None:
        """Lets transactions wait for the next mined block, or mines each at once again."""
        ...

    def snapshot(self) -> Any:
        """Marks the state to come back to."""
        ...

    def revert(self, mark: Any) -> None:
        """Goes back to a marked state."""
        ...


class InProcess:
    """py-evm behind eth-tester."""

    def __init__(self, keys: Mapping[str, bytes], birth: int, others: Iterable[str] = ()) -> None:
        """`others` hold gas money, too."""
        state = {
            bytes.fromhex(address[2:]): {"balance": BALANCE, "nonce": 0, "code": b"", "storage": {}}
            for address in (*keys, *others)
        }
        genesis = PyEVMBackend.generate_genesis_params({"timestamp": birth, "gas_limit": BLOCK_GAS})
        self.tester = EthereumTester(PyEVMBackend(genesis_parameters=genesis, genesis_state=state))
        for key in keys.values():
            self.tester.add_account("0x" + key.hex())
        self.web3 = Web3(EthereumTesterProvider(self.tester))

    def set_next(self, time: int) -> None:
        """The next block has this time."""
        chain = self.tester.backend.chain
        chain.header = chain.header.copy(timestamp=time)

    def mine(self) -> None:
        """Mines an empty block."""
        self.tester.mine_block()

    def gather(self, wait: bool) -> None:
        """Lets transactions wait for the next mined block, or mines each at once again."""
        self.tester.auto_mine_transactions = not wait

    def snapshot(self) -> Any:
        """Marks the state to come back to."""
        return self.tester.take_snapshot()

    def revert(self, mark: Any) -> None:
        """Goes back to a marked state."""
        self.tester.revert_to_snapshot(mark)


class Anvil:
    """A running anvil, over HTTP."""

    def __init__(self, url: str, keys: Mapping[str, bytes], birth: int) -> None:
        self.web3 = Web3(HTTPProvider(url))
        self._ask("anvil_autoImpersonateAccount", True)
        for address in keys:
            self._ask("anvil_setBalance", address, hex(BALANCE))
        self.set_next(birth)
        self.mine()
        self._ask("anvil_setBlockTimestampInterval", 1)

    def set_next(self, time: int) -> None:
        """The next block has this time."""
        self._ask("evm_setNextBlockTimestamp", time)

    def mine(self) -> None:
        """Mines an empty block."""
        self._ask("evm_mine")

    def gather(self, wait: bool) -> None:
        """Lets transactions wait for the next mined block, or mines each at once again."""
        self._ask("evm_setAutomine", not wait)

    def snapshot(self) -> Any:
        """Marks the state to come back to."""
        return self._ask("evm_snapshot")

    def revert(self, mark: Any) -> None:
        """Goes back to a marked state."""
        assert self._ask("evm_revert", mark), f"no snapshot {mark}"

    def _ask(self, method: str, *arguments: Any) -> Any:
        answer = self.web3.provider.make_request(RPCEndpoint(method), list(arguments))
        assert "error" not in answer, answer
        return answer["result"]
