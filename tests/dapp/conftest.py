"""A real chain with the deployed suite, the node's site in front of it, and a browser whose wallet signs
with a key.

The wallet's page side only forwards requests; Python signs them with eth-account, as a wallet would, and
sends them to the same chain. Its behaviour can be scripted: which requests it declines, and which chains it
knows.
"""

import asyncio
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.contract import Contract

from node.api.app import Parts, build_app, listen
from node.api.chain_link import ChainLink
from node.api.governance_source import GovernanceSource
from node.api.ports import Network
from node.api.site import WALLET_FUNCTIONS, add_site
from node.attribution.findings import Finding
from node.chain.deployment import Deployment, load_artifact
from node.chain.embedded.devnet import devnet_accounts
from node.chain.rpc import Chain
from node.chain.transactor import Transactor
from node.errors import NotFound, OpenLedgerError
from node.governance.parameters import ParameterMirror
from node.governance.proposals import Proposals
from node.metrics import Registry
from node.store.database import open_database
from node.store.receipts import ReceiptStore
from node.store.transactions import TransactionStore
from protocol.opening import Opening
from scripts.deployment_plan import DEVNET, deploy_with_web3
from tests.node.api import samples
from tests.node.api.conftest import SETTINGS, ScriptedPipeline, Shelf, Surroundings
from tests.node.chain.support import ChainProcess, chain_process

DAPP = Path(__file__).resolve().parents[2] / "dapp"
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
OPEN = 10**18
USER_CANCELLED = 4001
UNKNOWN_CHAIN = 4902

WALLET_PAGE = """
(() => {
  const listeners = {};
  const provider = {
    on(event, listener) { (listeners[event] ??= []).push(listener); },
    removeListener() {},
    async request(asked) {
      const answer = await window.__wallet(asked);
      if (answer.event) for (const listener of listeners[answer.event[0]] ?? []) listener(answer.event[1]);
      if (answer.error) throw Object.assign(new Error(answer.error.message), answer.error);
      return answer.result;
    },
  };
  if (LEGACY) { window.ethereum = provider; return; }
  const circle = '<circle cx="4" cy="4" r="4" fill="#0a5c46"/>';
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8">${circle}</svg>`;
  const icon = "data:image/svg+xml;base64," + btoa(svg);
  const detail = (uuid, name, rdns) =>
    Object.freeze({ info: Object.freeze({ uuid, name, icon, rdns }), provider });
  const wallets = [
    detail("350670db-19fa-4704-a166-e52e178b59d2", "Test Wallet", "org.example.test"),
    detail("350670db-19fa-4704-a166-e52e178b59d3", "Other <b>Wallet</b>", "org.example.other"),
  ];
  const announce = () => wallets.forEach((one) =>
    dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: one })));
  addEventListener("eip6963:requestProvider", announce);
  announce();
})();
"""


