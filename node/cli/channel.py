"""`openledger channel`: deposits that pay a node."""

import secrets

import click

from node.cli.session import ADDRESS, AMOUNT, DIGEST, Session, json_option, open_amount


@click.group("channel")
def group() -> None:
    """Open and look at payment channels."""


@group.command("open")
@click.argument("node", type=ADDRESS)
@click.argument("amount", type=AMOUNT)
@click.option("--key", default="payer", show_default=True, help="The key that pays.")
@click.option("--withdraw-delay", type=int, help="Seconds between asking the deposit back and getting it.")
@json_option
@click.pass_obj
def open_channel(session: Session, node: str, amount: int, key: str, withdraw_delay: int | None) -> None:
    """Deposit AMOUNT OPEN for NODE."""
    from node.cli.access import checksummed, open_chain, sender

    chain = open_chain(session.config)
    transactor = sender(session.config, chain, key)
    channels, token = chain.contract("PaymentChannels"), chain.contract("OpenToken")
    delay = withdraw_delay if withdraw_delay is not None else channels.functions.minWithdrawDelay().call()
    named = (checksummed(chain, transactor.address), checksummed(chain, node), delay, secrets.token_bytes(32))
    channel_id: bytes = channels.functions.channelId(named).call()
    transactor.send(token.functions.approve(channels.address, amount))
    transactor.send(channels.functions.open(named, amount))
    session.show(
        {"channel": "0x" + channel_id.hex(), "payer": transactor.address, "deposited": open_amount(amount)}
    )


@group.command("show")
@click.argument("channel", type=DIGEST)
@json_option
@click.pass_obj
def show(session: Session, channel: bytes) -> None:
    """One channel as the chain has it."""
    from node.cli.access import open_chain, record_of
    from node.errors import NotFound
    from protocol.types import ZERO_ADDRESS

    record = record_of(open_chain(session.config).contract("PaymentChannels"), "getChannel", channel)
    if record["payer"] == ZERO_ADDRESS:
        raise NotFound("no such channel", channel="0x" + channel.hex())
    session.show({"channel": "0x" + channel.hex(), **record})
