"""The operator's bond: what a node has at stake and who may sign for it."""
