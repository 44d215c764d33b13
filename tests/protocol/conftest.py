"""Property tests run without a deadline: on a busy machine time says nothing about the rules."""

from hypothesis import settings

settings.register_profile("rules", deadline=None)
settings.load_profile("rules")
