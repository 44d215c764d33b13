"""Execution that leaves no trace: eth_call, and the search for the least gas that suffices."""

from dataclasses import dataclass
from typing import Any

from eth.exceptions import Revert, VMError
from eth.vm.spoof import SpoofTransaction
from eth_utils.exceptions import ValidationError

from node.chain.embedded.chain import EmbeddedChain, Header
from node.chain.embedded.errors import SERVER_ERROR, RpcError, reverted
from node.chain.embedded.params import CallRequest
from node.chain.embedded.pool import minimum_gas

# The search for a gas limit stops when the interval is within this fraction of its upper end, as in geth.
ESTIMATE_TOLERANCE = 0.015
NOBODY = b"\0" * 20


@dataclass(frozen=True)
class Outcome:
    """What a trial run came to; `gas_spent` is before refunds, since that much must be offered."""

    output: bytes
    gas_spent: int
    error: VMError | None

    def checked(self) -> "Outcome":
        """Itself, or the JSON-RPC error for a run that failed."""
        if self.error is None:
            return self
        if isinstance(self.error, Revert):
            raise reverted(self.output)
        raise RpcError(SERVER_ERROR, f"execution failed: {type(self.error).__name__}: {self.error}")


def _trial(chain: EmbeddedChain, state: Any, request: CallRequest, gas: int) -> SpoofTransaction:
    sender = request.sender if request.sender is not None else NOBODY
    unsigned = chain.transaction_builder.create_unsigned_transaction(
        nonce=state.get_nonce(sender),
        gas_price=0,
        gas=gas,
        to=request.to or b"",
        value=request.value,
        data=request.data,
    )
    return SpoofTransaction(unsigned, from_=sender)


def execute(chain: EmbeddedChain, header: Header, request: CallRequest, gas: int) -> Outcome:
    """Runs the request on the state of `header` with its number and time, free of charge."""
    state = chain.state(header.copy(base_fee_per_gas=0))
    transaction = _trial(chain, state, request, gas)
    if gas < minimum_gas(transaction):
        raise RpcError(SERVER_ERROR, f"intrinsic gas too low: have {gas}, want {minimum_gas(transaction)}")
    if state.get_balance(transaction.sender) < request.value:
        raise RpcError(SERVER_ERROR, "insufficient funds for transfer")
    try:
        computation = state.costless_execute_transaction(transaction)
    except ValidationError as error:
        raise RpcError(SERVER_ERROR, f"invalid transaction: {error}") from error
    spent = gas - int(computation.get_gas_remaining())
    failure = computation._error if computation.is_error else None
    return Outcome(bytes(computation.output), spent, failure)


def call(chain: EmbeddedChain, header: Header, request: CallRequest) -> bytes:
    """The bytes a call returns; raises code 3 with the data for a revert."""
    return execute(chain, header, request, _gas_limit(header, request)).checked().output


def estimate_gas(chain: EmbeddedChain, header: Header, request: CallRequest) -> int:
    """A gas limit that suffices, close to the least; raises if even the block's is too little."""
    high = _gas_limit(header, request)
    spent = execute(chain, header, request, high).checked().gas_spent
    least = minimum_gas(_trial(chain, chain.state(header), request, high))
    low = max(spent, least) - 1
    # Most calls need just what they spend; the rest hold back a 64th per nested call or get stipends.
    for guess in (max(spent, least), spent * 64 // 63 + 2300):
        if low < guess < high:
            low, high = (low, guess) if _suffices(chain, header, request, guess) else (guess, high)
    while high - low > max(1, int(high * ESTIMATE_TOLERANCE)):
        middle = (low + high) // 2
        low, high = (low, middle) if _suffices(chain, header, request, middle) else (middle, high)
    return high


def _gas_limit(header: Header, request: CallRequest) -> int:
    return int(min(request.gas or header.gas_limit, header.gas_limit))


def _suffices(chain: EmbeddedChain, header: Header, request: CallRequest, gas: int) -> bool:
    return execute(chain, header, request, gas).error is None
