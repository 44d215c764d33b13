"""A single-operator development chain: py-evm behind an Ethereum JSON-RPC, kept in one SQLite file."""