@dataclass
class Wallet:
    """A wallet whose answers are scripted and whose signatures are real."""

    web3: Web3
    account: LocalAccount
    chain_id: int
    known: set[int] = field(default_factory=set)
    declines: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)

    def handle(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One EIP-1193 request."""
        method, parameters = asked["method"], asked.get("params") or []
        self.calls.append(method)
        if method in self.declines:
            return {"error": {"code": USER_CANCELLED, "message": "User rejected the request."}}
        known: dict[str, Callable[..., dict[str, Any]]] = {
            "eth_requestAccounts": lambda: {"result": [self.account.address]},
            "eth_accounts": lambda: {"result": [self.account.address]},
            "eth_chainId": lambda: {"result": hex(self.chain_id)},
            "wallet_switchEthereumChain": self._switch,
            "wallet_addEthereumChain": self._add,
            "eth_signTypedData_v4": self._sign,
            "eth_sendTransaction": self._send,
        }
        if method in known:
            return known[method](*parameters)
        return dict(self.web3.provider.make_request(method, parameters))

    def _switch(self, wanted: dict[str, str]) -> dict[str, Any]:
        chain_id = int(wanted["chainId"], 16)
        if chain_id not in self.known:
            return {"error": {"code": UNKNOWN_CHAIN, "message": "Unrecognized chain ID"}}
        self.chain_id = chain_id
        return {"result": None, "event": ["chainChanged", hex(chain_id)]}

    def _add(self, chain: dict[str, Any]) -> dict[str, Any]:
        assert chain["rpcUrls"] and chain["nativeCurrency"]["decimals"] == 18
        self.known.add(int(chain["chainId"], 16))
        return self._switch(chain)

    def _sign(self, _: str, text: str) -> dict[str, Any]:
        message = encode_typed_data(full_message=json.loads(text))
        return {"result": "0x" + self.account.sign_message(message).signature.hex().removeprefix("0x")}

    def _send(self, asked: dict[str, str]) -> dict[str, Any]:
        eth = self.web3.eth
        base = eth.get_block("latest")["baseFeePerGas"]
        transaction = {
            "type": 2,
            "chainId": self.chain_id,
            "nonce": eth.get_transaction_count(self.account.address, "pending"),
            "to": Web3.to_checksum_address(asked["to"]),
            "value": int(asked.get("value", "0x0"), 16),
            "data": asked["data"],
            "gas": eth.estimate_gas(
                {
                    "from": self.account.address,
                    "to": Web3.to_checksum_address(asked["to"]),
                    "data": asked["data"],
                }
            )
            * 6
            // 5,
            "maxFeePerGas": 2 * base + 10**9,
            "maxPriorityFeePerGas": 10**9,
        }
        raw = self.account.sign_transaction(transaction).raw_transaction
        return {"result": eth.send_raw_transaction(raw).to_0x_hex()}


@dataclass
class World:
    """The chain, the site, and the account that the wallet holds."""

    web3: Web3
    chain: Chain
    url: str
    user: LocalAccount
    operator: LocalAccount
    process: ChainProcess
    rechecks: "ScriptedRechecks"

    def contract(self, name: str) -> Contract:
        return self.chain.contract(name)

    def rpc(self, method: str, *parameters: object) -> Any:
        answer = self.web3.provider.make_request(method, list(parameters))  # type: ignore[arg-type]
        assert "error" not in answer, answer
        return answer.get("result")

    def send(self, account: LocalAccount, function: Any) -> None:
        """A transaction from one of the chain's own accounts."""
        digest = function.transact({"from": account.address})
        assert self.web3.eth.wait_for_transaction_receipt(digest)["status"] == 1


class ScriptedRechecks:
    """Says of every answer what the test has written here last."""

    found: tuple[Finding, ...] | OpenLedgerError = ()

    def model_json(self, request_id: bytes) -> str:
        raise NotFound("no such answer")

    def opening(self, request_id: bytes, api_key: str | None) -> Opening:
        raise NotFound("no such answer")

    def data(self, request_id: bytes, cid: str) -> bytes:
        raise NotFound("no such answer")

    async def findings(self, request_id: bytes) -> tuple[Finding, ...]:
        if isinstance(self.found, OpenLedgerError):
            raise self.found
        return self.found


class SiteThread:
    """The site on its own event loop, since the browser's driver blocks the test's thread."""

    def __init__(self, chain: Chain, rpc_url: str) -> None:
        self._chain = chain
        self._rpc_url = rpc_url
        self.rechecks = ScriptedRechecks()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._stop, self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(30)

    async def _listen(self) -> tuple[Callable[[], Any], int]:
        link, around = ChainLink(self._rpc_url), Surroundings()
        network = Network(
            self._chain.chain_id, "OpenLedger test", self._rpc_url, dict(self._chain.deployment.contracts),
            {name: load_artifact(name).abi for name in WALLET_FUNCTIONS},
        )  # fmt: skip
        shelf = Shelf({samples.REQUEST_ID: samples.RECORD}, True)
        parts = Parts(ScriptedPipeline(), around, shelf, around, link, network, Registry(), self.rechecks)
        app = build_app(parts, SETTINGS)
        add_site(app, replace(samples.site_data(), **self._live()), DAPP, "OpenLedger")
        runner, port = await listen(app, "127.0.0.1", 0)

        async def stop() -> None:
            await runner.cleanup()
            await link.close()

        return stop, port

    def _live(self) -> dict[str, Any]:
        """Governance and stakes come from the chain, as in a node."""
        database = open_database(":memory:")
        idle = Transactor(self._chain, Account.create(), TransactionStore(database))
        proposals = Proposals(self._chain.contract("OpenGovernor"), idle, self._chain.deployment.block)
        parameters = ParameterMirror(self._chain.contract("ProtocolParameters"))
        source = GovernanceSource(self._chain, proposals, parameters, ReceiptStore(database), "")
        return {"governance": source.governance, "staking": source.staking}

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The embedded chain with the suite, one staked node, and a user with 5,000 OPEN and no delegate."""
    keys = [Account.from_key(account.key.to_bytes()) for account in devnet_accounts()]
    deployer, operator, user = keys[0], keys[1], keys[2]
    with chain_process() as process:
        web3 = process.web3()
        settings = replace(DEVNET, voting_period=3600, allocations={
            operator.address: 10_000 * OPEN, user.address: 5_000 * OPEN,
        })  # fmt: skip
        record = deploy_with_web3(web3, deployer, settings)
        deployment = Deployment(
            record["chainId"], record["block"], record["genesis"], record["contracts"], record["settings"]
        )
        chain = Chain(web3, record["chainId"], deployment)
        token, staking = chain.contract("OpenToken"), chain.contract("NodeStaking")
        site = SiteThread(chain, process.url)
        url = f"http://127.0.0.1:{site.port}"
        found = World(web3, chain, url, user, operator, process, site.rechecks)
        found.send(operator, token.functions.approve(staking.address, 1_000 * OPEN))
        found.send(operator, staking.functions.stake(operator.address, 1_000 * OPEN))
        found.send(operator, token.functions.delegate(operator.address))
        yield found
        site.close()


@pytest.fixture
def wallet(world: World) -> Wallet:
    """A wallet on Ethereum's main network that has never heard of our chain."""
    return Wallet(world.web3, world.user, chain_id=1, known={1})


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium; skipped in words where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()


@dataclass
class Visit:
    """One browser page with the wallet in it, and what its console complained about."""

    page: Any
    complaints: list[str]


@pytest.fixture
def visit(browser: Any, wallet: Wallet) -> Iterator[Callable[..., Visit]]:
    """Opens pages; at the end no page may have complained."""
    contexts, visits = [], []

    def open_page(url: str, legacy: bool = False, **options: Any) -> Visit:
        context = browser.new_context(viewport={"width": 1100, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        found = Visit(page, [])
        page.on(
            "console",
            lambda message: found.complaints.append(message.text) if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.expose_function("__wallet", wallet.handle)
        page.add_init_script(WALLET_PAGE.replace("LEGACY", "true" if legacy else "false"))
        page.goto(url)
        visits.append(found)
        return found

    yield open_page
    for context in contexts:
        context.close()
    assert [one.complaints for one in visits] == [[] for _ in visits]
