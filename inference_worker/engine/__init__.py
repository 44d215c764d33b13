"""The engine: one resident base, many adapters, one continuous batch."""
