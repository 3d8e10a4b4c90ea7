"""Draws of stored states that make what is imagined from them diverse (Zhang et al. 2020, section 3).

`N` stored states, `n` of them drawn, `S` state size, `A` actions.
"""

from melro_gym.training.algorithms.maxent.data_policy import DataPolicy as DataPolicy
from melro_gym.training.algorithms.maxent.data_policy import fit_data_policy as fit_data_policy
from melro_gym.training.algorithms.maxent.data_policy import make_data_policy as make_data_policy
from melro_gym.training.algorithms.maxent.data_policy import negative_log_likelihood as negative_log_likelihood
from melro_gym.training.algorithms.maxent.sampling import Draw as Draw
from melro_gym.training.algorithms.maxent.sampling import draw as draw
from melro_gym.training.algorithms.maxent.sampling import draw_states as draw_states
from melro_gym.training.algorithms.maxent.sampling import importance_weights as importance_weights
from melro_gym.training.algorithms.maxent.sampling import priorities as priorities
from melro_gym.training.algorithms.maxent.sampling import probabilities as probabilities
