"""Adapters: from the files of a bundle to checked, packed tensors held under a byte budget."""
