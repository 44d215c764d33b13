"""Stage 5: the worker's units become a checked report in integer shares."""
