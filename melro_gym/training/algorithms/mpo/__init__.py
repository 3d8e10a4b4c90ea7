"""Maximum a posteriori policy optimisation and its robust, KL-regularised forms (Mankowitz et al. 2020)."""

from melro_gym.training.algorithms.mpo.algorithm import MPO_VARIANTS as MPO_VARIANTS
from melro_gym.training.algorithms.mpo.config import MpoConfig as MpoConfig
