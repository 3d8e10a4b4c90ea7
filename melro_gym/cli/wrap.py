"""`melro-gym wrap`."""

from __future__ import annotations

from dataclasses import dataclass

from melro_gym.cli.parsing import parse_object
from melro_gym.cli.running import Running


@dataclass(frozen=True, kw_only=True)
class Wrap(Running):
    """Fit a world model and a critic around a policy from elsewhere, which stays as it is. Ctrl-C saves."""

    policy: str
    """A .zip of Stable-Baselines3, sb3-contrib or SBX (their library loads it and unpickles: only files that you
    trust), an .onnx file, an agent, or module:name of a model or a function of observations, whose module is run."""
    env: str = "WalkerWalk-v0"
    """Gymnasium id."""
    env_kwargs: str = "{}"
    """Keyword arguments of the environment, as JSON."""
    steps: int = 50_000
    """Environment steps to collect, besides the first data."""
    imagine: str = ""
    """Family of changes that the critic imagines, such as actuators; empty: none."""
    critic: str = "fit"
    """fit: learn a value function from nothing; source: begin with the policy's own."""

    def run(self) -> None:
        """Wrap; see `Running.watch`."""
        from melro_gym.interop.load import load_policy
        from melro_gym.interop.wrap import wrap_run

        kwargs = parse_object(self.env_kwargs, "--env-kwargs")
        settings = self.settings("steps", "imagine", "critic")
        config, start = wrap_run(load_policy(self.policy), self.env, kwargs, **settings)
        self.watch(config, start=start)
