"""Stage 1: files and rows become reviewed contributions, and those an immutable version."""
