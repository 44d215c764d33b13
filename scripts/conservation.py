"""Checks from the chain alone that no OPEN was made or lost: balances + burnt = initial supply, to the wei.

Independent on purpose: standard library only, none of the project's own code. It reads every Transfer event
of the token, asks the balance of every address that ever appeared, and adds up.
"""

import argparse
import json
import sys
import urllib.request
from dataclasses import dataclass
from typing import Any

# The event's topic: keccak256 of "Transfer(address,address,uint256)".
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
BALANCE_OF = "0x70a08231"
TOTAL_SUPPLY = "0x18160ddd"
ZERO = "0x" + "00" * 20
WINDOW = 5_000  # blocks asked of eth_getLogs at a time


@dataclass(frozen=True)
class Conservation:
    """Money in wei of OPEN at one block."""

    block: int
    holders: int
    minted: int
    burnt: int
    balances: int
    total_supply: int

    @property
    def holds(self) -> bool:
        return self.balances + self.burnt == self.minted and self.balances == self.total_supply


def call(url: str, method: str, params: list[Any]) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    if "error" in answer:
        raise RuntimeError(f"{method} refused: {answer['error']}")
    return answer["result"]


def read_transfers(url: str, token: str, head: int) -> list[tuple[str, str, int]]:
    """(from, to, wei) of every transfer up to block `head`, mints and burns included."""
    transfers = []
    for start in range(0, head + 1, WINDOW):
        window = {
            "address": token,
            "topics": [TRANSFER],
            "fromBlock": hex(start),
            "toBlock": hex(min(start + WINDOW - 1, head)),
        }
        for entry in call(url, "eth_getLogs", [window]):
            source, target = ("0x" + topic[-40:] for topic in entry["topics"][1:3])
            transfers.append((source, target, int(entry["data"], 16)))
    return transfers


def measure(url: str, token: str) -> Conservation:
    block = int(call(url, "eth_blockNumber", []), 16)
    transfers = read_transfers(url, token, block)
    holders = {account for source, target, _ in transfers for account in (source, target)} - {ZERO}

    def view(data: str) -> int:
        return int(call(url, "eth_call", [{"to": token, "data": data}, hex(block)]), 16)

    return Conservation(
        block=block,
        holders=len(holders),
        minted=sum(amount for source, _, amount in transfers if source == ZERO),
        burnt=sum(amount for _, target, amount in transfers if target == ZERO),
        balances=sum(view(BALANCE_OF + account[2:].rjust(64, "0")) for account in sorted(holders)),
        total_supply=view(TOTAL_SUPPLY),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rpc", required=True, help="JSON-RPC URL of the chain")
    parser.add_argument("--token", required=True, help="address of OpenToken")
    arguments = parser.parse_args()
    found = measure(arguments.rpc, arguments.token)
    print(json.dumps({**found.__dict__, "holds": found.holds}))
    return 0 if found.holds else 1


if __name__ == "__main__":
    sys.exit(main())
