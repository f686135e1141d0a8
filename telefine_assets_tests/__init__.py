"""Telefine's tests."""

from hypothesis import settings

# A time limit for each example would measure the machine: what else runs on it, and what is imported first.
settings.register_profile("telefine", deadline=None)
settings.load_profile("telefine")
