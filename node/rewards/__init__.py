"""Stage 8: a final root pays contributors, owners, operators and stakers."""
