"""Signatures that move money: vouchers, authorizations, permits."""

from collections.abc import Callable

from protocol.receipt import VOUCHER_TYPE
from tests.contracts.authorization import CANCEL, MOVE
from tests.contracts.channel import DELAY, FOREVER, FREE_STAKE
from tests.contracts.permit import FIELDS as PERMIT
from tests.contracts.signatures.accounts import Account
from tests.contracts.signatures.signed import OTHER, Message, Refusals, Signed, domain_of, fields_of, words
from tests.contracts.world import Mined, World

SALTS = (b"\x01" * 32, b"\x02" * 32)


def provide(world: World, account: Account, amount: int, spender: str) -> None:
    """Gives the account OPEN, and the spender its allowance."""
    world.send(world.token.functions.transfer(account.address, amount), "deployer")
    account.send(world.token.functions.approve(spender, 2**256 - 1))


def channels_of(world: World, account: Account) -> list[bytes]:
    """Two channels that the account pays and `node` is paid from."""
    world.stake("node", FREE_STAKE)
    provide(world, account, 200, world.channels.address)
    terms = [(account.address, world.address("node"), DELAY, salt) for salt in SALTS]
    for one in terms:
        account.send(world.channels.functions.open(one, 100))
    return [bytes(world.channels.functions.channelId(one).call()) for one in terms]


def claim(world: World, account: Account, ids: list[bytes]) -> Signed:
    message = {
        "channelId": ids[0],
        "cumulative": 30,
        "receiptCount": 1,
        "receiptsRoot": b"\x05" * 32,
        "validBefore": FOREVER,
    }
    return Signed(
        world,
        account,
        "Voucher",
        fields_of(VOUCHER_TYPE),
        domain_of(world, "PaymentChannels", "OpenLedger Channels"),
        message,
        lambda m, s: world.send(world.channels.functions.claim(tuple(m.values()), s), "node"),
        Refusals(
            "PaymentChannelsUnknownSigner",
            "PaymentChannelsBadSignature",
            "PaymentChannelsBadSignature",
            "PaymentChannelsNothingToClaim",
        ),
        {
            "channelId": ids[1],
            "cumulative": 31,
            "receiptCount": 2,
            "receiptsRoot": bytes(32),
            "validBefore": 2**63,
        },
    )


def voucher(world: World, account: Account) -> Signed:
    """By the payer itself."""
    return claim(world, account, channels_of(world, account))


def session_voucher(world: World, account: Account) -> Signed:
    """By a session signer that the payer has authorised on both channels."""
    payer = Account(world, world.address("payer"), b"")
    ids = channels_of(world, payer)
    for one in ids:
        payer.send(world.channels.functions.authorizeSigner(one, account.address, 60, world.now + 10_000))
    return claim(world, account, ids)


def authorization(name: str, as_words: bool) -> Callable[[World, Account], Signed]:
    """By an OPEN holder, for anyone (transfer) or for the payee (receive) to submit."""

    def made(world: World, account: Account) -> Signed:
        world.send(world.token.functions.transfer(account.address, 200), "deployer")
        values = (account.address, world.address("node"), 7, 0, 2**255, b"\x0a" * 32)
        message = dict(zip([field for field, _ in MOVE], values, strict=True))
        kinds = [kind for _, kind in MOVE] + (["uint8", "bytes32", "bytes32"] if as_words else ["bytes"])
        function = world.token.get_function_by_signature(f"{name}({','.join(kinds)})")

        def submit(m: Message, signature: bytes) -> Mined:
            tail = words(signature) if as_words else (signature,)
            return world.send(function(*m.values(), *tail), "node")

        wrong = "ERC3009InvalidSignature"
        malformed = ("ECDSAInvalidSignature", "ECDSAInvalidSignatureS") if as_words else (wrong, wrong)
        others = {"from": OTHER, "to": OTHER, "value": 8, "validAfter": 1, "validBefore": 2**254}
        return Signed(
            world,
            account,
            name[0].upper() + name[1:],
            MOVE,
            domain_of(world, "OpenToken", "OpenLedger"),
            message,
            submit,
            Refusals(wrong, *malformed, "ERC3009UsedAuthorization"),
            others | {"nonce": b"\x0b" * 32},
            as_words=as_words,
        )

    return made


def cancellation(as_words: bool) -> Callable[[World, Account], Signed]:
    """By an OPEN holder, for anyone to submit."""

    def made(world: World, account: Account) -> Signed:
        kinds = "uint8,bytes32,bytes32" if as_words else "bytes"
        function = world.token.get_function_by_signature(f"cancelAuthorization(address,bytes32,{kinds})")

        def submit(m: Message, signature: bytes) -> Mined:
            tail = words(signature) if as_words else (signature,)
            return world.send(function(*m.values(), *tail), "stranger")

        wrong = "ERC3009InvalidSignature"
        malformed = ("ECDSAInvalidSignature", "ECDSAInvalidSignatureS") if as_words else (wrong, wrong)
        return Signed(
            world,
            account,
            "CancelAuthorization",
            CANCEL,
            domain_of(world, "OpenToken", "OpenLedger"),
            {"authorizer": account.address, "nonce": b"\x0a" * 32},
            submit,
            Refusals(wrong, *malformed, "ERC3009UsedAuthorization"),
            {"authorizer": OTHER, "nonce": b"\x0b" * 32},
            as_words=as_words,
        )

    return made


def permit(world: World, account: Account) -> Signed:
    """By an OPEN holder; its nonce is the account's next and is not submitted."""
    nonce = world.token.functions.nonces(account.address).call()
    values = (account.address, world.channels.address, 7, nonce, 2**255)

    def submit(m: Message, signature: bytes) -> Mined:
        given = [value for name, value in m.items() if name != "nonce"]
        return world.send(world.token.functions.permit(*given, *words(signature)), "stranger")

    return Signed(
        world,
        account,
        "Permit",
        PERMIT,
        domain_of(world, "OpenToken", "OpenLedger"),
        dict(zip([field for field, _ in PERMIT], values, strict=True)),
        submit,
        Refusals(
            "ERC2612InvalidSigner",
            "ECDSAInvalidSignature",
            "ECDSAInvalidSignatureS",
            "ERC2612InvalidSigner",
        ),
        {"owner": OTHER, "spender": OTHER, "value": 8, "deadline": 2**254},
        as_words=True,
    )
