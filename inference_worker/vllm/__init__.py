"""vLLM as the engine: a server of its own process behind our checks, prompts, stop strings and events."""
