"""Ways to improve a plan: one class each, which owns its parameters."""

from melro_gym.planning.search.ars import AugmentedRandomSearch as AugmentedRandomSearch
from melro_gym.planning.search.base import AbstractSearch as AbstractSearch
from melro_gym.planning.search.base import Step as Step
from melro_gym.planning.search.cem import CrossEntropy as CrossEntropy
from melro_gym.planning.search.gradient import GradientAscent as GradientAscent
from melro_gym.planning.search.mppi import PathIntegral as PathIntegral
