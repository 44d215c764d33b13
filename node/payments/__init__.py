"""Stage 6, the payer's side: channels, credit, vouchers and session keys."""
