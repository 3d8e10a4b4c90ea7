"""Robot policies that hold up under changes they were never trained on: MELRO for Gymnasium.

Importing this package registers the environment ids and nothing else; everything that needs JAX or dm_control is
loaded on first use. Its names are those that `__init__.pyi` imports.
"""

from melro_gym.envs.registration import register_envs
from melro_gym.lazy import attach

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = attach(__name__, __file__)

register_envs()
