"""Stage 4: a request goes to a worker and an answer comes back."""
