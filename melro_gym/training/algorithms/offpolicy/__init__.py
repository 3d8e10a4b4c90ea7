"""What the algorithms have in common that learn a critic from single stored transitions.

`B` rows of a batch, `J` critics, `S` state size, `A` actions.
"""

from melro_gym.training.algorithms.offpolicy.backups import bellman_target as bellman_target
from melro_gym.training.algorithms.offpolicy.backups import critic_loss as critic_loss
from melro_gym.training.algorithms.offpolicy.backups import least as least
from melro_gym.training.algorithms.offpolicy.backups import soft_value as soft_value
from melro_gym.training.algorithms.offpolicy.batches import Batch as Batch
from melro_gym.training.algorithms.offpolicy.batches import normalised as normalised
from melro_gym.training.algorithms.offpolicy.batches import sample_batches as sample_batches
from melro_gym.training.algorithms.offpolicy.critics import critic_at as critic_at
from melro_gym.training.algorithms.offpolicy.critics import critic_values as critic_values
from melro_gym.training.algorithms.offpolicy.critics import make_critics as make_critics
