"""Stage 7: vouchers are claimed and an epoch's receipts become a final root."""
