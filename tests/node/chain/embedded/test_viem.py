"""viem, the library of the wallet pages, against the embedded chain: deploy, write, simulate, watch, sign."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.node.chain.support import ROOT, chain_process

HERE = Path(__file__).parent


@pytest.mark.skipif(
    shutil.which("node") is None or not (ROOT / "node_modules" / "viem").is_dir(),
    reason="node or viem is not installed (npm install)",
)
def test_viem_deploys_writes_simulates_watches_and_signs() -> None:
    """SPEC 0.42, 0.44 and 0.49"""
    artifact = ROOT / "node" / "chain" / "artifacts" / "OpenToken.json"
    with chain_process() as running:
        command = ["node", str(HERE / "viem_client.mjs"), running.url, str(artifact)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    other = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    assert json.loads(done.stdout) == {
        "balance": "5",
        "refused": ["ERC20InsufficientBalance", [other, "5", "9"]],
        "events": [str(10**27), "5"],
        "pushed": "5",
        "feesAreEnough": True,
        "sameSignature": True,
        "history": 2,
    }
