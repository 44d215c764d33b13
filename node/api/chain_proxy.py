"""POST /rpc: the chain's JSON-RPC for this node's own pages, so that their policy can forbid every other
address.

Only reading, and sending what a wallet has already signed. Other sites are refused by their Origin, or
their visitors' browsers would reach a chain that listens on the operator's loopback alone.
"""

import itertools

from aiohttp import web

from node.api.inference import read_body
from node.api.keys import CHAIN
from node.api.problems import Problem, invalid
from protocol.canonical import parse_json

routes = web.RouteTableDef()

METHODS = frozenset(
    {
        "eth_blockNumber", "eth_call", "eth_chainId", "eth_estimateGas", "eth_feeHistory", "eth_gasPrice",
        "eth_getBalance", "eth_getBlockByHash", "eth_getBlockByNumber", "eth_getCode", "eth_getLogs",
        "eth_getTransactionByHash", "eth_getTransactionCount", "eth_getTransactionReceipt",
        "eth_maxPriorityFeePerGas", "eth_sendRawTransaction", "eth_syncing", "net_version",
        "web3_clientVersion",
    }
)  # fmt: skip
MAX_BATCH = 32
MAX_RPC_BYTES = 256 * 1024
NOT_ALLOWED = -32601


@routes.post("/rpc")
async def rpc(request: web.Request) -> web.Response:
    """One JSON-RPC request, or a batch of at most 32."""
    require_same_origin(request)
    try:
        document = parse_json(await read_body(request), max_bytes=MAX_RPC_BYTES, max_depth=24)
    except ValueError as error:
        raise invalid(None, f"not acceptable JSON: {error}", "invalid_json") from error
    if not isinstance(document, list):
        return web.json_response(await _answer(request, document))
    if not 1 <= len(document) <= MAX_BATCH:
        raise invalid(None, f"a batch holds 1..{MAX_BATCH} requests, got {len(document)}")
    return web.json_response([await _answer(request, one) for one in document])


def require_same_origin(request: web.Request) -> None:
    """Refuses a browser that comes from another site; programs send no Origin. Raises Problem."""
    origin = request.headers.get("Origin")
    # The scheme may differ behind a proxy that ends TLS; the host may not.
    if origin is not None and origin.partition("://")[2] != request.host:
        raise Problem(403, "foreign_origin", f"requests from {origin[:128]!r} are refused")


async def _answer(request: web.Request, document: object) -> dict[str, object]:
    if not isinstance(document, dict) or not isinstance(document.get("method"), str):
        raise invalid(None, "not a JSON-RPC request")
    head: dict[str, object] = {"jsonrpc": "2.0", "id": document.get("id")}
    method, parameters = str(document["method"]), document.get("params", [])
    if method not in METHODS:
        return {**head, "error": {"code": NOT_ALLOWED, "message": f"{method[:64]} is not available here"}}
    if not isinstance(parameters, list):
        raise invalid("params", "params must be an array")
    answer = await request.app[CHAIN].call(method, parameters)
    return {**head, **dict(itertools.islice(answer.items(), 1))}
