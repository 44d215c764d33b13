"""The connection to a chain: its identity, head, time and contracts. Any Ethereum JSON-RPC will do."""

import time
from typing import Any, NamedTuple

import requests
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.exceptions import ContractLogicError, Web3Exception
from web3.types import RPCEndpoint, RPCResponse, TxParams

from node.chain.deployment import Deployment, load_artifact
from node.chain.reverts import decode_revert, packaged_shapes
from node.errors import ChainReverted, ChainUnreachable, ConfigError, WrongChain
from protocol.types import Address

REQUEST_TIMEOUT_SECONDS = 20.0
CONNECT_POLL_SECONDS = 0.1


class Head(NamedTuple):
    """The newest block: its number and its time in unix seconds."""

    number: int
    timestamp: int


class Endpoint(HTTPProvider):
    """web3's HTTP provider, with one error for every way of not answering."""

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One JSON-RPC request."""
        try:
            return super().make_request(method, params)
        except (requests.RequestException, ValueError) as error:
            raise ChainUnreachable(
                "the chain does not answer", url=str(self.endpoint_uri), method=method
            ) from error


class Chain:
    """A chain that answered, with the suite deployed on it if there is one."""

    def __init__(self, web3: Web3, chain_id: int, deployment: Deployment | None = None) -> None:
        self.web3 = web3
        self.chain_id = chain_id
        self._deployment = deployment

    @property
    def deployment(self) -> Deployment:
        """What is deployed; raises ConfigError where nothing is."""
        if self._deployment is None:
            raise ConfigError("this connection has no deployment", chain_id=self.chain_id)
        return self._deployment

    def head(self) -> Head:
        """The newest block."""
        block = self.web3.eth.get_block("latest")
        return Head(int(block["number"]), int(block["timestamp"]))

    def now(self) -> int:
        """Unix seconds as contracts will see them: a chain whose clock was moved on is believed."""
        return max(int(time.time()), self.head().timestamp)

    def contract(self, name: str) -> Contract:
        """A deployed contract of the suite."""
        return self.contract_at(name, self.deployment.address(name))

    def contract_at(self, name: str, address: Address) -> Contract:
        """A contract of a packaged kind at any address."""
        checksummed = self.web3.to_checksum_address(address)
        return self.web3.eth.contract(address=checksummed, abi=load_artifact(name).abi)

    def call(
        self, function: ContractFunction, transaction: TxParams | None = None, block: Any = "latest"
    ) -> Any:
        """A contract call whose revert comes as ChainReverted with the error's name and values."""
        try:
            return function.call(transaction or {}, block_identifier=block)
        except ContractLogicError as error:
            raise reverted(error) from error


def reverted(error: ContractLogicError) -> ChainReverted:
    """web3's revert as ours."""
    data = error.data
    text = data if isinstance(data, str) and data.startswith("0x") else "0x"
    return decode_revert(bytes.fromhex(text[2:]), packaged_shapes())


def connect(url: str, deployment: Deployment | None = None, wait_seconds: float = 0.0) -> Chain:
    """Connects, and checks that the endpoint serves the deployment's chain and has its contracts.

    Waits up to `wait_seconds` for a chain that is just starting. Raises ChainUnreachable or WrongChain.
    """
    web3 = Web3(Endpoint(url, request_kwargs={"timeout": REQUEST_TIMEOUT_SECONDS}))
    chain_id = _chain_id(web3, url, time.monotonic() + wait_seconds)
    if deployment is not None:
        _check(web3, chain_id, deployment)
    return Chain(web3, chain_id, deployment)


def _chain_id(web3: Web3, url: str, deadline: float) -> int:
    while True:
        try:
            return int(web3.eth.chain_id)
        except ChainUnreachable:
            if time.monotonic() >= deadline:
                raise
        except Web3Exception as error:
            raise ChainUnreachable("the endpoint is no Ethereum JSON-RPC", url=url) from error
        time.sleep(CONNECT_POLL_SECONDS)


def _check(web3: Web3, chain_id: int, deployment: Deployment) -> None:
    if chain_id != deployment.chain_id:
        raise WrongChain("the endpoint serves another chain", expected=deployment.chain_id, actual=chain_id)
    for name, address in deployment.contracts.items():
        if not web3.eth.get_code(web3.to_checksum_address(address)):
            raise WrongChain("a contract of the deployment is not on this chain", name=name, address=address)
