"""Stage 9: a vote becomes a parameter that running nodes obey."""
