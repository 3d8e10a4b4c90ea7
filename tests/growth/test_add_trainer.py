"""A training algorithm from outside the package: one class, and the loop collects, saves, resumes and evaluates."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import probes
import pytest
from jaxtyping import Array, PRNGKeyArray
from toys import TINY

from melro_gym import Callback, cli, load_agent, train
from melro_gym.checkpoint import read_arrays
from melro_gym.evaluation.controllers import base_controller
from melro_gym.evaluation.rollouts import run_episodes
from melro_gym.models import Agent
from melro_gym.settings import read_fields, setting, takes_any_source
from melro_gym.training import AbstractAlgorithm, TrainConfig, make_config, register_algorithm
from melro_gym.training.replay import Replay

probes.register()


@takes_any_source
@dataclasses.dataclass(frozen=True)
class EvolutionConfig:
    """Settings of an evolution strategy with one parent and one child."""

    step: float = setting(0.3, above=0.0, amendable=True)
    """Standard deviation of a mutation."""
    elitism: bool = True
    """Whether a better parent survives."""

    def __post_init__(self) -> None:
        read_fields(self)


class Generation(NamedTuple):
    """Parent and child, and a memory on the host."""

    parent: Agent
    child: Agent
    best: float
    """Mean reward that the parent collected."""
    history: np.ndarray
    """`(100,)` the children's mean rewards."""
    size: int


@register_algorithm
class Evolution(AbstractAlgorithm[Generation]):
    """The child collects; if its mean reward is the best so far, it becomes the parent of the next."""

    name = "toy-evolution"
    Config = EvolutionConfig

    def init(self, agent: Agent) -> Generation:
        return Generation(agent, agent, float("-inf"), np.zeros(100, np.float32), 0)

    def needs(self, state: Generation, replay: Replay, rng: np.random.Generator) -> float:
        del state, rng
        return float(replay.rows.reward[-self.config.collection.collect_decisions :].mean())

    def update(
        self, state: Generation, needed: float, key: PRNGKeyArray, done: float
    ) -> tuple[Generation, dict[str, Array]]:
        history = state.history.copy()
        history[state.size] = needed
        better = needed > state.best or not self.config.algorithm.elitism
        parent, best = (state.child, needed) if better else (state.parent, state.best)
        child = eqx.tree_at(lambda tree: tree.policy, parent, self._mutated(parent.policy, key))
        return Generation(parent, child, best, history, state.size + 1), {"evolution/best": jnp.float32(best)}

    def actor(self, state: Generation) -> Agent:
        return state.child

    def result(self, state: Generation) -> Agent:
        return state.parent

    def about(self, agent: Agent, replay: Replay) -> dict[str, Any]:
        return {"rows": len(replay)}

    def _mutated(self, policy: Any, key: PRNGKeyArray) -> Any:
        parameters, static = eqx.partition(policy, eqx.is_inexact_array)
        leaves, structure = jax.tree.flatten(parameters)
        keys = jr.split(key, len(leaves))
        step = self.config.algorithm.step
        moved = [leaf + step * jr.normal(each, leaf.shape) for leaf, each in zip(leaves, keys, strict=True)]
        return eqx.combine(jax.tree.unflatten(structure, moved), static)


SETTINGS: dict[str, Any] = {
    **TINY,
    "algorithm": "toy-evolution",
    "step": 0.5,
    "total_env_steps": 600,
    "initial_decisions": 60,
    "collect_decisions": 60,
    "eval_every": 300,
    "eval_episodes": 4,
}


