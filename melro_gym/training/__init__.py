"""Off-line training (Algorithm 1): losses, replay, imagination, presets and the trainer."""

from melro_gym.training.callbacks import Callback as Callback
from melro_gym.training.config import TrainConfig as TrainConfig
from melro_gym.training.ensemble import add_ensemble as add_ensemble
from melro_gym.training.presets import PRESETS as PRESETS
from melro_gym.training.presets import make_config as make_config
from melro_gym.training.trainer import train as train
