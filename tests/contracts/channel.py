"""A payment channel as a test uses it: opened by a payer, with vouchers signed by whomever the test says."""

from dataclasses import dataclass, replace
from typing import Any

from node.chain.keccak import keccak
from protocol.receipt import Channel, Voucher, channel_id, solidity_tuple
from protocol.types import Address
from scripts.deployment_plan import OPEN
from tests.contracts.world import Mined, World

DELAY = 120
FOREVER = 2**64 - 1
FREE_STAKE = 100_000 * OPEN


@dataclass(frozen=True)
class OpenChannel:
    """One channel between two actors; `terms` are what its id is the digest of."""

    world: World
    terms: Channel
    id: bytes

    def voucher(self, cumulative: int, **changed: Any) -> Voucher:
        return replace(Voucher(self.id, cumulative, 1, keccak(b"receipts"), FOREVER), **changed)

    def sign(self, voucher: Voucher, signer: str = "payer") -> bytes:
        return self.world.signers[signer].sign_voucher(voucher, self.world.channels_domain)

    def claim(
        self,
        cumulative: int,
        signer: str = "payer",
        sender: str = "node",
        at: int | None = None,
        **changed: Any,
    ) -> Mined:
        """Claims a voucher for `cumulative` signed by `signer`."""
        voucher = self.voucher(cumulative, **changed)
        return self.claim_signed(voucher, self.sign(voucher, signer), sender, at)

    def claim_signed(
        self, voucher: Voucher, signature: bytes, sender: str = "node", at: int | None = None
    ) -> Mined:
        call = self.world.channels.functions.claim(solidity_tuple(voucher), signature)
        return self.world.send(call, sender, at)

    def do(self, function: str, *arguments: Any, sender: str = "payer", at: int | None = None) -> Mined:
        """Calls a channel function with this channel's id first."""
        return self.world.send(self.world.channels.functions[function](self.id, *arguments), sender, at)

    @property
    def deposited(self) -> int:
        return int(self.world.channels.functions.getChannel(self.id).call()[3])

    @property
    def claimed(self) -> int:
        return int(self.world.channels.functions.getChannel(self.id).call()[4])

    @property
    def withdrawable_at(self) -> int:
        return int(self.world.channels.functions.getChannel(self.id).call()[5])


def terms_of(world: World, payee: str = "node", salt: bytes = bytes(32), delay: int = DELAY) -> Channel:
    return Channel(world.plain("payer"), world.plain(payee), delay, salt)


def call_tuple(terms: Channel) -> tuple[Any, ...]:
    """The terms as web3 takes them."""
    return tuple(
        World.checksum(Address(value)) if isinstance(value, str) else value for value in solidity_tuple(terms)
    )


def open_channel(
    world: World, amount: int = 100 * OPEN, payee: str = "node", salt: bytes = bytes(32), delay: int = DELAY
) -> OpenChannel:
    """Opens a channel of the payer's with ten times `amount` left in its purse."""
    terms = terms_of(world, payee, salt, delay)
    if not world.staking.functions.ownStake(world.address(payee)).call():
        world.stake(payee, FREE_STAKE)  # a claim locks stake in proportion to what it moves
    world.fund("payer", 11 * amount, world.channels)
    world.send(world.channels.functions.open(call_tuple(terms), amount), "payer")
    return OpenChannel(world, terms, channel_id(terms, world.channels_domain, keccak))
