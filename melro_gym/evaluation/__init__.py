"""Evaluation: returns of any policy on any environments, their statistics, and figures and tables of them.

Names are loaded on first use, so that records and statistics do without JAX.
"""

from melro_gym.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
