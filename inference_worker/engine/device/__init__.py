"""The engine's runner for a GPU: all on one device, and a decode step that can be captured."""
