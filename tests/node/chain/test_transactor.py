"""The transactor against a chain that behaves, and one that loses replies, forgets and reorganises."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from web3 import Web3
from web3.types import RPCEndpoint, RPCResponse

from node.chain.rpc import Chain
from node.chain.transactor import SendPolicy, TransactionPending, TransactionRefused, Transactor
from node.errors import ChainReverted, ChainUnreachable
from node.store.database import Database
from node.store.transactions import TransactionStore
from tests.node.chain.support import LocalDevnet, LocalProvider, chain_with_token

QUICK = SendPolicy(timeout=2.0, poll=0.01, resend_after=0.05)


class FaultyProvider(LocalProvider):
    """Does what `fault` says to the next `times` sends: lose_request, lose_reply or swallow."""

    def __init__(self, devnet: LocalDevnet) -> None:
        super().__init__(devnet)
        self.fault, self.times = "", 0
        self.sent: list[str] = []
        self.before_send: Callable[[], None] | None = None

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        if method != "eth_sendRawTransaction":
            return super().make_request(method, params)
        self.sent.append(params[0])
        if self.before_send is not None:
            self.before_send()
        if self.times == 0:
            return super().make_request(method, params)
        self.times -= 1
        if self.fault == "lose_request":
            raise ChainUnreachable("connection refused")
        if self.fault == "swallow":
            return {"jsonrpc": "2.0", "id": 1, "result": Web3.to_hex(Web3.keccak(hexstr=params[0]))}
        answer = super().make_request(method, params)
        if self.fault == "wrong_error":
            return {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "nonce too low"}}
        assert "result" in answer
        raise ChainUnreachable("connection reset")


@pytest.fixture
def provider(devnet: LocalDevnet) -> FaultyProvider:
    return FaultyProvider(devnet)


@pytest.fixture
def chain(provider: FaultyProvider) -> Chain:
    return chain_with_token(Web3(provider))


def transactor(chain: Chain, devnet: LocalDevnet, database: Database, index: int = 0) -> Transactor:
    return Transactor(chain, devnet.key(index), TransactionStore(database), QUICK)


def balance(chain: Chain, account: str) -> int:
    return int(
        chain.contract("OpenToken").functions.balanceOf(chain.web3.to_checksum_address(account)).call()
    )


def transfer(chain: Chain, to: str, amount: int) -> Any:
    return chain.contract("OpenToken").functions.transfer(chain.web3.to_checksum_address(to), amount)


def test_a_call_is_mined_once_and_recorded(devnet: LocalDevnet, chain: Chain, database: Database) -> None:
    """SPEC 0.51"""
    receipt = transactor(chain, devnet, database).send(transfer(chain, devnet.address(1), 5))
    assert receipt["status"] == 1
    assert balance(chain, devnet.address(1)) == 5
    rows = database.execute("SELECT state, mined_block, succeeded FROM transactions").fetchall()
    assert [tuple(row) for row in rows] == [("mined", receipt["blockNumber"], 1)]


@pytest.mark.parametrize("fault", ["lose_request", "lose_reply", "swallow", "wrong_error"])
def test_a_lost_request_or_reply_does_not_lose_or_double_a_payment(
    devnet: LocalDevnet, chain: Chain, provider: FaultyProvider, database: Database, fault: str
) -> None:
    """SPEC 0.51 and 0.52"""
    provider.fault, provider.times = fault, 1
    transactor(chain, devnet, database).send(transfer(chain, devnet.address(1), 5))
    assert balance(chain, devnet.address(1)) == 5
    sending = transactor(chain, devnet, database)
    sending.send(transfer(chain, devnet.address(1), 5))
    assert balance(chain, devnet.address(1)) == 10


def test_a_foreseeable_revert_comes_decoded_and_is_never_sent(
    devnet: LocalDevnet, chain: Chain, provider: FaultyProvider, database: Database
) -> None:
    """SPEC 0.42"""
    with pytest.raises(ChainReverted) as caught:
        transactor(chain, devnet, database, 3).send(transfer(chain, devnet.address(1), 9))
    assert caught.value.name == "ERC20InsufficientBalance"
    assert caught.value.values == (devnet.address(3), 0, 9)
    assert provider.sent == []
    assert len(database.execute("SELECT * FROM transactions")) == 0


def test_a_revert_found_only_when_mined_comes_decoded_too(
    devnet: LocalDevnet, chain: Chain, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 0.42: the state moved between the check and the block."""
    sender = transactor(chain, devnet, database, 3)
    planned = transfer(chain, devnet.address(1), 9)
    monkeypatch.setattr(planned, "build_transaction", lambda fields: doomed(chain, fields, devnet))
    with pytest.raises(ChainReverted) as caught:
        sender.send(planned)
    assert caught.value.name == "ERC20InsufficientBalance"
    assert "transaction" in caught.value.facts
    row = database.execute("SELECT state, succeeded FROM transactions").fetchone()
    assert row is not None
    assert tuple(row) == ("mined", 0)


def doomed(chain: Chain, fields: dict[str, Any], devnet: LocalDevnet) -> dict[str, Any]:
    token = chain.contract("OpenToken")
    data = token.encode_abi("transfer", args=[chain.web3.to_checksum_address(devnet.address(1)), 9])
    return {**fields, "to": token.address, "data": data, "gas": 100_000}


