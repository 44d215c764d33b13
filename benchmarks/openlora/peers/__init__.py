"""One module for each engine that is measured; only its own environment can import it."""
