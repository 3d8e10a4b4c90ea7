"""On-line planning (Eq. 15, Algorithm 2) as pure functions, and what may be added to it from outside."""

from melro_gym.planning.config import PlanConfig as PlanConfig
from melro_gym.planning.fields import count as count
from melro_gym.planning.fields import number as number
from melro_gym.planning.planner import CandidateScores as CandidateScores
from melro_gym.planning.planner import PlanResult as PlanResult
from melro_gym.planning.planner import plan as plan
from melro_gym.planning.registry import register_risk as register_risk
from melro_gym.planning.registry import register_search as register_search
from melro_gym.planning.risk import AbstractRisk as AbstractRisk
from melro_gym.planning.search import AbstractSearch as AbstractSearch
from melro_gym.planning.search import Step as Step
