"""Runs forge over the contracts and tests/forge, with our compiler shim and caches below the checkout.

`python scripts/forge_run.py test` and whatever else forge takes.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FORGE = ROOT / "node_modules" / "@foundry-rs" / "forge-linux-amd64" / "bin" / "forge"


def main() -> None:
    if not FORGE.exists():
        sys.exit("forge is missing: run `make setup`")
    os.chdir(ROOT)
    home = ROOT / ".home"
    home.mkdir(exist_ok=True)
    environment = os.environ | {"HOME": str(home), "SOLC_JS": str(ROOT / "node_modules" / "solc")}
    os.execve(FORGE, [str(FORGE), *sys.argv[1:]], environment)


if __name__ == "__main__":
    main()
