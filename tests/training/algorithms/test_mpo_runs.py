"""The family as runs: by name, interrupted, with sets that change nothing, and with settings that cannot be."""

from __future__ import annotations

from functools import cache
from typing import Any

import equinox as eqx
import gymnasium as gym
import numpy as np
import pytest
from toys import TINY, TINY_PLAN

from melro_gym import Callback, MELROController, load_agent, train
from melro_gym.checkpoint import read_arrays
from melro_gym.cli import main
from melro_gym.training import ALGORITHMS, TrainConfig, fit_world_model, make_config
from melro_gym.training.algorithms import MPO_VARIANTS, SVG_VARIANTS

NAMES = ("mpo", "e-mpo", "r-mpo", "re-mpo", "sr-mpo", "sre-mpo", "e-svg", "re-svg", "sre-svg")
SETTINGS: dict[str, Any] = {
    **TINY,
    "initial_decisions": 30,
    "collect_decisions": 10,
    "batch": 8,
    "samples": 3,
    "target_period": 7,
    "total_env_steps": 80,
    "eval_every": 40,
    "eval_episodes": 1,
}
ENV = "PendulumSwingup-BallMass-v0"


class StopAtOnce(Callback):
    def on_round(self, numbers):
        return True


def states(folder):
    return read_arrays(folder / "state.safetensors")[0]


@pytest.fixture(scope="module")
def robust(tmp_path_factory):
    """Folder of a short run of RE-MPO."""
    folder = tmp_path_factory.mktemp("robust") / "run"
    train(ENV, folder, algorithm="re-mpo", members=[1.0, 1.4], **SETTINGS)
    return folder


def test_interrupted_after_every_round_it_ends_with_the_same_state(robust, tmp_path):
    for _ in range(4):
        settings = {"algorithm": "re-mpo", "members": [1.0, 1.4], **SETTINGS}
        train(ENV, tmp_path, resume=True, callbacks=[StopAtOnce()], **settings)
    first, second = states(robust), states(tmp_path)
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


def test_the_replay_holds_what_the_members_said(robust):
    arrays = states(robust)
    assert arrays["members.obs"].shape == (70, 2, 3)
    np.testing.assert_array_equal(arrays["members.obs"][:, 0], arrays["replay.next_obs"])
    assert np.any(arrays["members.obs"][:, 1] != arrays["replay.next_obs"])


def test_its_agent_says_what_its_critic_means(robust):
    metadata = load_agent(robust / "last.safetensors").metadata
    assert metadata["training"]["algorithm"] == "re-mpo"
    assert (metadata["critic_backup"], metadata["critic_entropy"]) == ("worst", "of later steps")


@pytest.mark.parametrize(("words", "planning"), [([], {}), (["--members"], {"pessimism": "worst"})])
def test_with_world_models_of_its_run_it_plans(robust, tmp_path, words, planning):
    path, before = tmp_path / "agent.safetensors", load_agent(robust / "best.safetensors")
    sizes = ["--updates", "40", "--set", "model_width=8", "reward_width=8"]
    assert main(["fit", "--run-folder", str(robust), "--out", str(path), *words, *sizes]) == 0
    fitted = load_agent(path)
    assert eqx.tree_equal((fitted.policy, fitted.critic), (before.policy, before.critic))
    assert fitted.metadata["world_model"].get("members") == ([1.0, 1.4] if words else None)
    env = MELROController(gym.make(ENV, value=1.4), path, **TINY_PLAN, **planning)
    env.reset(seed=0)
    for _ in range(2):
        *_, info = env.step()
        assert np.isfinite(info["melro"]["value"]) and info["melro"]["failure"] == ""
    env.close()


def test_members_of_a_run_without_a_set_are_refused(robust, tmp_path):
    train(ENV, tmp_path, algorithm="mpo", callbacks=[StopAtOnce()], **SETTINGS)
    with pytest.raises(ValueError, match="has no uncertainty set, so `members` cannot be fitted"):
        fit_world_model(tmp_path, agent=str(robust / "last.safetensors"), members=True, updates=40)


