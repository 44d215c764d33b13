"""Each headline figure as one command."""
