"""Fault proofs: everyone proves; a wrong proof reverts."""

from dataclasses import replace

from tests.contracts.epochs import receipt_of, solidity_receipt
from tests.contracts.roles.rules import WORD, Rules, Scene, anyone


def conflict(scene: Scene) -> list[object]:
    world = scene.world
    first = receipt_of(world, "node", 5)
    sign = world.signers["node"].sign_receipt
    return [
        part
        for receipt in (first, replace(first, price=6))
        for part in (solidity_receipt(receipt), sign(receipt, world.receipts_domain))
    ]


RULES: Rules = {"proveEquivocation": anyone(conflict), "seal": anyone(lambda s: [WORD])}
