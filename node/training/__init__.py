"""Stage 2: a Datanet version and a base become an adapter, its attribution index and an evaluation."""
