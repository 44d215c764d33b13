"""A dataset version and a base become an adapter bundle with its attribution index."""
