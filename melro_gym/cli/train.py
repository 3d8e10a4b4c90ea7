"""`melro-gym train`."""

from __future__ import annotations

from dataclasses import dataclass

from melro_gym.cli.parsing import parse_object
from melro_gym.cli.running import Running


@dataclass(frozen=True, kw_only=True)
class Train(Running):
    """Train an agent: world model, base policy and critic (Algorithm 1). Ctrl-C saves; --resume goes on."""

    env: str = "WalkerWalk-v0"
    """Gymnasium id."""
    env_kwargs: str = "{}"
    """Keyword arguments of the environment, as JSON."""
    preset: str = "cpu"
    """Named settings: cpu, cpu-franka, paper-maze, paper-simulation or paper-franka; see melro-gym settings."""
    algorithm: str | None = None
    """How to train; by default as the preset says, which is melro. package.module:NAME imports the module first."""
    num_envs: int = 1
    """Environments that collect side by side."""
    amend: bool = False
    """With --resume: go on with other settings than the run had, such as another entropy_weight."""
    seeds: int = 1
    """How many to train side by side, with this seed and the ones after it, each in a folder seed-N of --out."""
    audit: str | None = None
    """Audit what entropy does to the policy at each evaluation, with and without a push, to audit.csv in the folder:
    when an episode succeeds, as in 900 (a return) or position_error<=0.05 (a bound on its last info)."""

    def run(self) -> None:
        """Train; see `Running.watch`."""
        from melro_gym.training import make_config

        options = {"env_kwargs": parse_object(self.env_kwargs, "--env-kwargs")}
        options |= {} if self.algorithm is None else {"algorithm": self.algorithm}
        self.watch(
            make_config(self.preset, **{**options, **self.settings("env", "num_envs")}),
            seeds=self.seeds,
            audit=self.audit,
            amend=self.amend,
        )
