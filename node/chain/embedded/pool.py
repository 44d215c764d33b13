"""Transactions that wait for a block, by nonce within their sender, and the checks before they may wait."""

from dataclasses import dataclass, field

from eth_utils.exceptions import ValidationError

from node.chain.embedded.chain import State, Transaction
from node.chain.embedded.errors import LIMIT_EXCEEDED, SERVER_ERROR, RpcError

BLOB_TRANSACTION = 3
EIP155_OFFSET = 35
MAX_POOLED = 4096
MAX_INITCODE_BYTES = 49_152
REPLACEMENT_PERCENT = 10

# EIP-7623: a transaction pays at least for its calldata, whatever it executes.
BASE_GAS = 21_000
FLOOR_GAS_PER_TOKEN = 10
TOKENS_PER_NON_ZERO_BYTE = 4


def floor_gas(payload: bytes) -> int:
    """The least gas that a transaction with this calldata must offer (EIP-7623)."""
    zeros = payload.count(0)
    tokens = zeros + (len(payload) - zeros) * TOKENS_PER_NON_ZERO_BYTE
    return BASE_GAS + tokens * FLOOR_GAS_PER_TOKEN


def minimum_gas(transaction: Transaction) -> int:
    """Intrinsic gas or calldata floor, whichever is more; py-evm checks only the first before execution."""
    return max(int(transaction.intrinsic_gas), floor_gas(transaction.data))


def type_of(transaction: Transaction) -> int:
    """The EIP-2718 type, 0 for a legacy transaction."""
    return int(getattr(transaction, "type_id", 0) or 0)


def signed_chain_id(transaction: Transaction) -> int | None:
    """The chain a signature is bound to; None for a legacy one from before EIP-155."""
    if type_of(transaction) > 0:
        return int(transaction.chain_id)
    return (transaction.v - EIP155_OFFSET) // 2 if transaction.v >= EIP155_OFFSET else None


def fee_cap(transaction: Transaction) -> int:
    """The most wei per gas that the sender agreed to."""
    return int(transaction.max_fee_per_gas if type_of(transaction) >= 2 else transaction.gas_price)


def refuse(message: str) -> RpcError:
    """Error -32000, in the words that clients of other nodes know."""
    return RpcError(SERVER_ERROR, message)


def check_form(transaction: Transaction, chain_id: int, gas_limit: int) -> None:
    """Raises for a transaction that no state could make valid."""
    if type_of(transaction) == BLOB_TRANSACTION:
        raise refuse("transaction type not supported")
    try:
        transaction.validate()
        transaction.check_signature_validity()
    except (ValidationError, ValueError) as error:
        raise refuse(f"invalid transaction: {error}") from error
    signed_for = signed_chain_id(transaction)
    if signed_for is not None and signed_for != chain_id:
        raise refuse(f"invalid chain id for signer: have {signed_for} want {chain_id}")
    if transaction.gas > gas_limit:
        raise refuse("exceeds block gas limit")
    if transaction.gas < minimum_gas(transaction):
        raise refuse(f"intrinsic gas too low: have {transaction.gas}, want {minimum_gas(transaction)}")
    if not transaction.to and len(transaction.data) > MAX_INITCODE_BYTES:
        raise refuse("max initcode size exceeded")
    if type_of(transaction) >= 2 and transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
        raise refuse("max priority fee per gas higher than max fee per gas")


def check_funds(transaction: Transaction, state: State, base_fee: int) -> None:
    """Raises for a transaction that the head's state or the next base fee rules out."""
    have = state.get_nonce(transaction.sender)
    if transaction.nonce < have:
        raise refuse(f"nonce too low: next nonce {have}, tx nonce {transaction.nonce}")
    if fee_cap(transaction) < base_fee:
        cap = fee_cap(transaction)
        raise refuse(f"max fee per gas less than block base fee: maxFeePerGas: {cap}, baseFee: {base_fee}")
    cost = transaction.value + transaction.gas * fee_cap(transaction)
    balance = state.get_balance(transaction.sender)
    if balance < cost:
        raise refuse(f"insufficient funds for gas * price + value: have {balance} want {cost}")


@dataclass
class TransactionPool:
    """Waiting transactions by sender and nonce."""

    by_sender: dict[bytes, dict[int, Transaction]] = field(default_factory=dict)
    by_hash: dict[bytes, Transaction] = field(default_factory=dict)

    def add(self, transaction: Transaction) -> None:
        """Takes one in; the same nonce again must pay a tenth more than the one it replaces."""
        if transaction.hash in self.by_hash:
            raise refuse("already known")
        if len(self.by_hash) >= MAX_POOLED:
            raise RpcError(LIMIT_EXCEEDED, "txpool is full")
        queue = self.by_sender.setdefault(transaction.sender, {})
        replaced = queue.get(transaction.nonce)
        if replaced is not None:
            if fee_cap(transaction) * 100 < fee_cap(replaced) * (100 + REPLACEMENT_PERCENT):
                raise refuse("replacement transaction underpriced")
            self.remove(replaced)
        self.by_sender.setdefault(transaction.sender, {})[transaction.nonce] = transaction
        self.by_hash[transaction.hash] = transaction

    def remove(self, transaction: Transaction) -> None:
        """Takes one out: mined, replaced or found invalid."""
        self.by_hash.pop(transaction.hash, None)
        queue = self.by_sender.get(transaction.sender, {})
        queue.pop(transaction.nonce, None)
        if not queue:
            self.by_sender.pop(transaction.sender, None)

    def ready(self, state: State, room: int) -> list[Transaction]:
        """What could run now, in nonce order per sender, within `room` gas."""
        chosen: list[Transaction] = []
        for sender, queue in self.by_sender.items():
            nonce = state.get_nonce(sender)
            while nonce in queue and queue[nonce].gas <= room:
                chosen.append(queue[nonce])
                room -= queue[nonce].gas
                nonce += 1
        return chosen

    def next_nonce(self, sender: bytes, mined: int) -> int:
        """The first nonce after `mined` that no waiting transaction uses."""
        queue = self.by_sender.get(sender, {})
        while mined in queue:
            mined += 1
        return mined

    def clear(self) -> None:
        """Forgets everything."""
        self.by_sender.clear()
        self.by_hash.clear()
