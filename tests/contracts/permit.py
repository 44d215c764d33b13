"""ERC-2612 permits, signed by a wallet library that is not ours."""

from eth_account import Account

from tests.contracts.world import World, key_of

FIELDS = (
    ("owner", "address"),
    ("spender", "address"),
    ("value", "uint256"),
    ("nonce", "uint256"),
    ("deadline", "uint256"),
)


def permit_of(world: World, owner: str, spender: str, amount: int, deadline: int) -> tuple[int, bytes, bytes]:
    """(v, r, s) of the owner's permit for `spender` to take `amount` wei of OPEN."""
    nonce = world.token.functions.nonces(world.address(owner)).call()
    domain = {
        "name": "OpenLedger",
        "version": "1",
        "chainId": world.chain_id,
        "verifyingContract": world.token.address,
    }
    message = dict(
        zip(
            (name for name, _ in FIELDS),
            (world.address(owner), spender, amount, nonce, deadline),
            strict=True,
        )
    )
    types = {"Permit": [{"name": name, "type": kind} for name, kind in FIELDS]}
    signed = Account.sign_typed_data(key_of(owner), domain, types, message)
    return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")
