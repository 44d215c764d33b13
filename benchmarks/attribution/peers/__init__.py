"""One module for each package that is measured; only the environment `attribution` can import it."""
