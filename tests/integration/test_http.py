"""A paid answer through the front door: official client, real socket, real money, and what the pages say of
it.
"""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import openai
import pytest
import pytest_asyncio
from click.testing import CliRunner

from node.api.app import Parts
from node.api.chain_link import ChainLink
from node.api.health_source import HealthSource
from node.api.ports import ModelCard
from node.api.server import PublicListener, Site
from node.chain.signer import signer_of
from node.cli.assembly import DAPP, answers_of, api_settings, ledger_of, network_of, rechecks_of, site_data_of
from node.cli.root import cli
from node.cli.session import open_amount
from node.config import Config, load_config
from protocol.eip712 import Domain, channels_domain
from protocol.hashing import to_hex
from protocol.receipt import Voucher
from protocol.types import TOTAL_PPM
from tests.integration.ledger_world import MODEL
from tests.integration.running_node import Node


class OneModel:
    """The world's model, whose adapter is arithmetic and so has no bundle to list it by."""

    def served(self) -> tuple[ModelCard, ...]:
        return (ModelCard(MODEL, 1, 0, "0x" + "00" * 20, "letters-base", "", 1, 1, 1, 1, 1),)


@dataclass
class Front:
    """A running node with its public listener."""

    node: Node
    config: Config
    url: str
    http: aiohttp.ClientSession

    @property
    def sdk(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            base_url=f"{self.url}/v1", api_key=self.node.prepared.api_key, max_retries=0
        )

    async def ask(self, question: str) -> tuple[str, str]:
        """A paid answer: its text and its request id; its receipt is signed when this returns."""
        answer = await self.sdk.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": question}],
            max_tokens=12,
            seed=7,
            temperature=0,
        )
        name = answer.openledger["request_id"]  # type: ignore[attr-defined]
        await self.node.core.pipeline.settled(bytes.fromhex(name[2:]))
        return answer.choices[0].message.content or "", name

    async def json(self, path: str) -> dict[str, object]:
        async with self.http.get(path) as response:
            assert response.status == 200, await response.text()
            return dict(await response.json())

    async def page(self, path: str) -> str:
        async with self.http.get(path) as response:
            assert response.status == 200, await response.text()
            return await response.text()

    def charged(self) -> tuple[object, ...]:
        """Everything that a request may leave behind that costs anyone money."""
        core = self.node.core
        return core.receipts.totals(), core.database.execute("SELECT count(*) FROM jobs").rows[0][0]


@pytest_asyncio.fixture
async def front(node: Node) -> AsyncIterator[Front]:
    """The node's own listener, put together as in `openledger node run`."""
    core, folder = node.core, node.prepared.folder
    config = load_config(
        None,
        {
            "OPENLEDGER_NODE_DATA_DIR": str(folder),
            "OPENLEDGER_CHAIN_RPC_URL": node.world.url,
            "OPENLEDGER_CHAIN_DEPLOYMENT": str(node.world.deployment),
            "OPENLEDGER_SITE_PUBLISH_ANSWERS": "true",
        },
    )
    models, link = OneModel(), ChainLink(node.world.url)
    answers = answers_of(config, core)
    ledger = await asyncio.to_thread(ledger_of, config, core, answers, models)
    health = HealthSource(core.chain, core.worker, ledger)
    await health.probe()
    network, rechecks = network_of(config, core), rechecks_of(core)
    parts = Parts(core.pipeline, models, answers, health, link, network, core.metrics, rechecks)
    data = await asyncio.to_thread(site_data_of, config, core, ledger)
    listener = PublicListener(
        parts, api_settings(config), link, Site(data, DAPP, "OpenLedger"), "127.0.0.1", 0
    )
    await listener.start()
    url = f"http://127.0.0.1:{listener.port}"
    async with aiohttp.ClientSession(url) as session:
        yield Front(node, config, url, session)
    await listener.stop()


async def test_a_paid_answer_has_a_receipt_that_verifies_and_a_page_that_adds_up(front: Front) -> None:
    """SPEC 4.57, 4.67, 4.68, 4.70 and 10.3, 10.6"""
    text, name = await front.ask("What is one?")
    assert len(text) == 12
    verified = await front.json(f"/v1/receipts/{name}/verify")
    assert verified["valid"] is True, verified
    receipt = await front.json(f"/v1/receipts/{name}")
    price = int(receipt["receipt"]["price"])  # type: ignore[index]
    attribution = await front.json(f"/v1/attribution/{name}")
    shares = sum(entry["ppm"] for entry in attribution["entries"])  # type: ignore[attr-defined]
    assert shares + int(str(attribution["unattributed_ppm"])) == TOTAL_PPM
    assert "".join(attribution["token_texts"]) == text  # type: ignore[arg-type]
    page = await front.page(f"/answers/{name}")
    cells = re.findall(r'<td class="num right">([\d\u202f]+)</td>', page)
    assert sum(int(cell.replace("\u202f", "")) for cell in cells) == 4 * price
    assert "<mark" in page