@pytest.fixture(scope="module")
def without_a_set(tmp_path_factory):
    """What a short run of `mpo`, `e-mpo` or `e-svg` learned."""
    folder = tmp_path_factory.mktemp("none")

    @cache
    def learned(name):
        train(ENV, folder / name, algorithm=name, env_kwargs={"value": 1.0}, **SETTINGS)
        return {name: array for name, array in states(folder / name).items() if name.startswith("learner")}

    return learned


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "plain", "copies"),
    [
        ("r-mpo", "mpo", 1),
        ("r-mpo", "mpo", 3),
        ("sr-mpo", "mpo", 3),
        ("re-mpo", "e-mpo", 3),
        ("sre-mpo", "e-mpo", 3),
        ("re-svg", "e-svg", 3),
        ("sre-svg", "e-svg", 1),
    ],
)
def test_copies_of_the_environment_are_no_set_bit_for_bit(without_a_set, tmp_path, name, plain, copies):
    train(ENV, tmp_path, algorithm=name, members=[1.0] * copies, env_kwargs={"value": 1.0}, **SETTINGS)
    first, second = without_a_set(plain), states(tmp_path)
    assert len(first) > 50
    for leaf, array in first.items():
        np.testing.assert_array_equal(array, second[leaf], err_msg=leaf)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_name_trains(name, tmp_path):
    members = {} if name in ("mpo", "e-mpo", "e-svg") else {"members": [1.0, 1.4]}
    train(ENV, tmp_path, algorithm=name, **members, **SETTINGS)
    assert load_agent(tmp_path / "last.safetensors").metadata["training"]["algorithm"] == name


def test_names_are_rows_of_settings():
    assert {*MPO_VARIANTS, *SVG_VARIANTS} == set(NAMES) <= ALGORITHMS.keys()
    for name in NAMES:
        config = ALGORITHMS[name].Config()
        backup = "worst" if name.startswith("r") else "mean" if name.startswith("s") else "nominal"
        assert config.backup == backup
        assert (config.kl_weight > 0.0) == ("e-" in name)
    one = make_config("cpu", algorithm="mpo", backup="worst", members=[1.0])
    other = make_config("cpu", algorithm="r-mpo", members=[1.0])
    assert one.to_json() | {"algorithm": "r-mpo"} == other.to_json()
    assert TrainConfig(**other.to_json()) == other
    assert (other.run.discount, other.networks.policy_width) == (0.99, 128)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"algorithm": "re-mpo"}, "`backup='worst'` needs an uncertainty set: give `members`"),
        ({"algorithm": "sr-mpo", "members": [1.0], "member_use": "limited"}, "`member_use` at 'set'"),
        ({"algorithm": "ddr-mpo", "members": [1.0]}, "'ddr-mpo' needs `member_models`, a file"),
        ({"algorithm": "ddr-mpo", "members": [1.0], "member_models": "x"}, "give `members` or `member_models`"),
        ({"algorithm": "mpo", "member_models": "x"}, "`member_models` needs `backup` 'worst' or 'mean'"),
        ({"algorithm": "mpo", "imagine": "actuators"}, "`imagine` needs a world model, which 'mpo'"),
        ({"algorithm": "e-svg", "model_input": "distribution"}, "'e-svg' needs `model_input='action'`"),
        ({"algorithm": "e-svg", "epsilon": 0.2}, "'e-svg' has no setting 'epsilon'"),
        ({"algorithm": "re-mpoo"}, "Did you mean 're-mpo'"),
        ({"algorithm": "mpo", "epsilon_mean": 0.0}, "`epsilon_mean` must be above 0.0"),
    ],
)
def test_wrong_settings_are_one_line(settings, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_config("cpu", **settings)
    assert "\n" not in str(caught.value)


def test_an_environment_of_another_package_has_no_set_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match="needs an environment of this package"):
        train("Pendulum-v1", tmp_path / "run", algorithm="r-mpo", members=[1.0], **SETTINGS)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_cartpole_is_balanced_within_40k_steps(tmp_path):
    settings = {"env_kwargs": {"value": 0.5}, "total_env_steps": 40_000, "eval_every": 5_000, "eval_episodes": 3}
    members = [0.5, 1.9, 2.1]
    train("CartpoleBalance-PoleLength-v0", tmp_path, algorithm="re-mpo", members=members, **settings)
    best = load_agent(tmp_path / "best.safetensors")
    assert best.metadata["result"]["eval/mean"] > 900.0
