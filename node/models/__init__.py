"""Stage 3: an adapter bundle becomes a registered model, with its lineage, price and split."""
