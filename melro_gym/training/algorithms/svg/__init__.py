"""SVG(0) with a KL-regularised, robust evaluation (Mankowitz et al. 2020)."""

from melro_gym.training.algorithms.svg.algorithm import SVG_VARIANTS as SVG_VARIANTS
from melro_gym.training.algorithms.svg.config import SvgConfig as SvgConfig
