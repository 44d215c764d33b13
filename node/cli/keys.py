"""`openledger keys`: accounts in encrypted files."""

import sys

import click

from node.cli.session import Session, json_option, read_password

LIGHT_HELP = "Cheap encryption, for development keys only."


@click.group("keys")
def group() -> None:
    """Make and list the node's keys."""


@group.command("create")
@click.argument("name")
@click.option("--import", "imported", is_flag=True, help="Take a private key as hex from standard input.")
@click.option("--light", is_flag=True, help=LIGHT_HELP)
@json_option
@click.pass_obj
def create(session: Session, name: str, imported: bool, light: bool) -> None:
    """Make a key called NAME, or take one in. The node uses `operator` and `receipts`."""
    from node.chain.keystore import LIGHT_SCRYPT, STANDARD_SCRYPT, Keystore
    from node.cli.access import KeyRing
    from node.errors import Conflict, InvalidInput

    ring = KeyRing(session.config)
    if name in ring.names():
        raise Conflict("a key of this name exists", name=name, account=ring.names()[name])
    key: bytes | None = None
    if imported:
        try:
            key = bytes.fromhex(sys.stdin.readline().strip().removeprefix("0x"))
        except ValueError:
            raise InvalidInput("standard input holds no private key in hex") from None
    password = read_password(session.config.node.password_file, confirm=True)
    cost = LIGHT_SCRYPT if light else STANDARD_SCRYPT
    account = Keystore(session.config.keystore).create(password, key, cost)
    ring.name(name, account)
    session.show({"name": name, "account": account})


@group.command("list")
@json_option
@click.pass_obj
def list_keys(session: Session) -> None:
    """Every key with its account."""
    from node.cli.access import KeyRing

    ring = KeyRing(session.config)
    named = {account: name for name, account in ring.names().items()}
    session.show([{"name": named.get(account, ""), "account": account} for account in ring.accounts()])
