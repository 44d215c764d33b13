"""Runs Brownie inside the checkout: compiler shim, caches and Brownie's own data folder all stay below it.

`python scripts/brownie_run.py compile` is `brownie compile` with HOME, PATH and the compiler's variables
set, and `python scripts/brownie_run.py deploy --rpc URL --out FILE` deploys the suite to any endpoint. It
changes nothing outside the checkout: Brownie's data folder has no setting but HOME.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOLC_VERSION = "0.8.37"
BROWNIE = str(Path(sys.executable).parent / "brownie")
NETWORK = "openledger-rpc"


def brownie_environment(base: dict[str, str]) -> dict[str, str]:
    """The variables under which Brownie finds our compiler and keeps its data in the checkout."""
    # Before the venv: slither's solc-select installs a `solc` there that downloads.
    path = [ROOT / "scripts" / "solc", ROOT / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin"]
    return base | {
        "PATH": os.pathsep.join([*map(str, path), str(Path(sys.executable).parent), base.get("PATH", "")]),
        "SOLCX_BINARY_PATH": str(ROOT / ".solcx"),
        "SOLC_JS": str(ROOT / "node_modules" / "solc"),
        "SOLC_CACHE": base.get("SOLC_CACHE", str(ROOT / ".solc-cache")),
        "ETH_HASH_BACKEND": "pysha3",
        "HOME": str(ROOT / ".home"),
    }


def link_compiler() -> None:
    """Puts the shim where py-solc-x looks for a compiler of this version."""
    (ROOT / ".home").mkdir(exist_ok=True)
    folder = ROOT / ".solcx"
    folder.mkdir(exist_ok=True)
    link = folder / f"solc-v{SOLC_VERSION}"
    if not link.is_symlink():
        link.symlink_to(Path("..") / "scripts" / "solc" / "solc")
    # The shim's remembered version line must not outlive an upgrade of the npm package.
    (ROOT / "scripts" / "solc" / ".solc-banner").unlink(missing_ok=True)


def add_network(url: str) -> None:
    """Tells Brownie of the endpoint as the live network NETWORK, in place of any earlier one of that name."""
    with urllib.request.urlopen(_rpc_request(url, "eth_chainId"), timeout=30) as response:
        chain_id = int(json.load(response)["result"], 16)
    environment = brownie_environment(dict(os.environ))
    # Fails when there is none yet, which is as good.
    subprocess.run(
        [BROWNIE, "networks", "delete", NETWORK], env=environment, capture_output=True, check=False
    )
    add = [BROWNIE, "networks", "add", "live", NETWORK, f"host={url}", f"chainid={chain_id}"]
    subprocess.run(add, env=environment, capture_output=True, check=True)


def _rpc_request(url: str, method: str) -> urllib.request.Request:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": []}).encode()
    return urllib.request.Request(url, body, {"content-type": "application/json"})


def deploy_command(arguments: list[str]) -> list[str]:
    """Turns `deploy --rpc URL --out FILE [--settings FILE]` into the Brownie command that does it."""
    parser = argparse.ArgumentParser(prog="brownie_run.py deploy")
    parser.add_argument("--rpc", required=True, help="JSON-RPC endpoint of the chain")
    parser.add_argument("--out", required=True, type=Path, help="where to write the deployment record")
    parser.add_argument("--settings", type=Path, help="JSON object of scripts/deployment_plan.Settings")
    given = parser.parse_args(arguments)
    os.environ["OPENLEDGER_DEPLOYMENT_OUT"] = str(given.out.resolve())
    if given.settings is not None:
        os.environ["OPENLEDGER_SETTINGS"] = str(given.settings.resolve())
    # Brownie looks for what it once deployed at a chain id and stops where a new chain has nothing there.
    remembered = ROOT / "build" / "deployments"
    shutil.rmtree(remembered, ignore_errors=True)
    remembered.mkdir(parents=True)
    add_network(given.rpc)
    return ["run", "deploy", "main", "--network", NETWORK]


def main() -> None:
    arguments = sys.argv[1:]
    link_compiler()
    if arguments[:1] == ["deploy"]:
        arguments = deploy_command(arguments[1:])
    os.chdir(ROOT)
    os.execve(BROWNIE, [BROWNIE, *arguments], brownie_environment(dict(os.environ)))


if __name__ == "__main__":
    main()
