from melro_gym.evaluation.controllers import base_controller as base_controller
from melro_gym.evaluation.controllers import make_controller as make_controller
from melro_gym.evaluation.controllers import melro_controller as melro_controller
from melro_gym.evaluation.entropy_audit import EntropyAuditRecord as EntropyAuditRecord
from melro_gym.evaluation.entropy_audit import Success as Success
from melro_gym.evaluation.entropy_audit import Verdict as Verdict
from melro_gym.evaluation.entropy_audit import audit_agent as audit_agent
from melro_gym.evaluation.entropy_audit import diagnose as diagnose
from melro_gym.evaluation.figures import draw_returns as draw_returns
from melro_gym.evaluation.figures import write_video as write_video
from melro_gym.evaluation.protocol import default_config as default_config
from melro_gym.evaluation.protocol import episode_seeds as episode_seeds
from melro_gym.evaluation.protocol import evaluate as evaluate
from melro_gym.evaluation.records import Row as Row
from melro_gym.evaluation.records import compare as compare
from melro_gym.evaluation.records import make_row as make_row
from melro_gym.evaluation.records import row_label as row_label
from melro_gym.evaluation.records import write_json as write_json
from melro_gym.evaluation.rollouts import Controller as Controller
from melro_gym.evaluation.rollouts import run_episodes as run_episodes
from melro_gym.evaluation.statistics import Interval as Interval
from melro_gym.evaluation.statistics import bootstrap_difference as bootstrap_difference
from melro_gym.evaluation.statistics import bootstrap_mean as bootstrap_mean
from melro_gym.evaluation.tuning import Trial as Trial
from melro_gym.evaluation.tuning import tune as tune

__all__: list[str]
