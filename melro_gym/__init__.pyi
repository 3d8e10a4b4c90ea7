from melro_gym import adaptation as adaptation
from melro_gym import control as control
from melro_gym import evaluation as evaluation
from melro_gym import interop as interop
from melro_gym import models as models
from melro_gym import planning as planning
from melro_gym import realtime as realtime
from melro_gym import suites as suites
from melro_gym import training as training
from melro_gym import wrappers as wrappers
from melro_gym.audit import EntropyAudit as EntropyAudit
from melro_gym.checkpoint import CheckpointError as CheckpointError
from melro_gym.checkpoint import load_agent as load_agent
from melro_gym.checkpoint import save_agent as save_agent
from melro_gym.compilation import use_compilation_cache as use_compilation_cache
from melro_gym.devices import use_cpu_devices as use_cpu_devices
from melro_gym.envs.registration import register_envs as register_envs
from melro_gym.envs.registration import register_perturbation as register_perturbation
from melro_gym.evaluation import evaluate as evaluate
from melro_gym.interop.datasets import fit_agent as fit_agent
from melro_gym.interop.wrap import wrap_policy as wrap_policy
from melro_gym.models import Agent as Agent
from melro_gym.planning import PlanConfig as PlanConfig
from melro_gym.planning import PlanResult as PlanResult
from melro_gym.planning import plan as plan
from melro_gym.realtime import ControlLoop as ControlLoop
from melro_gym.training import Callback as Callback
from melro_gym.training import TrainConfig as TrainConfig
from melro_gym.training import train as train
from melro_gym.wrappers import MELROController as MELROController
from melro_gym.wrappers import VectorMELROController as VectorMELROController

__version__: str
__all__: list[str]
