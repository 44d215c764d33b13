"""Which rows of the Datanet shaped an answer, in integers."""
