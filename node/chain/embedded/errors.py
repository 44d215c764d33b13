"""Errors as JSON-RPC states them: a number, a sentence, and for reverts the returned bytes."""

from node.errors import OpenLedgerError

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
SERVER_ERROR = -32000
LIMIT_EXCEEDED = -32005
EXECUTION_REVERTED = 3

ERROR_STRING_SELECTOR = bytes.fromhex("08c379a0")


class RpcError(OpenLedgerError):
    """A JSON-RPC error object."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data

    def to_json(self) -> dict[str, object]:
        """The `error` member of a response."""
        body: dict[str, object] = {"code": self.code, "message": self.message}
        return body if self.data is None else {**body, "data": self.data}


def reverted(output: bytes) -> RpcError:
    """What wallets and libraries decode: code 3 with the revert data; the text repeats a plain reason."""
    reason = _reason(output)
    message = f"execution reverted: {reason}" if reason else "execution reverted"
    return RpcError(EXECUTION_REVERTED, message, "0x" + output.hex())


def _reason(output: bytes) -> str:
    if output[:4] != ERROR_STRING_SELECTOR or len(output) < 68:
        return ""
    length = int.from_bytes(output[36:68], "big")
    return output[68 : 68 + length].decode("utf-8", "replace") if length <= len(output) - 68 else ""
