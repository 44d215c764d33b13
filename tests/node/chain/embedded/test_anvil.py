"""The embedded chain beside anvil: the same transactions must come to the same results."""

import random
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from web3 import Web3
from web3.exceptions import ContractCustomError, Web3RPCError
from web3.utils import get_create_address

from node.chain.deployment import load_artifact
from node.chain.rpc import connect
from scripts.deployment_plan import DEVNET, ORDER, constructor_arguments
from tests.node.chain.support import CHAIN_ID, ROOT, START, LocalDevnet, LocalProvider

ANVIL = ROOT / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
GWEI = 10**9
FEES = {"maxFeePerGas": hex(100 * GWEI), "maxPriorityFeePerGas": hex(GWEI)}

pytestmark = [
    pytest.mark.anvil,
    pytest.mark.skipif(not ANVIL.exists(), reason="anvil is not installed (npm install)"),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def anvil_process(home: Path, base_fee: int) -> Iterator[Web3]:
    port = free_port()
    options = [
        "--hardfork",
        "prague",
        "--gas-limit",
        "30000000",
        "--steps-tracing",
        "--base-fee",
        str(base_fee),
        "--silent",
    ]
    command = [str(ANVIL), "--port", str(port), "--chain-id", str(CHAIN_ID), *options]
    process = subprocess.Popen(command, env={"HOME": str(home)})
    try:
        yield connect(f"http://127.0.0.1:{port}", wait_seconds=30).web3
    finally:
        process.terminate()
        process.wait(30)


class Both:
    """Sends each request to both chains and compares the outcomes."""

    def __init__(self, ours: Web3, theirs: Web3) -> None:
        self.chains = (ours, theirs)
        self.accounts = [str(account) for account in theirs.eth.accounts]
        self.contracts: list[str] = []
        self.time = START + 86_400

    def rpc(self, web3: Web3, method: str, *params: Any) -> dict[str, Any]:
        return dict(web3.provider.make_request(method, list(params)))

    def send(self, request: dict[str, Any]) -> None:
        # Votes are checkpointed by time, so equal results need equal times.
        self.time += 12
        for web3 in self.chains:
            self.rpc(web3, "evm_setNextBlockTimestamp", hex(self.time))
        digests = [self.rpc(web3, "eth_sendTransaction", {**request, **FEES}) for web3 in self.chains]
        assert [set(answer) & {"result"} for answer in digests] == [{"result"}] * 2, digests
        assert digests[0]["result"] == digests[1]["result"], "the signed transactions differ"
        receipts = [
            self.receipt(web3, str(answer["result"]))
            for web3, answer in zip(self.chains, digests, strict=True)
        ]
        assert essence(receipts[0]) == essence(receipts[1])
        if receipts[0]["contractAddress"]:
            self.contracts.append(str(receipts[0]["contractAddress"]))

    def receipt(self, web3: Web3, digest: str) -> dict[str, Any]:
        """anvil answers the sender before it has mined."""
        web3.eth.wait_for_transaction_receipt(digest, poll_latency=0.01)  # type: ignore[arg-type]
        return dict(self.rpc(web3, "eth_getTransactionReceipt", digest)["result"])

    def assert_same_state(self) -> None:
        for address in [*self.accounts, *self.contracts, "0x" + "00" * 20]:
            for method in ("eth_getBalance", "eth_getTransactionCount", "eth_getCode"):
                ours, theirs = (self.rpc(web3, method, address, "latest")["result"] for web3 in self.chains)
                assert ours == theirs, (method, address)
        heads = [self.rpc(web3, "eth_getBlockByNumber", "latest", False)["result"] for web3 in self.chains]
        for field in (
            "number",
            "baseFeePerGas",
            "gasUsed",
            "gasLimit",
            "logsBloom",
            "transactionsRoot",
            "receiptsRoot",
        ):
            assert heads[0][field] == heads[1][field], field


def essence(receipt: dict[str, Any]) -> dict[str, Any]:
    names = (
        "status",
        "gasUsed",
        "cumulativeGasUsed",
        "effectiveGasPrice",
        "contractAddress",
        "type",
        "logsBloom",
    )
    logs = [{name: log[name] for name in ("topics", "data", "logIndex")} for log in receipt["logs"]]
    addresses = [log["address"].lower() for log in receipt["logs"]]
    created = (receipt["contractAddress"] or "").lower()
    return {
        **{name: receipt[name] for name in names},
        "contractAddress": created,
        "logs": logs,
        "at": addresses,
    }


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    devnet = LocalDevnet()
    # anvil takes the first block's base fee, not the one before it.
    with anvil_process(tmp_path, devnet.producer.base_fee()) as theirs:
        yield Both(Web3(LocalProvider(devnet)), theirs)
    devnet.close()


def test_random_token_traffic_has_the_same_gas_logs_and_balances(both: Both) -> None:
    """SPEC 0.48"""
    choose = random.Random(48)
    artifact = load_artifact("OpenToken")
    holder = both.accounts[0]
    factory = both.chains[0].eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    creation = factory.constructor(holder).data_in_transaction
    both.send({"from": holder, "data": creation, "gas": hex(3_000_000)})
    token = both.chains[0].eth.contract(address=both.contracts[0], abi=artifact.abi)  # type: ignore[call-overload]

    def payload(sender: str) -> dict[str, Any]:
        other, third = choose.choice(both.accounts), choose.choice(both.accounts)
        amount = choose.choice([0, 1, 10**18, 10**28])
        calls = [
            ("transfer", [other, amount]),
            ("approve", [other, amount]),
            ("transferFrom", [other, third, amount // 2]),
            ("burn", [amount // 3]),
            ("delegate", [other]),
        ]
        function, arguments = choose.choice(calls)
        data = token.encode_abi(function, args=arguments)
        return {"from": sender, "to": token.address, "data": data, "gas": hex(300_000)}

    for _ in range(60):
        sender = choose.choice(both.accounts)
        if choose.random() < 0.3:
            value = hex(choose.randrange(10**18))
            both.send(
                {"from": sender, "to": choose.choice(both.accounts), "value": value, "gas": hex(60_000)}
            )
        else:
            both.send(payload(sender))
    both.assert_same_state()


def test_the_whole_suite_deploys_to_the_same_code(both: Both) -> None:
    """SPEC 0.48"""
    settings = replace(DEVNET, genesis=1_900_000_000)
    deployer = both.accounts[0]
    at = {name: get_create_address(deployer, place) for place, name in enumerate(ORDER)}  # type: ignore[arg-type]
    arguments = constructor_arguments(at, deployer, settings)
    for name in ORDER:
        artifact = load_artifact(name)
        factory = both.chains[0].eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
        creation = factory.constructor(*arguments[name]).data_in_transaction
        both.send({"from": both.accounts[0], "data": creation, "gas": hex(8_000_000)})
    assert [address.lower() for address in both.contracts] == [at[name].lower() for name in ORDER]
    both.assert_same_state()


def test_a_revert_has_the_same_data_and_web3_reads_the_same_error(both: Both) -> None:
    """SPEC 0.42 and 0.48"""
    artifact = load_artifact("OpenToken")
    factory = both.chains[0].eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    creation = factory.constructor(both.accounts[0]).data_in_transaction
    both.send({"from": both.accounts[0], "data": creation, "gas": hex(3_000_000)})
    errors = []
    for web3 in both.chains:
        token = web3.eth.contract(address=both.contracts[0], abi=artifact.abi)  # type: ignore[call-overload]
        with pytest.raises(ContractCustomError) as caught:
            token.functions.transfer(both.accounts[1], 5).call({"from": both.accounts[2]})
        errors.append(caught.value.data)
    assert errors[0] == errors[1]


def test_a_trace_takes_the_same_steps(both: Both) -> None:
    """SPEC 0.48"""
    artifact = load_artifact("OpenToken")
    factory = both.chains[0].eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    creation = factory.constructor(both.accounts[0]).data_in_transaction
    both.send({"from": both.accounts[0], "data": creation, "gas": hex(3_000_000)})
    token = both.chains[0].eth.contract(address=both.contracts[0], abi=artifact.abi)  # type: ignore[call-overload]
    request = {"from": both.accounts[0], "to": both.contracts[0], "gas": hex(200_000)}
    for amount in (5, 10**40):
        data = token.encode_abi("transfer", args=[both.accounts[1], amount])
        both.send({**request, "data": data})
        digest = both.chains[0].eth.get_block("latest")["transactions"][0]
        traces = [trace_of(both, web3, "0x" + digest.hex()) for web3 in both.chains]
        assert len(traces[0]["structLogs"]) > 100
        assert traces[0] == traces[1]


def trace_of(both: Both, web3: Web3, digest: str) -> dict[str, Any]:
    answer = both.rpc(web3, "debug_traceTransaction", digest, {})["result"]
    fields = ("pc", "op", "gas", "depth", "stack")
    steps = [{field: step[field] for field in fields} for step in answer["structLogs"]]
    return {"failed": answer["failed"], "gas": answer["gas"], "structLogs": steps}


def test_both_refuse_the_same_transactions(both: Both) -> None:
    """SPEC 0.41 and 0.48"""
    sender, to = both.accounts[:2]
    both.send({"from": sender, "to": to, "value": "0x1", "gas": hex(21_000)})
    bad: list[dict[str, Any]] = [
        {"nonce": "0x0", "gas": hex(21_000)},
        {"value": hex(10**30), "gas": hex(21_000)},
        {"gas": hex(20_999)},
        {"gas": hex(30_000_001)},
    ]
    for fields in bad:
        for web3 in both.chains:
            request = {"from": sender, "to": to, "value": "0x1", **FEES, **fields}
            with pytest.raises(Web3RPCError):
                web3.eth.send_transaction(request)  # type: ignore[arg-type]
    both.assert_same_state()
