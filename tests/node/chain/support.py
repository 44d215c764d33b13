"""The embedded chain for tests: inside the test's own process, or as the child process it is in use."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from node.chain.deployment import Deployment, load_artifact
from node.chain.embedded.chain import EmbeddedChain
from node.chain.embedded.clock import ChainClock
from node.chain.embedded.devnet import devnet_accounts
from node.chain.embedded.errors import RpcError
from node.chain.embedded.fees import FEES
from node.chain.embedded.filters import FilterTable
from node.chain.embedded.producer import BlockProducer
from node.chain.embedded.reading import READING
from node.chain.embedded.writing import WRITING
from node.chain.rpc import Chain
from node.failpoints import VARIABLE
from protocol.types import Address, parse_address

ROOT = Path(__file__).resolve().parents[3]
CHAIN_ID = 31337
START = 1_800_000_000
READY_SECONDS = 60


class Wall:
    """A wall clock that tests turn."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class LocalDevnet:
    """A chain in this process, asked through its JSON-RPC methods."""

    def __init__(self, path: str = ":memory:", wall: Wall | None = None, automine: bool = True) -> None:
        self.accounts = devnet_accounts()
        self.wall = wall if wall is not None else Wall()
        funded = [account.address for account in self.accounts]
        chain = EmbeddedChain(path, CHAIN_ID, funded, self.wall())
        self.producer = BlockProducer(chain, self.accounts, automine, ChainClock(wall=self.wall))
        self.registry = READING.merged(FEES, WRITING, FilterTable().registry())

    def rpc(self, method: str, *params: Any) -> Any:
        return self.registry.call(self.producer, method, list(params))

    def address(self, index: int) -> str:
        return "0x" + self.accounts[index].address.hex()

    def key(self, index: int) -> LocalAccount:
        return Account.from_key(self.accounts[index].key.to_bytes())

    def web3(self) -> Web3:
        return Web3(LocalProvider(self))

    def close(self) -> None:
        self.producer.chain.close()


class LocalProvider(JSONBaseProvider):
    """web3's way into a LocalDevnet; everything passes through JSON text, as it would over HTTP."""

    def __init__(self, devnet: LocalDevnet) -> None:
        super().__init__()
        self.devnet = devnet

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        request = json.loads(self.encode_rpc_request(method, params))
        try:
            answer = {"result": self.devnet.rpc(method, *request["params"])}
        except RpcError as error:
            answer = {"error": error.to_json()}
        return json.loads(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}))


def deploy(web3: Web3, name: str, *args: Any) -> Address:
    artifact = load_artifact(name)
    factory = web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    digest = factory.constructor(*args).transact({"from": web3.eth.accounts[0]})
    return parse_address(str(web3.eth.wait_for_transaction_receipt(digest)["contractAddress"]))


def chain_with_token(web3: Web3) -> Chain:
    """A chain on which OpenToken alone is deployed; the first account holds the supply."""
    block = web3.eth.block_number + 1
    token = deploy(web3, "OpenToken", web3.eth.accounts[0])
    return Chain(web3, CHAIN_ID, Deployment(CHAIN_ID, block, START, {"OpenToken": token}, {}))


class ChainProcess:
    """`python -m node.chain.embedded` on a free port."""

    def __init__(self, *options: str, failpoint: str = "") -> None:
        command = [sys.executable, "-m", "node.chain.embedded", "--port", "0", *options]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, VARIABLE: failpoint},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready "), line
        self.url = line.split()[1]

    def web3(self) -> Web3:
        return Web3(Web3.HTTPProvider(self.url))

    def kill(self) -> None:
        """SIGKILL: nothing gets the chance to tidy up."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(READY_SECONDS)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(READY_SECONDS)


@contextmanager
def chain_process(*options: str) -> Iterator[ChainProcess]:
    running = ChainProcess(*options)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.kill()
        assert running.process.stdout is not None
        running.process.stdout.close()
