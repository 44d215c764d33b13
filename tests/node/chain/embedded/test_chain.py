"""Laws of the embedded chain: money, order, gas, logs, time and going back."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.chain.embedded import index
from node.chain.embedded.chain import EmbeddedChain
from node.chain.embedded.database import open_connection
from node.chain.embedded.errors import EXECUTION_REVERTED, RpcError
from node.chain.embedded.index import LogFilter, LogRow
from node.errors import ConfigError
from tests.node.chain.support import LocalDevnet, Wall, chain_with_token

ETHER = 10**18
transfers = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 3 * ETHER), st.integers(0, 3)), max_size=8
)


def balances(devnet: LocalDevnet, block: str = "latest") -> dict[str, int]:
    holders = [devnet.address(index) for index in range(10)] + ["0x" + "00" * 20]
    return {holder: int(devnet.rpc("eth_getBalance", holder, block), 16) for holder in holders}


def send(devnet: LocalDevnet, sender: int, to: int, value: int, **fields: str) -> str:
    request = {"from": devnet.address(sender), "to": devnet.address(to), "value": hex(value), **fields}
    return str(devnet.rpc("eth_sendTransaction", request))


def number(devnet: LocalDevnet) -> int:
    return int(devnet.rpc("eth_blockNumber"), 16)


def block(devnet: LocalDevnet, at: str = "latest", full: bool = False) -> dict[str, Any]:
    return dict(devnet.rpc("eth_getBlockByNumber", at, full))


@settings(max_examples=25, deadline=None)
@given(moves=transfers)
def test_only_the_base_fee_leaves_circulation(moves: list[tuple[int, int, int, int]]) -> None:
    """SPEC 0.40"""
    devnet = LocalDevnet()
    before = sum(balances(devnet).values())
    for sender, to, value, tip in moves:
        fees = {"maxFeePerGas": hex(10**10), "maxPriorityFeePerGas": hex(tip * 10**9)}
        send(devnet, sender, to, value, **fees)
    headers = [block(devnet, hex(height)) for height in range(number(devnet) + 1)]
    burnt = sum(int(header["baseFeePerGas"], 16) * int(header["gasUsed"], 16) for header in headers)
    assert sum(balances(devnet).values()) == before - burnt
    assert number(devnet) == len(moves)
    devnet.close()


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(list(range(6))))
def test_transactions_run_in_nonce_order_however_they_arrive(order: list[int]) -> None:
    """SPEC 0.41"""
    devnet = LocalDevnet()
    hashes: dict[int, str] = {}
    for nonce in order:
        hashes[nonce] = send(devnet, 0, 1, nonce, nonce=hex(nonce), gas=hex(21_000))
    receipts = [devnet.rpc("eth_getTransactionReceipt", hashes[nonce]) for nonce in range(6)]
    assert [int(receipt["blockNumber"], 16) for receipt in receipts] == [1, 2, 3, 4, 5, 6]
    assert int(devnet.rpc("eth_getTransactionCount", devnet.address(0), "latest"), 16) == 6
    devnet.close()


def test_a_used_nonce_is_refused_and_a_gap_waits(devnet: LocalDevnet) -> None:
    """SPEC 0.41"""
    send(devnet, 0, 1, 1)
    with pytest.raises(RpcError, match="nonce too low"):
        send(devnet, 0, 1, 1, nonce="0x0", gas=hex(21_000))
    waiting = send(devnet, 0, 1, 1, nonce="0x2", gas=hex(21_000))
    assert devnet.rpc("eth_getTransactionReceipt", waiting) is None
    assert devnet.rpc("eth_getTransactionByHash", waiting)["blockHash"] is None
    assert int(devnet.rpc("eth_getTransactionCount", devnet.address(0), "pending"), 16) == 1
    send(devnet, 0, 1, 1)
    assert int(devnet.rpc("eth_getTransactionReceipt", waiting)["blockNumber"], 16) == 3


def test_a_waiting_transaction_is_replaced_only_by_a_dearer_one() -> None:
    """SPEC 0.41"""
    devnet = LocalDevnet(automine=False)
    cheap = send(devnet, 0, 1, 1, nonce="0x0", gas=hex(21_000), gasPrice=hex(10**10))
    with pytest.raises(RpcError, match="underpriced"):
        send(devnet, 0, 1, 2, nonce="0x0", gas=hex(21_000), gasPrice=hex(10**10 + 1))
    dear = send(devnet, 0, 1, 2, nonce="0x0", gas=hex(21_000), gasPrice=hex(11 * 10**9))
    devnet.rpc("evm_mine")
    assert devnet.rpc("eth_getTransactionReceipt", cheap) is None
    assert devnet.rpc("eth_getTransactionReceipt", dear)["status"] == "0x1"
    devnet.close()


def test_one_interval_block_holds_all_that_is_ready() -> None:
    """SPEC 0.41: several transactions of several senders in one block, none twice."""
    devnet = LocalDevnet(automine=False)
    hashes = [send(devnet, sender, 9, 1, gas=hex(21_000)) for sender in (0, 1, 0, 2, 1)]
    devnet.rpc("evm_mine")
    assert sorted(block(devnet)["transactions"]) == sorted(hashes)
    assert int(block(devnet)["gasUsed"], 16) == 5 * 21_000
    devnet.rpc("evm_mine")
    assert block(devnet)["transactions"] == []
    devnet.close()


def test_an_unaffordable_transaction_does_not_hold_up_the_block() -> None:
    """SPEC 0.41: each is affordable alone, both together are not; the block takes the valid one."""
    devnet = LocalDevnet(automine=False)
    balance = int(devnet.rpc("eth_getBalance", devnet.address(0), "latest"), 16)
    first = send(devnet, 0, 1, balance - ETHER, gas=hex(21_000))
    second = send(devnet, 0, 1, balance - ETHER, gas=hex(21_000))
    other = send(devnet, 2, 1, 1, gas=hex(21_000))
    for _ in range(3):
        devnet.rpc("evm_mine")
    assert devnet.rpc("eth_getTransactionReceipt", first)["status"] == "0x1"
    assert devnet.rpc("eth_getTransactionReceipt", other)["status"] == "0x1"
    assert devnet.rpc("eth_getTransactionReceipt", second) is None
    assert devnet.rpc("txpool_status")["pending"] == "0x0"
    devnet.close()


def test_a_revert_carries_its_data_and_the_mined_failure_its_status(devnet: LocalDevnet) -> None:
    """SPEC 0.42"""
    token = chain_with_token(devnet.web3()).contract("OpenToken")
    stranger, other = devnet.web3().eth.accounts[5:7]
    payload = token.encode_abi("transfer", args=[other, 7])
    request = {"from": stranger, "to": token.address, "data": payload}
    for method in ("eth_call", "eth_estimateGas"):
        with pytest.raises(RpcError) as caught:
            devnet.rpc(method, request)
        assert caught.value.code == EXECUTION_REVERTED
        assert caught.value.data is not None
        selector = devnet.web3().keccak(text="ERC20InsufficientBalance(address,uint256,uint256)")[:4]
        assert caught.value.data.startswith("0x" + selector.hex())
    digest = devnet.rpc("eth_sendTransaction", {**request, "gas": hex(200_000)})
    receipt = devnet.rpc("eth_getTransactionReceipt", digest)
    assert receipt["status"] == "0x0"
    assert receipt["logs"] == []


@settings(max_examples=10, deadline=None)
@given(amount=st.integers(0, 10**27), to=st.integers(1, 9))
def test_an_estimate_suffices_and_one_less_than_the_least_does_not(amount: int, to: int) -> None:
    """SPEC 0.43"""
    devnet = LocalDevnet()
    token = chain_with_token(devnet.web3()).contract("OpenToken")
    payload = token.encode_abi("transfer", args=[devnet.web3().eth.accounts[to], amount])
    request = {"from": devnet.address(0), "to": token.address, "data": payload}
    estimate = devnet.rpc("eth_estimateGas", request)
    receipt = devnet.rpc(
        "eth_getTransactionReceipt", devnet.rpc("eth_sendTransaction", {**request, "gas": estimate})
    )
    assert receipt["status"] == "0x1"
    assert int(receipt["gasUsed"], 16) <= int(estimate, 16)
    devnet.close()


def test_a_plain_transfer_is_estimated_exactly(devnet: LocalDevnet) -> None:
    """SPEC 0.43"""
    request = {"from": devnet.address(0), "to": devnet.address(1), "value": "0x1"}
    assert devnet.rpc("eth_estimateGas", request) == hex(21_000)


def test_gas_below_the_calldata_floor_is_refused(devnet: LocalDevnet) -> None:
    """SPEC 0.43: EIP-7623; without the check the sender would pay for more gas than it offered."""
    request = {"from": devnet.address(0), "to": devnet.address(1), "data": "0x" + "ff" * 1000}
    least = 21_000 + 40 * 1000
    assert int(devnet.rpc("eth_estimateGas", request), 16) >= least
    with pytest.raises(RpcError, match="intrinsic gas too low"):
        devnet.rpc("eth_sendTransaction", {**request, "gas": hex(least - 1)})
    devnet.rpc("eth_sendTransaction", {**request, "gas": hex(least)})
    assert block(devnet)["gasUsed"] == hex(least)


addresses = st.sampled_from([b"\1" * 20, b"\2" * 20, b"\3" * 20])
words = st.sampled_from([b"\1" * 32, b"\2" * 32])
wanted_logs = st.builds(
    LogFilter,
    st.frozensets(addresses, max_size=2),
    st.lists(st.frozensets(words, max_size=2), max_size=4).map(tuple),
)
rows = st.builds(
    LogRow,
    st.just(0),
    st.just(0),
    st.just(0),
    st.just(b"\0" * 32),
    addresses,
    st.lists(words, max_size=4).map(tuple),
    st.just(b""),
)


@settings(max_examples=60, deadline=None)
@given(logs=st.lists(rows, max_size=12), wanted=wanted_logs, first=st.integers(0, 4), last=st.integers(0, 4))
def test_the_log_index_finds_what_a_scan_finds(
    logs: list[LogRow], wanted: LogFilter, first: int, last: int
) -> None:
    """SPEC 0.44"""
    placed = [replace(log, block=place // 3, position=place % 3) for place, log in enumerate(logs)]
    connection = open_connection(":memory:")
    for height in range(4):
        mine = [log for log in placed if log.block == height]
        index.add_block(connection, height, height.to_bytes(32, "big"), (), mine)
    found = index.find_logs(connection, wanted, first, last, 100)
    assert found == [log for log in placed if first <= log.block <= last and wanted.matches(log)]
    connection.close()


def test_logs_over_rpc_equal_a_filter_over_all_receipts(devnet: LocalDevnet) -> None:
    """SPEC 0.44"""
    web3 = devnet.web3()
    token = chain_with_token(web3).contract("OpenToken")
    for to, amount in ((1, 5), (2, 6), (1, 7), (3, 0)):
        token.functions.transfer(web3.eth.accounts[to], amount).transact({"from": web3.eth.accounts[0]})
    every = [
        log
        for height in range(number(devnet) + 1)
        for digest in block(devnet, hex(height))["transactions"]
        for log in devnet.rpc("eth_getTransactionReceipt", digest)["logs"]
    ]
    recipient = "0x" + "00" * 12 + devnet.address(1)[2:]
    whole = {"fromBlock": "0x0", "toBlock": "latest"}
    assert devnet.rpc("eth_getLogs", whole) == every
    assert devnet.rpc("eth_getLogs", {**whole, "topics": [None, None, recipient]}) == [
        log for log in every if len(log["topics"]) > 2 and log["topics"][2] == recipient
    ]
    last = every[-1]
    assert devnet.rpc("eth_getLogs", {"blockHash": last["blockHash"]}) == [
        log for log in every if log["blockHash"] == last["blockHash"]
    ]


def test_time_follows_the_wall_and_never_stands_still(devnet: LocalDevnet) -> None:
    """SPEC 0.47"""
    stamps = [int(block(devnet)["timestamp"], 16)]
    for step in (0, 0, 5, -100, 0, 300):
        devnet.wall.now += step
        send(devnet, 0, 1, 1)
        stamp = int(block(devnet)["timestamp"], 16)
        assert stamp == max(devnet.wall.now, stamps[-1] + 1)
        stamps.append(stamp)


def test_a_time_jump_counts_from_what_the_chain_shows(devnet: LocalDevnet) -> None:
    """SPEC 0.47: also when fast blocks have run ahead of the wall."""
    for _ in range(50):
        send(devnet, 0, 1, 1)
    before = int(block(devnet)["timestamp"], 16)
    devnet.rpc("evm_increaseTime", 1000)
    devnet.rpc("evm_mine")
    assert int(block(devnet)["timestamp"], 16) >= before + 1000
    target = before + 5000
    devnet.rpc("evm_setNextBlockTimestamp", target)
    send(devnet, 0, 1, 1)
    assert int(block(devnet)["timestamp"], 16) == target
    send(devnet, 0, 1, 1)
    assert target < int(block(devnet)["timestamp"], 16) <= target + 2
    with pytest.raises(RpcError, match="not after"):
        devnet.rpc("evm_setNextBlockTimestamp", target)


def test_a_call_on_an_idle_chain_sees_the_present(devnet: LocalDevnet) -> None:
    """SPEC 0.47: else whatever waits for a time to pass would wait for a block that nobody makes."""
    token = chain_with_token(devnet.web3()).contract("OpenToken")
    head = int(block(devnet)["timestamp"], 16)
    devnet.wall.now = head + 500
    assert token.functions.clock().call() == head + 500
    assert token.functions.clock().call(block_identifier=number(devnet)) == head


def test_a_revert_of_the_chain_restores_every_account_and_forgets_what_came_after(
    devnet: LocalDevnet,
) -> None:
    """SPEC 0.46"""
    send(devnet, 0, 1, ETHER)
    kept_balances, kept_head = balances(devnet), block(devnet)
    taken = devnet.rpc("evm_snapshot")
    devnet.rpc("evm_increaseTime", 10_000)
    dropped = [send(devnet, index, 5, ETHER) for index in range(4)]
    later = devnet.rpc("evm_snapshot")
    send(devnet, 1, 2, 3)
    assert devnet.rpc("evm_revert", taken) is True
    assert balances(devnet) == kept_balances
    assert block(devnet) == kept_head
    assert [devnet.rpc("eth_getTransactionReceipt", digest) for digest in dropped] == [None] * 4
    assert devnet.rpc("eth_getBlockByNumber", hex(int(kept_head["number"], 16) + 1), False) is None
    assert devnet.rpc("evm_revert", taken) is False
    assert devnet.rpc("evm_revert", later) is False
    again = send(devnet, 3, 4, 9)
    assert devnet.rpc("eth_getTransactionReceipt", again)["blockNumber"] == hex(
        int(kept_head["number"], 16) + 1
    )
    assert int(block(devnet)["timestamp"], 16) < int(kept_head["timestamp"], 16) + 10_000


def test_every_past_state_can_be_read(devnet: LocalDevnet) -> None:
    """SPEC 0.45: an archive; each block's balances are what they were when it was the head."""
    seen = {}
    for value in range(1, 8):
        send(devnet, 0, 1, value * ETHER)
        seen[hex(number(devnet))] = balances(devnet)
    assert {height: balances(devnet, height) for height in seen} == seen


def test_a_file_of_another_chain_is_refused(tmp_path: Any) -> None:
    """SPEC 0.45"""
    path = str(tmp_path / "chain.sqlite")
    LocalDevnet(path).close()
    with pytest.raises(ConfigError, match="another chain"):
        EmbeddedChain(path, 1, [], 0)
    open_twice = LocalDevnet(path)
    with pytest.raises(ConfigError, match="another process"):
        LocalDevnet(path)
    open_twice.close()


def test_the_clock_offset_survives_reopening(tmp_path: Any) -> None:
    """SPEC 0.45"""
    path, wall = str(tmp_path / "chain.sqlite"), Wall()
    devnet = LocalDevnet(path, wall)
    devnet.rpc("evm_increaseTime", 5000)
    devnet.rpc("evm_mine")
    head = block(devnet)
    devnet.close()
    wall.now += 10
    reopened = LocalDevnet(path, wall)
    assert block(reopened) == head
    reopened.rpc("evm_mine")
    assert int(block(reopened)["timestamp"], 16) == wall.now + 5000
    reopened.close()
