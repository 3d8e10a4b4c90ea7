"""Reports: what results say about the papers' claims, as one page with figures and tables.

Names are loaded on first use.
"""

from melro_gym.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
