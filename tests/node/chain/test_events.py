"""The follower: its tables equal a fresh index after any reorganisation it can undo; deeper it halts."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from web3 import Web3

from node.chain.events import BlockMemory, ChainEvent, ChainMoved, EventFollower
from node.chain.rpc import Chain
from node.errors import ReorgTooDeep
from node.failpoints import FailpointReached
from node.store.database import Database, open_database
from node.store.followed_blocks import FollowedBlocks
from tests.node.chain.support import LocalDevnet, LocalProvider, chain_with_token

REMEMBERED = 12


class Balances:
    """A stage's mirror of Transfer: every movement, in a table of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.fail_at: int | None = None
        database.execute(
            "CREATE TABLE IF NOT EXISTS movements (block INTEGER, position INTEGER, sender TEXT,"
            " receiver TEXT, amount TEXT, PRIMARY KEY (block, position))"
        )

    def apply(self, event: ChainEvent) -> None:
        if event.name != "Transfer":
            return
        if self.fail_at is not None and event.block >= self.fail_at:
            raise FailpointReached("the handler fails")
        values = event.values
        self.database.execute(
            "INSERT INTO movements VALUES (?, ?, ?, ?, ?)",
            (event.block, event.position, values["from"], values["to"], str(values["value"])),
        )

    def rewind(self, block: int) -> None:
        self.database.execute("DELETE FROM movements WHERE block > ?", (block,))

    def rows(self) -> list[tuple[Any, ...]]:
        return [
            tuple(row) for row in self.database.execute("SELECT * FROM movements ORDER BY block, position")
        ]


@pytest.fixture
def chain(devnet: LocalDevnet) -> Chain:
    return chain_with_token(devnet.web3())


def follower(chain: Chain, database: Database, name: str = "test") -> tuple[EventFollower, Balances]:
    handler = Balances(database)
    memory: BlockMemory = FollowedBlocks(database, name)
    return EventFollower(chain, ["OpenToken"], [handler], memory, remembered=REMEMBERED), handler


def fresh_index(chain: Chain) -> list[tuple[Any, ...]]:
    database = open_database(":memory:")
    following, handler = follower(chain, database)
    following.poll()
    rows = handler.rows()
    database.close()
    return rows


def pay(chain: Chain, to: int, amount: int) -> None:
    accounts = chain.web3.eth.accounts
    transfer = chain.contract("OpenToken").functions.transfer(accounts[to], amount)
    chain.web3.eth.wait_for_transaction_receipt(transfer.transact({"from": accounts[0]}))


def test_events_are_decoded_and_applied_once(chain: Chain, database: Database) -> None:
    """SPEC 0.56"""
    following, handler = follower(chain, database)
    assert following.cursor() is None
    pay(chain, 1, 5)
    assert following.poll() >= 2
    accounts = [account.lower() for account in chain.web3.eth.accounts]
    assert [row[2:] for row in handler.rows()] == [
        ("0x" + "00" * 20, accounts[0], str(10**27)),
        (accounts[0], accounts[1], "5"),
    ]
    assert following.poll() == 0
    pay(chain, 2, 6)
    following.poll()
    assert handler.rows() == fresh_index(chain)
    assert following.cursor() == chain.head().number


steps = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), st.integers(1, 4)),
        st.tuples(st.just("mine"), st.integers(1, 4)),
        st.tuples(st.just("fork"), st.integers(1, REMEMBERED - 1)),
        st.tuples(st.just("poll"), st.just(0)),
    ),
    max_size=24,
)


@settings(max_examples=12, deadline=None)
@given(history=steps)
def test_after_any_history_the_tables_equal_a_fresh_index(history: list[tuple[str, int]]) -> None:
    """SPEC 0.56"""
    devnet = LocalDevnet()
    chain, database = chain_with_token(devnet.web3()), open_database(":memory:")
    following, handler = follower(chain, database)
    for amount, (action, size) in enumerate(history, 1):
        if action == "pay":
            pay(chain, size, amount)
        elif action == "mine":
            devnet.rpc("evm_mine", {"blocks": size})
        elif action == "fork":
            fork(devnet, chain, size, amount)
        else:
            following.poll()
    following.poll()
    assert handler.rows() == fresh_index(chain)
    devnet.close()
    database.close()


