"""Soft Actor-Critic (Haarnoja et al. 2018), with a learned temperature and several critics."""

from melro_gym.training.algorithms.sac.algorithm import Sac as Sac
from melro_gym.training.algorithms.sac.config import SacConfig as SacConfig
