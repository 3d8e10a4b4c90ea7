"""Deciding for robots step by step: the session that plans and remembers, and what surrounds it."""

from melro_gym.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
