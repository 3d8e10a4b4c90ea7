"""Off-line training: a loop around algorithms, of which MELRO (Algorithm 1) is one; replay, presets."""

from melro_gym.training.algorithms import AbstractAlgorithm as AbstractAlgorithm
from melro_gym.training.audits import EntropyAudits as EntropyAudits
from melro_gym.training.callbacks import Callback as Callback
from melro_gym.training.config import TrainConfig as TrainConfig
from melro_gym.training.ensemble import add_ensemble as add_ensemble
from melro_gym.training.fit import careful_planner as careful_planner
from melro_gym.training.fit import fit_models as fit_models
from melro_gym.training.fit import fit_world_model as fit_world_model
from melro_gym.training.harden import harden_config as harden_config
from melro_gym.training.loop import train as train
from melro_gym.training.presets import PRESETS as PRESETS
from melro_gym.training.presets import make_config as make_config
from melro_gym.training.registry import ALGORITHMS as ALGORITHMS
from melro_gym.training.registry import register_algorithm as register_algorithm
from melro_gym.training.seeds import train_seeds as train_seeds
