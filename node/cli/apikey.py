"""`openledger apikey`: keys for OpenAI clients, each a session signer with a cap set on chain."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from node.cli.session import AMOUNT, DIGEST, Session, json_option, open_amount

if TYPE_CHECKING:
    from node.payments.session import Sessions

DAY = 86400


@click.group("apikey")
def group() -> None:
    """Make, list and revoke API keys of this node."""


@group.command("create")
@click.argument("channel", type=DIGEST)
@click.option("--cap", type=AMOUNT, help="Most that the key may ever spend; by default serving.key_cap_wei.")
@click.option(
    "--days", type=click.IntRange(1, 3650), default=30, show_default=True, help="How long it may sign."
)
@click.option("--payer-key", help="Authorise it at once with this key; else a wallet must.")
@json_option
@click.pass_obj
def create(session: Session, channel: bytes, cap: int | None, days: int, payer_key: str | None) -> None:
    """Make an API key that pays from CHANNEL. It is shown this once."""
    from node.cli.access import checksummed, open_chain, sender

    chain = open_chain(session.config)
    now = chain.now()
    limit, expiry = session.config.serving.key_cap_wei if cap is None else cap, now + days * DAY
    key, made = _sessions(session).create(channel, now)
    if payer_key is not None:
        function = chain.contract("PaymentChannels").functions.authorizeSigner(
            channel, checksummed(chain, made.signer), limit, expiry
        )
        sender(session.config, chain, payer_key).send(function)
    session.show(
        {
            "api_key": key,
            "signer": made.signer,
            "cap": open_amount(limit),
            "expires": datetime.fromtimestamp(expiry, UTC).isoformat(),
            "authorised": payer_key is not None,
        }
    )


@group.command("list")
@click.argument("channel", type=DIGEST)
@json_option
@click.pass_obj
def list_keys(session: Session, channel: bytes) -> None:
    """The keys of CHANNEL, without what makes them work."""
    session.show(
        [
            {
                "prefix": one.prefix,
                "signer": one.signer,
                "created_at": one.created_at,
                "revoked_at": one.revoked_at,
            }
            for one in _sessions(session).of_channel(channel)
        ]
    )


@group.command("revoke")
@click.argument("prefix")
@click.argument("channel", type=DIGEST)
@json_option
@click.pass_obj
def revoke(session: Session, prefix: str, channel: bytes) -> None:
    """Revoke the key of CHANNEL that begins with PREFIX."""
    import time

    from node.errors import NotFound

    sessions = _sessions(session)
    found = [one for one in sessions.of_channel(channel) if one.prefix == prefix]
    if len(found) != 1:
        raise NotFound("not exactly one key begins so", prefix=prefix, found=len(found))
    sessions.revoke(found[0].session_id, int(time.time()))
    session.show({"prefix": prefix, "signer": found[0].signer, "revoked": True})


def _sessions(session: Session) -> "Sessions":
    from node.payments.session import Sessions, load_or_create_secret
    from node.store.channels import ChannelStore
    from node.store.database import open_database

    secret = load_or_create_secret(session.config.node.data_dir / "session.secret")
    return Sessions(ChannelStore(open_database(session.config.database)), secret)