async def test_a_record_that_was_tampered_with_no_longer_verifies(front: Front) -> None:
    """SPEC 4.70"""
    _, name = await front.ask("What is two?")
    database = front.node.core.database
    database.execute(
        "UPDATE accruals SET amount = CAST(length(amount) AS TEXT) WHERE request_id = ?",
        (bytes.fromhex(name[2:]),),
    )
    verified = await front.json(f"/v1/receipts/{name}/verify")
    assert verified["valid"] is False
    assert [one["name"] for one in verified["checks"] if not one["holds"]] == ["split"]  # type: ignore[attr-defined]


async def test_the_pages_follow_the_money_until_it_is_final(front: Front) -> None:
    """SPEC 10.1, 10.6"""
    _, name = await front.ask("What is three?")
    assert "· owed" in await front.page("/answers")
    await front.node.settle_until_final()
    assert "· final" in await front.page("/answers")
    receipt = await front.json(f"/v1/receipts/{name}")
    assert receipt["settlement"]["state"] == "final"  # type: ignore[index]
    earners = await front.page("/earnings")
    accounts = set(re.findall(r'href="/earnings/(0x[0-9a-f]{40})"', earners))
    assert accounts == {earner["account"] for earner in receipt["earners"]}  # type: ignore[attr-defined]
    for account in accounts:
        assert name in await front.page(f"/earnings/{account}")
    totals = re.search(r"<tfoot>.*</tfoot>", earners, re.DOTALL)
    assert totals is not None
    accrued, final, _ = re.findall(r'class="num right">([^<]+)<', totals.group())
    assert accrued == final
    for path in ("/", "/governance", "/stake"):
        assert "<h1>" in await front.page(path)
    stages = (await front.json("/v1/status"))["stages"]
    assert stages["settlement"]["epochs final"] == "1"  # type: ignore[index]


def signed_header(front: Front, voucher: Voucher, domain: Domain, key: bytes) -> dict[str, str]:
    """The header of a client that signs its own vouchers."""
    fields = {
        "channel_id": to_hex(voucher.channel_id),
        "cumulative": str(voucher.cumulative),
        "receipt_count": voucher.receipt_count,
        "receipts_root": to_hex(voucher.receipts_root),
        "valid_before": voucher.valid_before,
        "signature": to_hex(signer_of(key).sign_voucher(voucher, domain)),
    }
    return {"x-openledger-voucher": base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()}


async def test_a_client_that_signs_its_own_vouchers_is_served(front: Front) -> None:
    """SPEC 4.55"""
    voucher = front.node.core.vouchers.next(front.node.prepared.channel_id)
    key = bytes(front.node.world._key("payer").key)
    headers = signed_header(front, voucher, front.node.world.channels_domain, key)
    body = {"model": MODEL, "prompt": "four", "max_tokens": 4}
    async with front.http.post("/v1/completions", json=body, headers=headers) as response:
        assert response.status == 200, await response.text()
    # The same signature does not open a second request.
    async with front.http.post("/v1/completions", json=body, headers=headers) as response:
        assert response.status == 409


@pytest.mark.parametrize("wrong", ["chain", "contract", "signer", "amount", "channel", "expired"])
async def test_a_bad_voucher_is_refused_and_nothing_is_charged(front: Front, wrong: str) -> None:
    """SPEC 4.55, 4.60"""
    world, core = front.node.world, front.node.core
    voucher, domain, key = (
        core.vouchers.next(front.node.prepared.channel_id),
        world.channels_domain,
        world._key("payer").key,
    )
    changed = {
        "amount": Voucher(voucher.channel_id, 10**18, 5, b"\1" * 32, voucher.valid_before),
        "channel": Voucher(b"\7" * 32, 0, 0, bytes(32), voucher.valid_before),
        "expired": Voucher(
            voucher.channel_id, voucher.cumulative, voucher.receipt_count, voucher.receipts_root, 1
        ),
    }
    domains = {
        "chain": channels_domain(domain.chain_id + 1, domain.contract),
        "contract": channels_domain(domain.chain_id, world.record["contracts"]["EpochSettlement"]),
    }
    signing = world._key("stranger").key if wrong == "signer" else key
    headers = signed_header(front, changed.get(wrong, voucher), domains.get(wrong, domain), bytes(signing))
    before = front.charged()
    async with front.http.post(
        "/v1/completions", json={"model": MODEL, "prompt": "x"}, headers=headers
    ) as response:
        body = await response.json()
        assert 400 <= response.status < 500
        assert set(body["error"]) == {"message", "type", "code", "param"}
        assert response.headers["x-should-retry"] == "false"
    assert front.charged() == before
    assert (await front.ask("Still here?"))[0]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"model": "letters", "model": "letters"}', 400),
        (json.dumps({"model": "absent", "prompt": "x"}).encode(), 404),
        (json.dumps({"model": MODEL, "prompt": "x" * 300_000}).encode(), 413),
        (json.dumps({"model": MODEL, "prompt": "x", "max_tokens": -1}).encode(), 400),
        (json.dumps({"model": MODEL, "prompt": "x", "n": 2**31}).encode(), 400),
        (b"x" * (2 << 20), 413),
    ],
    ids=["cut off", "doubled", "unknown model", "oversized", "negative", "many", "huge"],
)
async def test_hostile_bodies_cost_nothing_and_the_node_lives(front: Front, body: bytes, status: int) -> None:
    """SPEC 4.60, 4.62"""
    before = front.charged()
    headers = {"Authorization": f"Bearer {front.node.prepared.api_key}", "Content-Type": "application/json"}
    async with front.http.post("/v1/completions", data=body, headers=headers) as response:
        assert response.status == status
        assert "error" in await response.json()
    assert front.charged() == before
    assert (await front.ask("Still here?"))[0]


