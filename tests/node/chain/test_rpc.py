"""Connecting: the right chain, the contracts there, one error for not answering; and decoding reverts."""

import socket
from pathlib import Path

import pytest
from eth_abi.abi import encode

from node.chain.deployment import Deployment, artifact_names, load_artifact, load_deployment
from node.chain.keccak import keccak
from node.chain.reverts import decode_revert, packaged_shapes
from node.chain.rpc import Chain, connect
from node.errors import ChainReverted, ChainUnreachable, ConfigError, NotFound, WrongChain
from protocol.types import Address
from tests.node.chain.support import CHAIN_ID, LocalDevnet, chain_process, chain_with_token


def test_a_deployment_is_checked_on_connecting() -> None:
    """SPEC 0.52: a wrong endpoint is noticed before anything is sent to it."""
    with chain_process() as running:
        deployment = chain_with_token(running.web3()).deployment
        chain = connect(running.url, deployment)
        assert chain.chain_id == CHAIN_ID
        assert chain.contract("OpenToken").functions.symbol().call() == "OPEN"
        assert chain.head().number == 1
        elsewhere = Deployment(1, 0, 0, deployment.contracts, {})
        with pytest.raises(WrongChain, match="another chain"):
            connect(running.url, elsewhere)
        absent = Deployment(CHAIN_ID, 0, 0, {"OpenToken": Address("0x" + "12" * 20)}, {})
        with pytest.raises(WrongChain, match="not on this chain"):
            connect(running.url, absent)
        with pytest.raises(NotFound, match="no such contract"):
            chain.contract("OpenGovernor")
    with pytest.raises(ChainUnreachable):
        chain.head()


def test_no_answer_and_no_chain_are_both_unreachable() -> None:
    """SPEC 0.52"""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        with pytest.raises(ChainUnreachable):
            connect(f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_time_is_the_later_of_wall_and_head(devnet: LocalDevnet) -> None:
    """SPEC 0.47"""
    chain = Chain(devnet.web3(), CHAIN_ID)
    devnet.rpc("evm_setNextBlockTimestamp", 4_000_000_000)
    devnet.rpc("evm_mine")
    assert chain.now() == chain.head().timestamp == 4_000_000_000
    with pytest.raises(ConfigError, match="no deployment"):
        chain.contract("OpenToken")


def test_a_call_that_reverts_names_the_error(devnet: LocalDevnet) -> None:
    """SPEC 0.42"""
    chain = chain_with_token(devnet.web3())
    stranger = chain.web3.eth.accounts[5]
    transfer = chain.contract("OpenToken").functions.transfer(stranger, 3)
    with pytest.raises(ChainReverted) as caught:
        chain.call(transfer, {"from": stranger})
    assert caught.value.name == "ERC20InsufficientBalance"
    assert caught.value.values == (stranger.lower(), 0, 3)


def test_every_declared_error_of_every_artifact_round_trips() -> None:
    """SPEC 0.42"""
    shapes = packaged_shapes()
    assert len(shapes) > 20
    zero = {"address": "0x" + "00" * 20, "bool": True, "string": "no", "bytes": b"\1"}
    for selector, shape in shapes.items():
        if any(kind.startswith("(") for kind in shape.types):
            continue
        values = tuple(
            zero.get(kind, [] if kind.endswith("]") else b"\1" * 32 if kind == "bytes32" else 0)
            for kind in shape.types
        )
        values = tuple(
            b"\1\2\3\4" if kind == "bytes4" else value
            for kind, value in zip(shape.types, values, strict=True)
        )
        found = decode_revert(selector + encode(shape.types, values), shapes)
        assert found.name == shape.name
        assert len(found.values) == len(shape.types)


def test_strange_revert_data_is_kept_not_guessed() -> None:
    """SPEC 0.42"""
    shapes = packaged_shapes()
    assert decode_revert(b"", shapes).name == "Unknown"
    assert decode_revert(b"\1\2\3", shapes).facts == {"data": "0x010203"}
    truncated = keccak(b"Error(string)")[:4] + b"\xff" * 40
    assert decode_revert(truncated, shapes).name == "Unknown"
    panic = keccak(b"Panic(uint256)")[:4] + (0x11).to_bytes(32, "big")
    assert decode_revert(panic, shapes).facts == {"reason": "arithmetic overflow"}


def test_the_package_holds_every_contract_with_code() -> None:
    for name in artifact_names():
        artifact = load_artifact(name)
        assert artifact.abi
        assert bytes.fromhex(artifact.bytecode.removeprefix("0x"))
    with pytest.raises(NotFound):
        load_artifact("../errors")


def test_a_deployment_file_is_read_strictly(tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    with pytest.raises(ConfigError, match="deploy the contracts first"):
        load_deployment(path)
    numbers = '"chainId": 31337, "block": 3, "genesis": 9'
    good = "{" + numbers + ', "contracts": {"OpenToken": "0x%s"}, "settings": {"bond": "1"}}'
    path.write_text(good % ("Ab" * 20))
    found = load_deployment(path)
    assert (found.chain_id, found.block, found.genesis) == (31337, 3, 9)
    assert found.address("OpenToken") == "0x" + "ab" * 20
    for bad in (
        "",
        "[]",
        "{}",
        good % "00",
        good.replace("31337", '"x"') % ("00" * 20),
        good.replace("3,", "-3,") % ("00" * 20),
    ):
        path.write_text(bad)
        with pytest.raises(ConfigError):
            load_deployment(path)
