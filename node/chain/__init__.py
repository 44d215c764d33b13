"""The chain: an embedded one, the RPC client, accounts, transactions, signatures and logs."""