async def test_texts_are_for_the_payer_where_the_operator_does_not_publish(front: Front) -> None:
    """SPEC 4.69"""
    _, name = await front.ask("Who may read this?")
    request_id, key = bytes.fromhex(name[2:]), front.node.prepared.api_key
    hidden = load_config(None, {"OPENLEDGER_NODE_DATA_DIR": str(front.node.prepared.folder)})
    answers = answers_of(hidden, front.node.core)
    assert answers.may_read(request_id, key)
    assert not answers.may_read(request_id, None)
    assert not answers.may_read(request_id, "ol_sk_unknown")
    assert not answers.may_read(bytes(32), key)


async def terminal(environment: dict[str, str], *arguments: str, stdin: str | None = None) -> SimpleNamespace:
    """One run of `openledger`, beside the node and not in its event loop."""

    def run() -> SimpleNamespace:
        done = CliRunner().invoke(cli, list(arguments), env=environment, input=stdin)
        return SimpleNamespace(code=done.exit_code, out=done.stdout, err=done.stderr)

    return await asyncio.to_thread(run)


async def test_the_command_line_verifies_a_receipt_without_trusting_the_node(
    front: Front, tmp_path: Path
) -> None:
    """SPEC 0.66"""
    _, name = await front.ask("What is five?")
    environment = {
        "OPENLEDGER_NODE_DATA_DIR": str(tmp_path),
        "OPENLEDGER_CHAIN_RPC_URL": front.node.world.url,
        "OPENLEDGER_CHAIN_DEPLOYMENT": str(front.node.world.deployment),
    }

    good = await terminal(environment, "receipt", "verify", name, "--url", front.url, "--json")
    assert good.code == 0, good.err
    assert all(check["holds"] for check in json.loads(good.out))
    absent = await terminal(environment, "receipt", "show", "0x" + "00" * 32, "--url", front.url)
    assert absent.code == 3
    stages = await terminal(environment, "node", "show", "--url", front.url, "--json")
    assert json.loads(stages.out)["stages"]["serving"]["answers"] == "1"


async def test_a_reward_is_shown_and_claimed_from_the_command_line(front: Front, tmp_path: Path) -> None:
    """SPEC 0.68"""
    _, name = await front.ask("What is six?")
    await front.node.settle_until_final()
    world, folder = front.node.world, front.node.prepared.folder
    (tmp_path / "password").write_text("a password")
    environment = {
        "OPENLEDGER_NODE_DATA_DIR": str(folder),
        "OPENLEDGER_NODE_PASSWORD_FILE": str(tmp_path / "password"),
        "OPENLEDGER_CHAIN_RPC_URL": world.url,
        "OPENLEDGER_CHAIN_DEPLOYMENT": str(world.deployment),
    }
    key = world._key("stranger").key.hex()
    made = await terminal(environment, "keys", "create", "relay", "--import", "--light", "--json", stdin=key)
    assert made.code == 0, made.err
    account = world.plain("owner")
    shown = await terminal(environment, "reward", "show", account, "--json")
    earned = json.loads(shown.out)
    assert earned["accrued"] == earned["stated"] == earned["final"] != "0 OPEN"
    before = await asyncio.to_thread(world.balance, account)
    claimed = await terminal(environment, "reward", "claim", account, "--key", "relay", "--json")
    assert claimed.code == 0, claimed.err
    assert json.loads(claimed.out)["paid"] == earned["final"]
    moved = await asyncio.to_thread(world.balance, account) - before
    assert open_amount(moved) == earned["final"]
    again = await terminal(environment, "reward", "claim", account, "--key", "relay", "--json")
    assert json.loads(again.out)["paid"] == "0 OPEN"
    assert name in await front.page(f"/earnings/{account}")
