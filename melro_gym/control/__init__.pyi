from melro_gym.control.memory import Memory as Memory
from melro_gym.control.options import Options as Options
from melro_gym.control.session import Counters as Counters
from melro_gym.control.session import Decision as Decision
from melro_gym.control.session import Session as Session
from melro_gym.control.summary import EpisodeSummary as EpisodeSummary

__all__: list[str]
