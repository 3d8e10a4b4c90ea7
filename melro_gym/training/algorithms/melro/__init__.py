"""MELRO (Bok et al. 2025, Algorithm 1): world model, policy and critic, the latter two by imagined trajectories."""

from melro_gym.training.algorithms.melro.algorithm import Melro as Melro
from melro_gym.training.algorithms.melro.config import MelroConfig as MelroConfig
