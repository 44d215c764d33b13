"""Held-out ranking of the true answer, specialist against base."""
