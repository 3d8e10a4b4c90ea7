"""Ways to train an agent, one folder or file each; importing this makes them known by name."""

from melro_gym.training.algorithms.base import AbstractAlgorithm as AbstractAlgorithm
from melro_gym.training.algorithms.melro import Melro as Melro
from melro_gym.training.algorithms.memr import MODEL_ROLLOUTS as MODEL_ROLLOUTS
from melro_gym.training.algorithms.mpo import MPO_VARIANTS as MPO_VARIANTS
from melro_gym.training.algorithms.sac import Sac as Sac
from melro_gym.training.algorithms.svg import SVG_VARIANTS as SVG_VARIANTS
