"""Made-up but fixed records for the golden cases, and their JSON forms (with Solidity field names)."""

from collections.abc import Sequence

from node.chain.keccak import keccak
from protocol.cid import cid_of_raw
from protocol.eip712 import Domain, domain_separator
from protocol.hashing import to_hex
from protocol.manifest import (
    GRANTED,
    REVOKED,
    Labour,
    Manifest,
    ManifestRow,
    Row,
    content_digest,
    coverage,
    encode_row,
)
from protocol.merkle import Proof
from protocol.parameters import DEFAULTS
from protocol.receipt import (
    Receipt,
    output_root,
    prompt_digest,
    request_id,
)
from protocol.rewards import Terms, stakers_account
from protocol.sampling import Sampling, sampling_digest
from protocol.sumtree import SumLeaf, SumProof
from protocol.types import Address, version_key

Case = dict[str, object]

CHAIN_ID = 31337
GENESIS = 1_700_000_000


def word(name: str) -> bytes:
    """A 32-byte value that depends on its name alone."""
    return keccak(name.encode("utf-8"))


def account(name: str) -> Address:
    """A made-up address that depends on its name alone."""
    return Address("0x" + word(name)[12:].hex())


def sample_receipt(node: str, channel: str, seq: int, price: int, cumulative: int) -> Receipt:
    """A receipt whose other fields follow from its channel and place."""
    channel_word = word(f"channel {channel}")
    ids = list(range(seq, seq + 40))
    sampling = sampling_digest(Sampling(seed=seq), len(ids), keccak)
    return Receipt(
        request_id=request_id(channel_word, f"key {seq}", keccak),
        channel_id=channel_word,
        seq=seq,
        model_id=3,
        datanet_version_key=version_key(2, 1),
        prompt_digest=prompt_digest(ids[:7], sampling, word(f"salt {seq}"), keccak),
        output_root=output_root(ids, keccak),
        attribution_root=word(f"attribution {seq}"),
        method_id=word("method"),
        profile_id=word("profile"),
        parameters_version=DEFAULTS.version,
        prompt_tokens=7,
        output_tokens=40,
        price=price,
        cumulative=cumulative,
        node=account(node),
        requested_at=GENESIS + seq,
        issued_at=GENESIS + seq + 1,
    )


def receipts_of(node: str, channel: str, prices: Sequence[int]) -> list[Receipt]:
    return [
        sample_receipt(node, channel, seq, price, sum(prices[:seq]))
        for seq, price in enumerate(prices, start=1)
    ]


def sample_manifest() -> Manifest:
    """Six rows of three owners: two in one cluster, one revoked, one gated."""
    texts = [f"disease {place}" for place in range(6)]
    rows = [Row("qa", text, f"A0{place}", {"chapter": "1"}) for place, text in enumerate(texts)]
    digests = sorted(to_hex(content_digest(row)) for row in rows)
    cids = [cid_of_raw(encode_row(row)).text for row in rows]
    owners = [account(name) for name in ("ada", "bob", "ada", "cyd", "bob", "cyd")]
    clusters = (0, 1, 2, 0, 4, 5)
    return Manifest(
        datanet=2,
        version=1,
        parent=0,
        rows=tuple(
            ManifestRow(
                place,
                digests[place],
                owners[place],
                clusters[place],
                "CC0-1.0",
                REVOKED if place == 5 else GRANTED,
                place == 4,
                cids[place],
            )
            for place in range(6)
        ),
        labour=(
            Labour("curation", account("curator"), 700_000),
            Labour("evaluation", account("judge"), 300_000),
        ),
    )


def sample_terms(manifest: Manifest, node: str = "node a") -> Terms:
    return Terms(
        owner=account("model owner"),
        operator=account(f"{node} operator"),
        stakers_account=stakers_account(account(node), keccak),
        treasury=account("treasury"),
        royalties=((account("parent 1"), 123_456), (account("parent 2"), 200_000)),
        labour=tuple((item.account, item.ppm) for item in manifest.labour),
        coverage=tuple(coverage(manifest).items()),
    )


def domain_json(domain: Domain) -> Case:
    return {
        "name": domain.name,
        "version": domain.version,
        "chainId": domain.chain_id,
        "verifyingContract": domain.contract,
        "separator": to_hex(domain_separator(domain, keccak)),
    }


def leaf_json(leaf: SumLeaf) -> Case:
    return {"key": to_hex(leaf.key), "amount": str(leaf.amount)}


def proof_json(proof: SumProof) -> Case:
    path = [{"digest": to_hex(digest), "sum": str(amount)} for digest, amount in proof.path]
    return {"index": proof.index, "count": proof.count, "path": path}


def merkle_proof_json(proof: Proof) -> Case:
    return {"index": proof.index, "count": proof.count, "path": [to_hex(node) for node in proof.path]}
