"""On-line planning (Eq. 15, Algorithm 2) as pure functions."""

from melro_gym.planning.config import PlanConfig as PlanConfig
from melro_gym.planning.planner import PlanResult as PlanResult
from melro_gym.planning.planner import plan as plan
