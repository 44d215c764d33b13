"""The frozen base model: made once from a pinned source, loaded without network."""