def fork(devnet: LocalDevnet, chain: Chain, depth: int, amount: int) -> None:
    """Replaces the newest `depth` blocks by as many others."""
    first = chain.deployment.block
    target = max(first, chain.head().number - depth)
    devnet.producer.chain.rewind(target)
    devnet.wall.now += 1
    for place in range(depth):
        pay(chain, 1 + place % 3, 1000 * amount + place)


@pytest.mark.parametrize("depth", [1, 2, REMEMBERED - 1, REMEMBERED])
def test_a_reorganisation_within_memory_is_undone(
    chain: Chain, devnet: LocalDevnet, database: Database, depth: int
) -> None:
    """SPEC 0.56"""
    following, handler = follower(chain, database)
    for amount in range(REMEMBERED + 4):
        pay(chain, 1, amount)
        if amount % 3 == 0:
            following.poll()
    following.poll()
    fork(devnet, chain, depth, 7)
    following.poll()
    assert handler.rows() == fresh_index(chain)


def test_a_deeper_reorganisation_halts_and_changes_nothing(
    chain: Chain, devnet: LocalDevnet, database: Database
) -> None:
    """SPEC 0.56"""
    following, handler = follower(chain, database)
    for amount in range(REMEMBERED + 4):
        pay(chain, 1, amount)
    following.poll()
    kept = handler.rows()
    fork(devnet, chain, REMEMBERED + 1, 7)
    for _ in range(2):
        with pytest.raises(ReorgTooDeep):
            following.poll()
        assert handler.rows() == kept


def test_a_shorter_chain_rewinds_too(chain: Chain, devnet: LocalDevnet, database: Database) -> None:
    """SPEC 0.56"""
    following, handler = follower(chain, database)
    taken = devnet.rpc("evm_snapshot")
    for amount in range(5):
        pay(chain, 1, amount)
    following.poll()
    devnet.rpc("evm_revert", taken)
    following.poll()
    assert handler.rows() == fresh_index(chain)
    assert following.cursor() == chain.head().number


def test_a_failing_handler_leaves_cursor_and_tables_together(chain: Chain, database: Database) -> None:
    """SPEC 0.56: one transaction; the next poll starts where the last whole one ended."""
    following, handler = follower(chain, database)
    following.poll()
    kept, cursor = handler.rows(), following.cursor()
    for amount in range(4):
        pay(chain, 1, amount)
    handler.fail_at = chain.head().number - 1
    with pytest.raises(FailpointReached):
        following.poll()
    assert (handler.rows(), following.cursor()) == (kept, cursor)
    handler.fail_at = None
    following.poll()
    assert handler.rows() == fresh_index(chain)


class StaleLogs(LocalProvider):
    """Serves logs of a block that is gone, as a load balancer between two nodes does."""

    stale: Any = None

    def make_request(self, method: Any, params: Any) -> Any:
        answer = super().make_request(method, params)
        if method == "eth_getLogs" and self.stale is not None:
            return self.stale
        return answer


def test_logs_of_another_chain_than_the_headers_are_not_applied(
    devnet: LocalDevnet, database: Database
) -> None:
    """SPEC 0.56"""
    provider = StaleLogs(devnet)
    chain = chain_with_token(Web3(provider))
    following, handler = follower(chain, database)
    following.poll()
    kept = handler.rows()
    taken = devnet.rpc("evm_snapshot")
    pay(chain, 1, 5)
    number = chain.head().number
    query = {"address": chain.contract("OpenToken").address, "fromBlock": hex(number), "toBlock": hex(number)}
    stale = chain.web3.provider.make_request("eth_getLogs", [query])  # type: ignore[arg-type]
    devnet.rpc("evm_revert", taken)
    devnet.wall.now += 5
    pay(chain, 2, 6)
    provider.stale = stale
    with pytest.raises(ChainMoved):
        following.poll()
    assert handler.rows() == kept
    provider.stale = None
    following.poll()
    assert handler.rows() == fresh_index(chain)
