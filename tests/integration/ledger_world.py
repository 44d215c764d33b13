"""A chain with the suite on it, the actors of one paid answer, and a node's data folder made ready for
them.
"""

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.contract import Contract

from node.blobs.store import BlobStore
from node.chain.deployment import load_artifact
from node.chain.keccak import keccak
from node.chain.signer import Signer, authorization_digest, signer_of, staking_domain
from node.daemon import DaemonSettings
from node.payments.session import Sessions, load_or_create_secret
from node.serving.model import ServedModel
from node.serving.worker_process import WorkerPaths
from node.store.blocks import BlockTable
from node.store.channels import ChannelStore
from node.store.database import open_database
from protocol.cid import cid_of_raw
from protocol.eip712 import Domain, channels_domain, receipts_domain
from protocol.hashing import to_hex
from protocol.manifest import (
    GRANTED,
    Labour,
    Manifest,
    ManifestRow,
    Row,
    content_digest,
    encode_manifest,
    encode_row,
    manifest_root,
    rows_root,
)
from protocol.receipt import Channel, Receipt, Voucher, channel_id, receipts_sum_root, solidity_tuple
from protocol.types import Address, version_key
from scripts.deployment_plan import DEVNET, OPEN, deploy_with_web3
from tests.integration.worker_server import FINGERPRINT, ROWS, TOKENIZER
from tests.node.chain.support import CHAIN_ID

SETTINGS = replace(DEVNET, epoch_length=60, challenge_window=30, commit_bond=100 * OPEN)
ACTORS = ("deployer", "operator", "payer", "owner", "alice", "bob", "curator", "staker", "stranger")
MODEL = "letters"
# Odd rates, so that every split has something to round.
IN_RATE, OUT_RATE, FIXED = 1_234_567_890_123_456_789, 9_876_543_210_987_654_321, 77
DEPOSIT = 50 * OPEN
STAKE = 1_000 * OPEN


@dataclass(frozen=True)
class Prepared:
    """A data folder made ready, the API key that pays, and the channel it spends from."""

    folder: Path
    api_key: str
    channel_id: bytes


