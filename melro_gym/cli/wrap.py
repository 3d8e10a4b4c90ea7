"""`melro-gym wrap`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from melro_gym.cli.parsing import Pairs, parse_object, parse_settings


@dataclass(frozen=True)
class Wrap:
    """Fit a world model and a critic around a policy from elsewhere, which stays as it is. Ctrl-C saves."""

    policy: str
    """A .zip of Stable-Baselines3, sb3-contrib or SBX (their library loads it and unpickles: only files that you
    trust), an .onnx file, an agent, or module:name of a model or a function of observations, whose module is run."""
    out: Path
    """Folder of the run."""
    env: str = "WalkerWalk-v0"
    """Gymnasium id."""
    steps: int = 50_000
    """Environment steps to collect, besides the first data."""
    imagine: str = ""
    """Family of changes that the critic imagines, such as actuators; empty: none."""
    critic: str = "fit"
    """fit: learn a value function from nothing; source: begin with the policy's own."""
    seed: int = 0
    """Seeds networks, environment and sampling."""
    resume: bool = False
    """Go on with the run in the folder; give the same policy and settings."""
    max_minutes: float | None = None
    """Save and stop after this much training time, over all interruptions."""
    device: str | None = None
    """Where to compute: cpu, gpu, gpu:1 ...; by default where JAX does."""
    tensorboard: bool = False
    """Write curves for TensorBoard to the folder."""
    env_kwargs: str = "{}"
    """Keyword arguments of the environment, as JSON."""
    set: Pairs = ()
    """Other settings, as name=value; melro-gym settings lists them."""

    def run(self) -> None:
        """Train with a progress bar; a line per evaluation; Ctrl-C and SIGTERM save the state before leaving."""
        from melro_gym.cli.watching import watch_training
        from melro_gym.interop.load import load_policy
        from melro_gym.interop.wrap import wrap_run

        kwargs = parse_object(self.env_kwargs, "--env-kwargs")
        model = load_policy(self.policy)
        choices = {name: getattr(self, name) for name in ("steps", "imagine", "critic", "seed")}
        config, start = wrap_run(model, self.env, kwargs, **{**choices, **parse_settings(self.set)})
        switches = {name: getattr(self, name) for name in ("resume", "max_minutes", "device", "tensorboard")}
        watch_training(config, self.out, start=start, **switches)
