"""Ways to train an agent, one folder or file each; importing this makes them known by name."""

from melro_gym.training.algorithms.base import AbstractAlgorithm as AbstractAlgorithm
from melro_gym.training.algorithms.melro import Melro as Melro
