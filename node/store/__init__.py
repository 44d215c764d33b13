"""Durable state: one SQLite file per node. All SQL lives in this package, one module per stage."""
