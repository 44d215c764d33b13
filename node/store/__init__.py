"""Durable state: one SQLite file per node. All SQL of the project lives in this package, one module per stage."""
