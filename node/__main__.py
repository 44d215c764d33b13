"""`openledger` and `python -m node`: the command line."""

from node.cli.root import cli


def main() -> None:
    """Runs the command line; never returns."""
    cli(prog_name="openledger")


if __name__ == "__main__":
    main()
