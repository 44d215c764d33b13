"""The multi-adapter engine beside its peers, each in a process of its own."""
