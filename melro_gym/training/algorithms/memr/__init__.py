"""Maximum Entropy Model Rollouts (Zhang et al. 2020), and MBPO (Janner et al. 2019) as its other settings."""

from melro_gym.training.algorithms.memr.algorithm import MODEL_ROLLOUTS as MODEL_ROLLOUTS
from melro_gym.training.algorithms.memr.config import MemrConfig as MemrConfig