class LedgerWorld:
    """Actors are accounts of the development mnemonic, which the chain signs for; the receipt key is its
    own.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.web3 = Web3(Web3.HTTPProvider(url))
        self.accounts = dict(zip(ACTORS, self.web3.eth.accounts, strict=False))
        self.receipt_signer: Signer = signer_of(keccak(b"the node's receipt key"))
        self.record = deploy_with_web3(self.web3, self.accounts["deployer"], SETTINGS)
        self.deployment = folder / "deployment.json"
        self.deployment.write_text(json.dumps(self.record))

    # The chain

    def contract(self, name: str) -> Contract:
        address = Web3.to_checksum_address(self.record["contracts"][name])
        return self.web3.eth.contract(address=address, abi=load_artifact(name).abi)

    def plain(self, actor: str) -> Address:
        return Address(self.accounts[actor].lower())

    def send(self, actor: str, call: Any) -> Any:
        digest = call.transact({"from": self.accounts[actor]})
        receipt = self.web3.eth.wait_for_transaction_receipt(digest)
        assert receipt["status"] == 1, call.fn_name
        return receipt

    def advance(self, seconds: int) -> None:
        """Let time pass on the chain."""
        self.web3.provider.make_request("evm_increaseTime", [seconds])
        self.web3.provider.make_request("evm_mine", [])

    def snapshot(self) -> str:
        return self.web3.provider.make_request("evm_snapshot", [])["result"]

    def revert(self, snapshot: str) -> None:
        assert self.web3.provider.make_request("evm_revert", [snapshot])["result"] is True

    def balance(self, address: str) -> int:
        functions = self.contract("OpenToken").functions
        return int(functions.balanceOf(Web3.to_checksum_address(address)).call())

    @property
    def receipts_domain(self) -> Domain:
        return receipts_domain(CHAIN_ID, self.record["contracts"]["EpochSettlement"])

    @property
    def channels_domain(self) -> Domain:
        return channels_domain(CHAIN_ID, self.record["contracts"]["PaymentChannels"])

    # The actors' own steps

    def give(self, actor: str, amount: int) -> None:
        self.send("deployer", self.contract("OpenToken").functions.transfer(self.accounts[actor], amount))

    def stake(self) -> None:
        """The operator and a staker stand behind the node, and the node authorises its receipt signer."""
        staking, token = self.contract("NodeStaking"), self.contract("OpenToken")
        for actor, amount in (("operator", STAKE), ("staker", STAKE // 2)):
            self.give(actor, 2 * amount)
            self.send(actor, token.functions.approve(staking.address, amount))
            self.send(actor, staking.functions.stake(self.accounts["operator"], amount))
        deadline = self.web3.eth.get_block("latest")["timestamp"] + 3_600
        domain = staking_domain(CHAIN_ID, Address(staking.address.lower()))
        digest = authorization_digest(self.plain("operator"), self.receipt_signer.address, deadline, domain)
        proof = self.receipt_signer.sign_digest(digest)
        signer = Web3.to_checksum_address(self.receipt_signer.address)
        self.send("operator", staking.functions.authorizeSigner(signer, deadline, proof))

    def register(self) -> tuple[Manifest, ServedModel]:
        """A Datanet of two contributors, a base and a model upon them, all on chain."""
        datanets, models = self.contract("DatanetRegistry"), self.contract("ModelRegistry")
        self.send(
            "curator", datanets.functions.createDatanet("letters", b"\0" * 32, False, "CC0-1.0", b"\1" * 36)
        )
        manifest = self._manifest()
        self.send(
            "curator",
            datanets.functions.publishVersion(
                1,
                0,
                manifest_root(manifest, keccak),
                rows_root(manifest, keccak),
                ROWS,
                cid_of_raw(encode_manifest(manifest)).binary,
            ),
        )
        fingerprint, tokenizer = bytes.fromhex(FINGERPRINT[2:]), bytes.fromhex(TOKENIZER[2:])
        self.send("owner", models.functions.registerBase(fingerprint, tokenizer, cid_of_raw(b"base").binary))
        bundle, index = cid_of_raw(b"bundle"), cid_of_raw(b"index")
        key = version_key(1, 1)
        terms = (
            MODEL, 1, key, bundle.binary, b"\5" * 32, index.digest, IN_RATE, OUT_RATE, FIXED, [], [], 3,
        )  # fmt: skip
        self.send("owner", models.functions.registerModel(terms, True))
        return manifest, ServedModel(
            name=MODEL,
            model_id=1,
            owner=self.plain("owner"),
            base_fingerprint=FINGERPRINT,
            adapter_cid=bundle.text,
            index_cid=index.text,
            manifest_cid=cid_of_raw(encode_manifest(manifest)).text,
            tokens_cid=None,
            datanet_version_key=key,
            in_rate=IN_RATE,
            out_rate=OUT_RATE,
            fixed_price=FIXED,
            royalties=((self.plain("stranger"), 100_000),),
            min_span_tokens=3,
            index_root=to_hex(index.digest),
        )

    def _manifest(self) -> Manifest:
        rows = letters()
        owners = [self.plain("alice" if index % 2 else "bob") for index in range(ROWS)]
        digests = sorted(
            (to_hex(content_digest(row)), owner, cid_of_raw(encode_row(row)).text)
            for row, owner in zip(rows, owners, strict=True)
        )
        listed = tuple(
            ManifestRow(index, digest, owner, index, "CC0-1.0", GRANTED, False, cid)
            for index, (digest, owner, cid) in enumerate(digests)
        )
        return Manifest(1, 1, 0, listed, (Labour("curation", self.plain("curator"), 1_000_000),))

    def open_channel(self, salt: int = 1, deposit: int = DEPOSIT, payee: str = "operator") -> bytes:
        channels, token = self.contract("PaymentChannels"), self.contract("OpenToken")
        self.give("payer", deposit)
        self.send("payer", token.functions.approve(channels.address, deposit))
        terms = Channel(
            self.plain("payer"), self.plain(payee), SETTINGS.min_withdraw_delay, salt.to_bytes(32, "big")
        )
        self.send("payer", channels.functions.open(self._channel_tuple(terms), deposit))
        return channel_id(terms, self.channels_domain, keccak)

    def deposit(self, channel: bytes, amount: int) -> None:
        channels, token = self.contract("PaymentChannels"), self.contract("OpenToken")
        self.give("payer", amount)
        self.send("payer", token.functions.approve(channels.address, amount))
        self.send("payer", channels.functions.deposit(channel, amount))

    @staticmethod
    def _channel_tuple(terms: Channel) -> tuple[Any, ...]:
        payer, payee, delay, salt = solidity_tuple(terms)
        return Web3.to_checksum_address(str(payer)), Web3.to_checksum_address(str(payee)), delay, salt

    def authorise(self, channel: bytes, signer: str, cap: int, seconds: int = 30 * 86_400) -> None:
        expiry = self.web3.eth.get_block("latest")["timestamp"] + seconds
        call = self.contract("PaymentChannels").functions.authorizeSigner(
            channel, Web3.to_checksum_address(signer), cap, expiry
        )
        self.send("payer", call)

    def other_node(self, actor: str) -> "OtherNode":
        """A second operator with a stake and a channel of its own."""
        staking, token = self.contract("NodeStaking"), self.contract("OpenToken")
        self.give(actor, 2 * STAKE)
        self.send(actor, token.functions.approve(staking.address, STAKE))
        self.send(actor, staking.functions.stake(self.accounts[actor], STAKE))
        return OtherNode(self, actor, self.open_channel(salt=99, payee=actor))

    # The node

    def prepare(self, name: str = "template", cap: int = DEPOSIT) -> Prepared:
        """A data folder with the manifest's blob and one API key, authorised on chain."""
        folder = self.folder / name
        folder.mkdir()
        manifest, model = self.register()
        (folder / "catalog.json").write_text(model.to_json())
        (folder / "worker.token").write_text("a token")
        channel = self.open_channel()
        database = open_database(folder / "node.sqlite")
        blobs = BlobStore(BlockTable(database))
        blobs.put(encode_manifest(manifest), "manifest")
        blobs.put_all([encode_row(row) for row in letters()], "rows")
        sessions = Sessions(ChannelStore(database), load_or_create_secret(folder / "session.secret"))
        api_key, session = sessions.create(channel, 0)
        self.authorise(channel, session.signer, cap)
        database.close()
        return Prepared(folder, api_key, channel)

    def copy(self, prepared: Prepared, folder: Path) -> Prepared:
        shutil.copytree(prepared.folder, folder)
        return replace(prepared, folder=folder)

    def settings(self, folder: Path, socket: Path, **changes: Any) -> DaemonSettings:
        """The node's settings; the worker at `socket` is already running."""
        settings = DaemonSettings(
            data_dir=folder,
            chain_url=self.url,
            deployment=self.deployment,
            worker=WorkerPaths(
                socket, folder / "node.sock", folder / "worker.token", folder / "worker", folder / "base"
            ),
            operator_key=bytes(self._key("operator").key),
            receipt_key=keccak(b"the node's receipt key"),
            spawn_worker=False,
            chain_poll=0.1,
            settlement_poll=0.2,
            claim_lead=SETTINGS.epoch_length,
            willing_to_lose=OPEN,
        )
        return replace(settings, **changes)

    def key(self, actor: str) -> bytes:
        """An actor's private key."""
        return bytes(self._key(actor).key)

    def signer(self, actor: str) -> Signer:
        """An actor's own key."""
        return signer_of(bytes(self._key(actor).key))

    def _key(self, actor: str) -> LocalAccount:
        Account.enable_unaudited_hdwallet_features()
        index = ACTORS.index(actor)
        mnemonic = "test test test test test test test test test test test junk"
        return Account.from_mnemonic(mnemonic, account_path=f"m/44'/60'/0'/0/{index}")