def test_what_the_chain_refuses_is_not_retried_and_frees_its_nonce(
    devnet: LocalDevnet, chain: Chain, database: Database
) -> None:
    """SPEC 0.52"""
    sender = transactor(chain, devnet, database, 4)
    everything = int(chain.web3.eth.get_balance(chain.web3.to_checksum_address(devnet.address(4))))
    with pytest.raises(TransactionRefused):
        sender.send_value(sender.address, everything)
    assert sender.send_value(sender.address, 1)["status"] == 1
    states = [row["state"] for row in database.execute("SELECT state FROM transactions")]
    assert states == ["mined"]


def test_a_nonce_used_elsewhere_plans_the_payload_anew(
    devnet: LocalDevnet, chain: Chain, provider: FaultyProvider, database: Database
) -> None:
    """SPEC 0.53: the operator's wallet is quicker with the same nonce."""
    stolen = []

    def steal() -> None:
        body = {"from": devnet.address(0), "to": devnet.address(9), "value": "0x1"}
        stolen.append(devnet.rpc("eth_sendTransaction", body))
        provider.before_send = None

    provider.before_send = steal
    transactor(chain, devnet, database).send(transfer(chain, devnet.address(1), 5))
    assert stolen
    assert balance(chain, devnet.address(1)) == 5
    states = [row["state"] for row in database.execute("SELECT state FROM transactions ORDER BY nonce")]
    assert states == ["lost", "mined"]


def test_a_pending_transaction_is_finished_before_a_new_one_starts(
    devnet: LocalDevnet, chain: Chain, provider: FaultyProvider, database: Database
) -> None:
    """SPEC 0.51"""
    provider.fault, provider.times = "lose_request", 1000
    with pytest.raises(TransactionPending):
        transactor(chain, devnet, database).send(transfer(chain, devnet.address(1), 5))
    assert balance(chain, devnet.address(1)) == 0
    provider.times = 0
    last_raw = provider.sent[-1]
    provider.sent.clear()
    transactor(chain, devnet, database).send(transfer(chain, devnet.address(2), 7))
    assert provider.sent[0] == last_raw, "the saved bytes are sent again, not a new transaction"
    assert (balance(chain, devnet.address(1)), balance(chain, devnet.address(2))) == (5, 7)


def test_attempts_of_one_nonce_differ_in_their_fees_alone(
    devnet: LocalDevnet, chain: Chain, provider: FaultyProvider, database: Database
) -> None:
    """SPEC 0.51"""
    provider.fault, provider.times = "lose_request", 4
    transactor(chain, devnet, database).send(transfer(chain, devnet.address(1), 5))
    decoded = [
        devnet.producer.chain.transaction_builder.decode(bytes.fromhex(raw[2:])) for raw in provider.sent
    ]
    payloads = {(tx.nonce, tx.to, tx.value, tx.data, tx.gas, tx.sender) for tx in decoded}
    assert len(decoded) == 5
    assert len(payloads) == 1
    fees = [tx.max_fee_per_gas for tx in decoded]
    assert fees == sorted(set(fees))
    assert balance(chain, devnet.address(1)) == 5


def test_threads_take_turns(devnet: LocalDevnet, chain: Chain, database: Database) -> None:
    """SPEC 0.51: one writer per account; no nonce is used twice and none is skipped."""
    sender = transactor(chain, devnet, database)
    block = threading.Lock()

    def pay(to: int) -> None:
        with block:
            call = transfer(chain, devnet.address(to), 1)
        sender.send(call)

    threads = [threading.Thread(target=pay, args=(1 + place % 3,)) for place in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [balance(chain, devnet.address(to)) for to in (1, 2, 3)] == [3, 3, 3]
    nonces = [row["nonce"] for row in database.execute("SELECT nonce FROM transactions ORDER BY nonce")]
    assert nonces == list(range(nonces[0], nonces[0] + 9))


def test_what_a_reorganisation_undid_is_sent_again(
    devnet: LocalDevnet, chain: Chain, provider: FaultyProvider, database: Database
) -> None:
    """SPEC 0.51"""
    sender = transactor(chain, devnet, database)
    taken = devnet.rpc("evm_snapshot")
    sender.send(transfer(chain, devnet.address(1), 5))
    sender.send(transfer(chain, devnet.address(1), 6))
    sent = list(provider.sent)
    devnet.rpc("evm_revert", taken)
    assert balance(chain, devnet.address(1)) == 0
    provider.sent.clear()
    assert sender.recheck(64) == 2
    assert provider.sent[:2] == sent
    assert balance(chain, devnet.address(1)) == 11
    assert sender.recheck(64) == 0


def test_deploying_returns_where_the_contract_is(
    devnet: LocalDevnet, chain: Chain, database: Database
) -> None:
    """SPEC 0.51"""
    sender = transactor(chain, devnet, database, 2)
    address = sender.deploy("OpenToken", chain.web3.to_checksum_address(sender.address))
    supply = chain.contract_at("OpenToken", address).functions.totalSupply().call()
    assert supply == 10**27
