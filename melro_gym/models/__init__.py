"""Equinox modules: world model, Gaussian policy, critic, normaliser, and the agent that holds them."""

from melro_gym.models.agent import Agent as Agent
from melro_gym.models.agent import AgentConfig as AgentConfig
from melro_gym.models.agent import Normaliser as Normaliser
from melro_gym.models.context import ContextCritic as ContextCritic
from melro_gym.models.context import ContextPolicy as ContextPolicy
from melro_gym.models.critic import Critic as Critic
from melro_gym.models.distribution import ActionDistribution as ActionDistribution
from melro_gym.models.inference import InferenceNetwork as InferenceNetwork
from melro_gym.models.inference import Posterior as Posterior
from melro_gym.models.networks import MLP as MLP
from melro_gym.models.policy import GaussianPolicy as GaussianPolicy
from melro_gym.models.world_model import WorldModel as WorldModel
