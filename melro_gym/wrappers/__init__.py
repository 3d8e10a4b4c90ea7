"""Gymnasium wrappers: the MELRO controller and environment-agnostic disturbances.

Each is loaded on first use, so that the disturbances do without JAX.
"""

from melro_gym.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
