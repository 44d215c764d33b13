"""Runs Brownie inside the checkout: compiler shim, caches and Brownie's own data folder all stay below it.

`python scripts/brownie_run.py compile` is `brownie compile` with HOME, PATH and the compiler's variables set. It
changes nothing outside the checkout: Brownie's data folder has no setting but HOME.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOLC_VERSION = "0.8.37"


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


def main() -> None:
    link_compiler()
    os.chdir(ROOT)
    brownie = str(Path(sys.executable).parent / "brownie")
    os.execve(brownie, [brownie, *sys.argv[1:]], brownie_environment(dict(os.environ)))


if __name__ == "__main__":
    main()
