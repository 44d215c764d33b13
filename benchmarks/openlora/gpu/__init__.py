"""Our engine on a GPU: bases of the sizes that people serve, random weights, real traffic of bytes."""
