from melro_gym.wrappers.actuators import DisabledActuators as DisabledActuators
from melro_gym.wrappers.actuators import DroppedActions as DroppedActions
from melro_gym.wrappers.actuators import RepeatedAction as RepeatedAction
from melro_gym.wrappers.actuators import StuckActions as StuckActions
from melro_gym.wrappers.auto_entropy import AutoEntropyWeight as AutoEntropyWeight
from melro_gym.wrappers.combined import RWRL_CHALLENGES as RWRL_CHALLENGES
from melro_gym.wrappers.combined import disturb as disturb
from melro_gym.wrappers.combined import rwrl_challenge as rwrl_challenge
from melro_gym.wrappers.controller import MELROController as MELROController
from melro_gym.wrappers.delays import DelayedAction as DelayedAction
from melro_gym.wrappers.delays import DelayedObservation as DelayedObservation
from melro_gym.wrappers.delays import DelayedReward as DelayedReward
from melro_gym.wrappers.disturbance import Disturbance as Disturbance
from melro_gym.wrappers.noise import DummyObservation as DummyObservation
from melro_gym.wrappers.noise import NoisyAction as NoisyAction
from melro_gym.wrappers.noise import NoisyObservation as NoisyObservation
from melro_gym.wrappers.sensors import DroppedSensors as DroppedSensors
from melro_gym.wrappers.sensors import StuckSensors as StuckSensors
from melro_gym.wrappers.vector import VectorMELROController as VectorMELROController

__all__: list[str]
