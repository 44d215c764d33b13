"""Stage 6, the node's side: receipts are recorded, signed and kept."""
