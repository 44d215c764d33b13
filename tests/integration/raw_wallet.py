"""A wallet that knows nothing but JSON-RPC over HTTP: it encodes calldata, signs transactions, reads words.

No contract object and no ABI file: functions are named by their signatures, as a script's author would copy
them from OpenZeppelin's documentation.
"""

import json
import urllib.request
from itertools import count
from typing import Any

from eth_abi import decode, encode
from eth_account import Account
from eth_account.signers.local import LocalAccount

from node.chain.keccak import keccak


class RpcRefused(Exception):
    """The endpoint answered with an error."""


class Endpoint:
    """One JSON-RPC endpoint."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ids = count(1)

    def ask(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}
        request = urllib.request.Request(
            self._url, json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = json.loads(answer.read())
        if "error" in found:
            raise RpcRefused(found["error"])
        return found["result"]


def calldata(signature: str, *arguments: Any) -> str:
    """Selector and arguments; `signature` such as "delegate(address)"."""
    inner = signature[signature.index("(") + 1 : -1]
    types = inner.split(",") if inner else []
    return "0x" + (keccak(signature.encode())[:4] + encode(types, arguments)).hex()


class RawWallet:
    """One private key and an endpoint."""

    def __init__(self, endpoint: Endpoint, key: bytes) -> None:
        self.endpoint = endpoint
        self._account: LocalAccount = Account.from_key(key)
        self.address = self._account.address

    def send(self, to: str, signature: str, *arguments: Any) -> dict[str, Any]:
        """Signs, sends and waits for a transaction; its receipt."""
        ask, data = self.endpoint.ask, calldata(signature, *arguments)
        call = {"from": self.address, "to": to, "data": data}
        base = int(ask("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
        tip = int(ask("eth_maxPriorityFeePerGas"), 16)
        signed = self._account.sign_transaction(
            {
                "type": 2,
                "chainId": int(ask("eth_chainId"), 16),
                "nonce": int(ask("eth_getTransactionCount", self.address, "pending"), 16),
                "to": to,
                "value": 0,
                "data": data,
                "gas": int(ask("eth_estimateGas", call), 16) * 12 // 10,
                "maxPriorityFeePerGas": tip,
                "maxFeePerGas": 2 * base + tip,
            }
        )
        digest = ask("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex().removeprefix("0x"))
        receipt: dict[str, Any] = ask("eth_getTransactionReceipt", digest)
        assert receipt["status"] == "0x1", receipt
        return receipt

    def read(self, to: str, signature: str, returns: str, *arguments: Any) -> Any:
        """A call's values by their types, such as "uint256,bool"; one alone comes bare."""
        call = {"from": self.address, "to": to, "data": calldata(signature, *arguments)}
        types = returns.split(",")
        values = decode(types, bytes.fromhex(self.endpoint.ask("eth_call", call, "latest")[2:]))
        return values[0] if len(types) == 1 else values

    def events(self, receipt: dict[str, Any], signature: str) -> list[dict[str, Any]]:
        """The receipt's logs of one event, asked for by block and topic as an indexer does."""
        topic = "0x" + keccak(signature.encode()).hex()
        block = receipt["blockNumber"]
        logs = self.endpoint.ask("eth_getLogs", {"fromBlock": block, "toBlock": block, "topics": [topic]})
        return [log for log in logs if log["transactionHash"] == receipt["transactionHash"]]