def letters() -> list[Row]:
    """The rows of the world's Datanet."""
    return [Row("qa", f"letter {index}", chr(97 + index), {}) for index in range(ROWS)]


@dataclass(frozen=True)
class OtherNode:
    """A node that the test plays itself."""

    world: LedgerWorld
    actor: str
    channel_id: bytes

    def receipt(self, like: Receipt) -> Receipt:
        """The first receipt of its channel, for an answer like another one."""
        return replace(
            like,
            request_id=keccak(like.request_id),
            channel_id=self.channel_id,
            seq=1,
            cumulative=like.price,
            node=self.world.plain(self.actor),
        )

    def claim(self, receipt: Receipt) -> int:
        """Claim a voucher for the receipt, signed by the payer; the epoch that it funded."""
        world = self.world
        root = receipts_sum_root([receipt], keccak).digest
        voucher = Voucher(self.channel_id, receipt.price, 1, root, 2**40)
        signature = world.signer("payer").sign_voucher(voucher, world.channels_domain)
        channels = world.contract("PaymentChannels").functions
        world.send(self.actor, channels.claim(solidity_tuple(voucher), signature))
        return int(world.contract("EpochSettlement").functions.currentEpoch().call())


def settings_json(settings: DaemonSettings) -> str:
    """The settings as a file that a node in another process reads."""
    fields = asdict(settings)
    fields["operator_key"], fields["receipt_key"] = settings.operator_key.hex(), settings.receipt_key.hex()
    return json.dumps(fields, default=str)


def settings_from_json(text: str) -> DaemonSettings:
    fields = json.loads(text)
    paths = WorkerPaths(**{name: Path(path) for name, path in fields["worker"].items()})
    return DaemonSettings(
        **{
            **fields,
            "worker": paths,
            "data_dir": Path(fields["data_dir"]),
            "deployment": Path(fields["deployment"]),
            "operator_key": bytes.fromhex(fields["operator_key"]),
            "receipt_key": bytes.fromhex(fields["receipt_key"]),
        }
    )


class FileCatalog:
    """The one model that the data folder's catalog.json describes."""

    def __init__(self, path: Path) -> None:
        self._model = ServedModel.from_json(path.read_text())

    def find(self, name: str) -> ServedModel:
        assert name == self._model.name
        return self._model

    def choose(self, prompt: str) -> ServedModel:
        return replace(self._model, chosen=f"asked {prompt!r}")
