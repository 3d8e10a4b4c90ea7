"""Equinox modules: world model, Gaussian policy, critic, normaliser, and the agent that holds them."""

from melro_gym.models.agent import Agent as Agent
from melro_gym.models.agent import AgentConfig as AgentConfig
from melro_gym.models.agent import Parts as Parts
from melro_gym.models.base import AbstractCritic as AbstractCritic
from melro_gym.models.base import AbstractPolicy as AbstractPolicy
from melro_gym.models.base import AbstractSingleModel as AbstractSingleModel
from melro_gym.models.base import AbstractWorldModel as AbstractWorldModel
from melro_gym.models.context import AnchoredPolicy as AnchoredPolicy
from melro_gym.models.context import ContextCritic as ContextCritic
from melro_gym.models.context import ContextPolicy as ContextPolicy
from melro_gym.models.copied import CopiedCritic as CopiedCritic
from melro_gym.models.copied import CopiedPolicy as CopiedPolicy
from melro_gym.models.copied import CriticFromRaw as CriticFromRaw
from melro_gym.models.copied import FromRaw as FromRaw
from melro_gym.models.critic import Critic as Critic
from melro_gym.models.distribution import ActionDistribution as ActionDistribution
from melro_gym.models.ensemble import EnsembleWorldModel as EnsembleWorldModel
from melro_gym.models.inference import InferenceNetwork as InferenceNetwork
from melro_gym.models.inference import Posterior as Posterior
from melro_gym.models.layers import Layers as Layers
from melro_gym.models.networks import MLP as MLP
from melro_gym.models.no_model import NoWorldModel as NoWorldModel
from melro_gym.models.normaliser import Normaliser as Normaliser
from melro_gym.models.outside import OutsideCritic as OutsideCritic
from melro_gym.models.outside import OutsidePolicy as OutsidePolicy
from melro_gym.models.parts import build_part as build_part
from melro_gym.models.parts import describe as describe
from melro_gym.models.parts import register_part as register_part
from melro_gym.models.policy import GaussianPolicy as GaussianPolicy
from melro_gym.models.world_model import WorldModel as WorldModel

register_part("normaliser", Normaliser, Normaliser.identity)
register_part("world_model", WorldModel)
register_part("no_world_model", NoWorldModel)
register_part("ensemble", EnsembleWorldModel, EnsembleWorldModel.build)
register_part("gaussian_policy", GaussianPolicy)
register_part("critic", Critic)
register_part("anchored_policy", AnchoredPolicy, AnchoredPolicy.build)
register_part("context_policy", ContextPolicy, ContextPolicy.build)
register_part("context_critic", ContextCritic, ContextCritic.build)
register_part("copied_policy", CopiedPolicy, CopiedPolicy.build)
register_part("copied_critic", CopiedCritic, CopiedCritic.build)
register_part("from_raw", FromRaw, FromRaw.build)
register_part("critic_from_raw", CriticFromRaw, CriticFromRaw.build)
register_part("outside_policy", OutsidePolicy, OutsidePolicy.build)
register_part("outside_critic", OutsideCritic, OutsideCritic.build)
