"""A transaction before it is signed: its gas, fees and nonce; and after it failed: why."""

from collections.abc import Callable
from typing import Any, cast

from web3.exceptions import ContractLogicError, Web3RPCError
from web3.types import TxParams, TxReceipt

from node.chain.rpc import Chain, reverted
from node.errors import ChainReverted

FEE_FIELDS = ("maxFeePerGas", "maxPriorityFeePerGas")
CALL_FIELDS = ("from", "to", "value", "data", "gas")


def plan(chain: Chain, build: Callable[[], TxParams], gas_margin_percent: int) -> TxParams:
    """A complete unsigned transaction, with the account's next nonce.

    Raises ChainReverted where the chain can already tell that it would fail.
    """
    eth = chain.web3.eth
    try:
        planned = cast(dict[str, Any], dict(build()))
        gas = int(planned["gas"]) if "gas" in planned else eth.estimate_gas(cast(TxParams, planned))
    except ContractLogicError as error:
        raise reverted(error) from error
    block = eth.get_block("latest")
    # State may move between the estimate and the block; unused gas costs nothing.
    planned["gas"] = min(gas * (100 + gas_margin_percent) // 100, block["gasLimit"])
    if "maxFeePerGas" not in planned:
        planned["maxPriorityFeePerGas"] = eth.max_priority_fee
        planned["maxFeePerGas"] = 2 * block["baseFeePerGas"] + planned["maxPriorityFeePerGas"]
    planned.pop("gasPrice", None)
    planned["nonce"] = eth.get_transaction_count(planned["from"], "pending")
    planned["chainId"] = chain.chain_id
    return cast(TxParams, planned)


def raise_fees(planned: TxParams, percent: int) -> None:
    """Raises both fees, in place; everything else stays."""
    fees = cast(dict[str, Any], planned)
    for name in FEE_FIELDS:
        fees[name] = int(fees[name]) * (100 + percent) // 100 + 1


def failure(chain: Chain, receipt: TxReceipt, planned: TxParams | None) -> ChainReverted:
    """Why a mined transaction failed, by running it again on its parent block; for reports only."""
    where = {"transaction": receipt["transactionHash"].to_0x_hex()}
    if planned is None:
        return ChainReverted("Unknown", (), **where)
    again = {name: cast(Any, planned)[name] for name in CALL_FIELDS if name in planned}
    try:
        chain.web3.eth.call(cast(TxParams, again), receipt["blockNumber"] - 1)
    except ContractLogicError as error:
        found = reverted(error)
        return ChainReverted(found.name, found.values, **found.facts, **where)
    except Web3RPCError as error:
        where["reason"] = str(error)
    return ChainReverted("Unknown", (), **where)
