"""Sends one account's transactions: saved before they are sent, resumed after a crash, never done twice.

What became of a transaction is decided by reading the chain (its receipt, the account's nonce), never by the
text of an error: "already known" and "nonce too low" are what a resend gets when all is well.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import structlog
from eth_account.signers.local import LocalAccount
from web3.contract.contract import ContractConstructor, ContractFunction
from web3.exceptions import TransactionNotFound, Web3RPCError
from web3.types import TxParams, TxReceipt

from node.chain.deployment import load_artifact
from node.chain.planning import failure, plan, raise_fees
from node.chain.rpc import Chain
from node.errors import ChainReverted, ChainUnreachable, Conflict, Refused, Unavailable
from node.failpoints import failpoint
from protocol.types import Address, parse_address

log = structlog.get_logger(component="transactor")

Attempt = tuple[bytes, bytes]
Sendable = ContractFunction | ContractConstructor


class TransactionRefused(Refused):
    """The endpoint refused the transaction and does not know it: it was not sent."""


class TransactionPending(Unavailable):
    """Sent, but not mined within the time allowed. It stays saved, and is watched and sent again later."""


class NonceUsedElsewhere(Conflict):
    """Another transaction of this account took the nonce: the payload was not executed."""


class SavedTransaction(Protocol):
    """What the store gives back."""

    @property
    def nonce(self) -> int: ...
    @property
    def purpose(self) -> str: ...
    @property
    def attempts(self) -> tuple[Attempt, ...]: ...


class TransactionStore(Protocol):
    """Where transactions are durable before they are sent; `node.store.transactions` is one."""

    def save(self, account: str, nonce: int, purpose: str, attempt: Attempt, now: int) -> None: ...
    def add_attempt(self, account: str, nonce: int, attempt: Attempt) -> None: ...
    def unsettled(self, account: str) -> Sequence[SavedTransaction]: ...
    def mined_since(self, account: str, block: int) -> Sequence[SavedTransaction]: ...
    def settle(self, account: str, nonce: int, tx_hash: bytes, block: int, succeeded: bool) -> None: ...
    def reopen(self, account: str, nonce: int) -> None: ...
    def lose(self, account: str, nonce: int) -> None: ...
    def refuse(self, account: str, nonce: int) -> None: ...


@dataclass(frozen=True)
class SendPolicy:
    """Times in seconds; `confirmations` counts blocks on top of the one that holds the transaction."""

    confirmations: int = 0
    timeout: float = 120.0
    poll: float = 0.1
    resend_after: float = 30.0
    gas_margin_percent: int = 20
    fee_bump_percent: int = 25


class Transactor:
    """The only sender of its account. Calls from several threads take turns."""

    def __init__(
        self,
        chain: Chain,
        account: LocalAccount,
        store: TransactionStore,
        policy: SendPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._chain = chain
        self._account = account
        self._store = store
        self._policy = policy if policy is not None else SendPolicy()
        self._sleep = sleep
        self._lock = threading.RLock()
        self.address: Address = parse_address(account.address)

    # Sending

    def send(self, function: Sendable, value: int = 0) -> TxReceipt:
        """Sends a contract call and waits until it is mined.

        Raises ChainReverted with the contract's own error, before sending where the revert can be foreseen;
        TransactionRefused, TransactionPending or ChainUnreachable.
        """
        fields: TxParams = {"from": self._account.address, "value": cast(Any, value)}
        purpose = getattr(function, "fn_name", None) or "deploy"
        return self._send(lambda: function.build_transaction(fields), purpose)

    def send_value(self, to: Address, value: int, data: bytes = b"") -> TxReceipt:
        """Sends native currency, or a raw call."""
        fields: TxParams = {
            "from": self._account.address,
            "to": self._chain.web3.to_checksum_address(to),
            "value": cast(Any, value),
            "data": data,
        }
        return self._send(lambda: fields, "value")

    def deploy(self, name: str, *args: object) -> Address:
        """Deploys a packaged contract and returns its address."""
        artifact = load_artifact(name)
        factory = self._chain.web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
        receipt = self.send(factory.constructor(*args))
        return parse_address(str(receipt["contractAddress"]))

    def _send(self, build: Callable[[], TxParams], purpose: str) -> TxReceipt:
        # Built under the lock: the check for a revert must see what the transactions before it did.
        with self._lock:
            self.resume()
            while True:
                planned = plan(self._chain, build, self._policy.gas_margin_percent)
                try:
                    return self._launch(planned, purpose)
                except NonceUsedElsewhere as error:
                    # Our payload did not run and never can under that nonce, so it is safe to plan it anew.
                    log.warning("nonce_used_elsewhere", purpose=purpose, **error.facts)

    def _launch(self, planned: TxParams, purpose: str) -> TxReceipt:
        attempt, nonce = self._sign(planned), int(planned["nonce"])
        self._store.save(self.address, nonce, purpose, attempt, int(time.time()))
        failpoint("transaction.saved")
        try:
            self._broadcast(attempt)
        except Web3RPCError as error:
            if self._is_unknown(nonce, attempt[0]):
                self._store.refuse(self.address, nonce)
                raise TransactionRefused("the chain refused the transaction", reason=str(error)) from error
        failpoint("transaction.sent")
        receipt = self._await(nonce, (attempt,), planned)
        failpoint("transaction.mined")
        return self._settled(nonce, receipt, planned)

    def _sign(self, planned: TxParams) -> Attempt:
        signed = self._account.sign_transaction(cast(Any, planned))
        return bytes(signed.hash), bytes(signed.raw_transaction)

    def _broadcast(self, attempt: Attempt) -> None:
        try:
            self._chain.web3.eth.send_raw_transaction(attempt[1])
        except ChainUnreachable:
            # Whether it arrived is not known; the wait for its receipt finds out and sends it again.
            log.warning("send_reply_lost", hash="0x" + attempt[0].hex())

    def _is_unknown(self, nonce: int, tx_hash: bytes) -> bool:
        """True when neither the pool nor the chain has it and its nonce is still free."""
        eth = self._chain.web3.eth
        try:
            eth.get_transaction(cast(Any, tx_hash))
        except TransactionNotFound:
            return eth.get_transaction_count(self._account.address, "latest") <= nonce
        return False

    # Waiting

    def _await(self, nonce: int, attempts: Sequence[Attempt], planned: TxParams | None) -> TxReceipt:
        started = resent = time.monotonic()
        tried = list(attempts)
        while True:
            receipt = self._final_receipt(nonce, tried)
            if receipt is not None:
                return receipt
            now = time.monotonic()
            if now - started >= self._policy.timeout:
                raise TransactionPending("not mined in time", account=self.address, nonce=nonce)
            if now - resent >= self._policy.resend_after:
                resent = now
                tried.append(self._bump(nonce, planned)) if planned is not None else None
                self._resend(tried[-1])
            self._sleep(self._policy.poll)

    def _final_receipt(self, nonce: int, attempts: Sequence[Attempt]) -> TxReceipt | None:
        """The receipt once it is deep enough; None while it may still come; raises when it never can."""
        eth = self._chain.web3.eth
        used = eth.get_transaction_count(self._account.address, "latest") > nonce
        receipt = self._receipt(attempts)
        if receipt is None:
            # The nonce was read first: used before, and still no receipt, means somebody else's transaction.
            if used:
                self._store.lose(self.address, nonce)
                raise NonceUsedElsewhere(
                    "another transaction took the nonce", account=self.address, nonce=nonce
                )
            return None
        deep_enough = eth.block_number >= receipt["blockNumber"] + self._policy.confirmations
        return receipt if deep_enough else None

    def _receipt(self, attempts: Sequence[Attempt]) -> TxReceipt | None:
        for tx_hash, _ in attempts:
            try:
                return self._chain.web3.eth.get_transaction_receipt(cast(Any, tx_hash))
            except TransactionNotFound:
                continue
        return None

    def _bump(self, nonce: int, planned: TxParams) -> Attempt:
        """The same payload with higher fees, saved; it competes with earlier attempts for one nonce."""
        raise_fees(planned, self._policy.fee_bump_percent)
        attempt = self._sign(planned)
        self._store.add_attempt(self.address, nonce, attempt)
        return attempt

    def _resend(self, attempt: Attempt) -> None:
        try:
            self._broadcast(attempt)
        except Web3RPCError as error:
            log.info("resend_refused", hash="0x" + attempt[0].hex(), reason=str(error))

    def _settled(self, nonce: int, receipt: TxReceipt, planned: TxParams | None) -> TxReceipt:
        succeeded = receipt["status"] == 1
        tx_hash, block = bytes(receipt["transactionHash"]), int(receipt["blockNumber"])
        self._store.settle(self.address, nonce, tx_hash, block, succeeded)
        if not succeeded:
            raise failure(self._chain, receipt, planned)
        return receipt

    # After a restart

    def resume(self) -> None:
        """Brings every saved transaction to its end, in nonce order, before anything new is sent.

        Raises TransactionPending if one is still not mined: a later nonce could not pass it.
        """
        with self._lock:
            for saved in self._store.unsettled(self.address):
                self._resume_one(saved)

    def _resume_one(self, saved: SavedTransaction) -> None:
        log.info("transaction_resumed", nonce=saved.nonce, purpose=saved.purpose)
        try:
            if self._receipt(saved.attempts) is None:
                self._resend(saved.attempts[-1])
            receipt = self._await(saved.nonce, saved.attempts, None)
            self._settled(saved.nonce, receipt, None)
        except NonceUsedElsewhere as error:
            log.warning("transaction_lost", purpose=saved.purpose, **error.facts)
        except ChainReverted as error:
            # Its sender is gone; whoever needs the effect reads the contract and decides again.
            log.warning("resumed_transaction_failed", purpose=saved.purpose, reason=str(error))

    def recheck(self, depth: int) -> int:
        """Looks again at what the newest `depth` blocks mined; sends again what a reorganisation undid.

        Returns how many had been undone.
        """
        with self._lock:
            undone = 0
            oldest = max(0, int(self._chain.web3.eth.block_number) - depth)
            for saved in self._store.mined_since(self.address, oldest):
                if self._receipt(saved.attempts) is None:
                    self._store.reopen(self.address, saved.nonce)
                    undone += 1
            if undone:
                self.resume()
            return undone