class StopAtOnce(Callback):
    def on_round(self, numbers):
        return True


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder of a run of ten generations."""
    folder = tmp_path_factory.mktemp("evolution") / "run"
    train("probe/Chase-v0", folder, **SETTINGS)
    return folder


def test_it_trains_and_keeps_the_best_that_it_collected(whole):
    arrays, metadata = read_arrays(whole / "state.safetensors")
    # the rewards of the random policy, then those of each child but the last, which nobody has judged yet
    means = arrays["replay.reward"].reshape(-1, 60).mean(axis=1)[:-1]
    np.testing.assert_allclose(arrays["learner.history"][:10], means, rtol=1e-5)
    assert arrays["learner.best"] == pytest.approx(means.max(), rel=1e-5)
    assert means.max() > means[:2].max()
    curve = [json.loads(line) for line in (whole / "curve.jsonl").read_text().splitlines()]
    assert [row["env_steps"] for row in curve] == [300, 600]
    assert curve[-1]["evolution/best"] == pytest.approx(means.max(), rel=1e-5)
    assert metadata["config"]["step"] == 0.5


def test_interrupted_after_every_round_it_ends_with_the_same_state(whole, tmp_path):
    for _ in range(10):
        train("probe/Chase-v0", tmp_path, resume=True, callbacks=[StopAtOnce()], **SETTINGS)
    (first, _), (second, _) = (read_arrays(folder / "state.safetensors") for folder in (whole, tmp_path))
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


def test_its_agent_loads_and_evaluates_as_the_run_did(whole):
    agent = load_agent(whole / "last.safetensors")
    assert agent.metadata["training"]["algorithm"] == "toy-evolution"
    assert agent.metadata["rows"] == 660
    controller = base_controller(agent, sample=False, seed=0)
    seeds = [int(seed) for seed in np.random.SeedSequence((0, 4)).generate_state(4)]
    returns = run_episodes(lambda: probes.Chase(), controller, seeds)
    assert returns.mean() == pytest.approx(agent.metadata["result"]["eval/mean"], rel=1e-5)


def test_other_settings_are_refused_or_amended_by_its_own_declarations(whole):
    with pytest.raises(ValueError, match=r"other settings: step.*or amend the run"):
        train("probe/Chase-v0", whole, resume=True, **{**SETTINGS, "step": 0.1})
    with pytest.raises(ValueError, match=r"other settings: elitism. Use those, or another folder.$"):
        train("probe/Chase-v0", whole, resume=True, **SETTINGS, elitism=False)


def test_from_the_command_line_its_module_is_imported_first(tmp_path, capsys):
    pairs = [f"{name}={value}" for name, value in SETTINGS.items() if name not in ("algorithm", "eval_every")]
    arguments = ["train", "--env", "probe/Chase-v0", "--out", str(tmp_path), "--set", *pairs, "total_env_steps=60"]
    assert cli.main([*arguments, "--algorithm", f"{__name__}:toy-evolution"]) == 0
    assert "return, means" in capsys.readouterr().out
    assert load_agent(tmp_path / "last.safetensors").metadata["training"]["algorithm"] == "toy-evolution"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"algorithm": "toy-evolutoin"}, "Did you mean 'toy-evolution'"),
        ({"algorithm": "toy-evolution", "entropy_weight": 0.1}, "'toy-evolution' has no setting 'entropy_weight'"),
        ({"step": 0.1}, "'melro' has no setting 'step'"),
        ({"algorithm": "toy-evolution", "step": 0.0}, "`step` must be above 0.0"),
        ({"algorithm": "toy-evolution", "stepp": 0.1}, "Did you mean 'step'"),
    ],
)
def test_wrong_names_and_values_are_one_line(settings, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_config("cpu", **settings)
    assert "\n" not in str(caught.value)


def test_a_preset_gives_what_the_algorithm_has():
    config = make_config("cpu", algorithm="toy-evolution")
    assert (config.run.total_env_steps, config.algorithm) == (120_000, EvolutionConfig())
    again = dataclasses.replace(config, algorithm=EvolutionConfig(step=0.7), seed=5)
    assert (again.run.seed, again.to_json()["algorithm"], again.to_json()["step"]) == (5, "toy-evolution", 0.7)
    assert TrainConfig(**again.to_json()) == again


def test_a_name_is_given_once():
    class Other(Evolution):
        pass

    with pytest.raises(ValueError, match="another algorithm named 'toy-evolution'"):
        register_algorithm(Other)


def test_a_world_model_cannot_be_added_with_settings_that_are_not_there(whole):
    from melro_gym.training import add_ensemble

    with pytest.raises(ValueError, match="not trained by 'melro'"):
        add_ensemble(whole, 2)
