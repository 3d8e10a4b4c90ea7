"""What Robust MPO's family has in common (Mankowitz et al. 2020): its evaluation of a policy, and how that is compiled.

`B` rows of a batch, `K` simulators, `M` actions drawn in a next state, `N` actions drawn to improve, `J` critics, `S`
state size, `A` actions.
"""

from melro_gym.training.algorithms.robust.algorithm import AbstractRobust as AbstractRobust
from melro_gym.training.algorithms.robust.config import RobustConfig as RobustConfig
from melro_gym.training.algorithms.robust.variants import family_presets as family_presets
from melro_gym.training.algorithms.robust.variants import register_variants as register_variants
