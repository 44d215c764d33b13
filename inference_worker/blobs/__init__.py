"""Bytes by content id, fetched from the node and re-hashed here."""
