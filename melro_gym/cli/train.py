"""`melro-gym train`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from melro_gym.cli.parsing import Pairs, parse_object, parse_settings


@dataclass(frozen=True)
class Train:
    """Train an agent: world model, base policy and critic (Algorithm 1). Ctrl-C saves; --resume goes on."""

    out: Path
    """Folder of the run."""
    env: str = "WalkerWalk-v0"
    """Gymnasium id."""
    preset: str = "cpu"
    """Named settings: cpu, cpu-franka, paper-maze, paper-simulation or paper-franka; see melro-gym settings."""
    algorithm: str | None = None
    """How to train; by default as the preset says, which is melro. package.module:NAME imports the module first."""
    seed: int = 0
    """Seeds networks, environment and sampling."""
    num_envs: int = 1
    """Environments that collect side by side."""
    resume: bool = False
    """Go on with the run in the folder."""
    amend: bool = False
    """With --resume: go on with other settings than the run had, such as another entropy_weight."""
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
        from melro_gym.training import make_config

        kwargs = parse_object(self.env_kwargs, "--env-kwargs")
        options = {"env": self.env, "env_kwargs": kwargs, "seed": self.seed, "num_envs": self.num_envs}
        options |= {} if self.algorithm is None else {"algorithm": self.algorithm}
        config = make_config(self.preset, **{**options, **parse_settings(self.set)})
        switches = {name: getattr(self, name) for name in ("resume", "amend", "max_minutes", "device", "tensorboard")}
        watch_training(config, self.out, **switches)
