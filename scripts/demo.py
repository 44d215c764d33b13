"""Real medical-coding data through all nine stages; `make demo` runs this after set-up.

State is kept in `.demo/`: interrupt it anywhere and run it again, and it goes on. A further run keeps what is
on chain (Datanet, adapter, model) and does once more what a day at the network is made of, from questions to
votes.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.demo_stages.console import Console  # noqa: E402
from scripts.demo_stages.material import FULL, SMALL  # noqa: E402
from scripts.demo_stages.run import Options, run  # noqa: E402


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one object with a key for each stage")
    parser.add_argument(
        "--rpc", default="embedded", help="embedded, anvil, or the URL of a development chain"
    )
    parser.add_argument("--ipfs", default="", help="multiaddr of a Kubo daemon that gets the same DAGs")
    parser.add_argument("--state", type=Path, help="folder of the demo's state (default .demo/NAME-OF-CHAIN)")
    parser.add_argument("--fresh", action="store_true", help="forget an earlier demo's state first")
    parser.add_argument(
        "--small", action="store_true", help="few rows and one pass: minutes less, weaker figures"
    )
    parser.add_argument("--port", type=int, default=8080, help="port of the site; 0 takes a free one")
    return parser.parse_args(arguments)


def main() -> int:
    given = parse(sys.argv[1:])
    chain = given.rpc if given.rpc in ("embedded", "anvil") else "rpc"
    state = given.state or ROOT / ".demo" / (f"{chain}-small" if given.small else chain)
    console = Console(sys.stderr if given.json else sys.stdout)
    stay = sys.stdin.isatty() and sys.stdout.isatty()
    options = Options(
        state=state.resolve(),
        rpc=given.rpc,
        ipfs=given.ipfs,
        size=SMALL if given.small else FULL,
        port=given.port,
        fresh=given.fresh,
        stay=stay,
    )
    try:
        result = asyncio.run(run(options, console))
    except KeyboardInterrupt:
        console.say("\ninterrupted; run it again and it goes on")
        return 130
    if given.json:
        print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
