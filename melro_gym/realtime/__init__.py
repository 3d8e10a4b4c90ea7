"""Running a policy on a clock: pacing, limits on actions, logs and their replay. This is no safety controller."""

from melro_gym.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
