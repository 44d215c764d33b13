"""`openledger reward`: what an account earned, and taking it."""

from typing import TYPE_CHECKING

import click

from node.cli.session import ADDRESS, Session, json_option, open_amount

if TYPE_CHECKING:
    from node.rewards.claims import Claims
    from protocol.types import Address


@click.group("reward")
def group() -> None:
    """Look at earnings and claim them."""


@group.command("show")
@click.argument("account", type=ADDRESS)
@json_option
@click.pass_obj
def show(session: Session, account: "Address") -> None:
    """What ACCOUNT earned: promised, final, claimed."""
    from node.rewards.earnings import EarningsQuery
    from node.store.database import open_database

    found = EarningsQuery(open_database(session.config.database), _claims(session, None)).of(account)
    session.show(
        {
            "account": account,
            "accrued": open_amount(found.accrued),
            "stated": open_amount(found.stated),
            "final": open_amount(found.final),
            "claimed": open_amount(found.claimed),
            "answers": len(found.accruals),
        }
    )


@group.command("claim")
@click.argument("account", type=ADDRESS)
@click.option("--key", default="operator", show_default=True, help="The key that pays for the transaction.")
@click.option("--stakers", is_flag=True, help="ACCOUNT is a node: pay what its stakers earned into its pool.")
@json_option
@click.pass_obj
def claim(session: Session, account: "Address", key: str, stakers: bool) -> None:
    """Pay ACCOUNT what is open. Anyone may do it; the money goes to ACCOUNT."""
    claims = _claims(session, key)
    moved = claims.claim_for_stakers(account) if stakers else claims.claim(account)
    session.show({"account": account, "paid": open_amount(moved)})


def _claims(session: Session, key: str | None) -> "Claims":
    """With a key for claiming; without, for reading only."""
    from node.blobs.store import BlobStore
    from node.chain.keccak import keccak
    from node.cli.access import open_chain, sender, spectator
    from node.rewards.claims import Claims
    from node.store.blocks import BlockTable
    from node.store.database import open_database
    from node.store.epochs import EpochStore

    database = open_database(session.config.database)
    chain = open_chain(session.config)
    blobs, epochs = BlobStore(BlockTable(database)), EpochStore(database)
    # The running node follows the chain; a command reads what it has recorded.
    transactor = spectator(chain) if key is None else sender(session.config, chain, key)
    return Claims(chain, transactor, epochs, blobs, keccak, lambda: None)
